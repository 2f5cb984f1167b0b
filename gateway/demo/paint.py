"""Paint the demo's sample images, the same bytes at every run: ``python -m gateway.demo.paint``."""

import math
import random
from array import array
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import cast

from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageMath, ImageOps

Picture = Image.Image
Size = tuple[int, int]


def strip(colours: str, size: Size, mode: str = "RGB") -> Picture:
    """A vertical gradient through evenly spaced hexadecimal colours, or shades if the mode is ``L``."""
    return Image.frombytes(mode, (1, len(colours.split())), bytes.fromhex(colours)).resize(size)


def tint(mask: Picture, colours: str) -> Picture:
    """Map a mask's shades, dark to light, onto a gradient."""
    return Image.merge("RGB", [mask.point(list(band.tobytes())) for band in strip(colours, (1, 256)).split()])


def compute(formula: Callable[..., object], *fields: Picture) -> Picture:
    """Apply a formula to every pixel of some fields of floats."""
    named = {str(number): field for number, field in enumerate(fields)}
    return cast("Picture", ImageMath.lambda_eval(lambda known: formula(*(known[name] for name in named)), **named))


def levels(field: Picture, low: float, high: float) -> Picture:
    """Turn a field of floats into a mask, black at ``low`` and white at ``high``."""
    return compute(lambda value: (value - low) * (255 / (high - low)), field).convert("L")


def noise(size: Size, cell: int, seed: int, *, stretch: float = 1, octaves: int = 6, ridged: bool = False) -> Picture:
    """Fractal noise from 0 to 1: random lattices, each twice as fine and half as strong as the one before."""
    rng, total = random.Random(seed), Image.new("F", size)
    for octave in range(octaves):
        step = cell / 2**octave
        grid = math.ceil(size[0] / step / stretch) + 1, math.ceil(size[1] / step) + 1
        layer = Image.frombytes("L", grid, rng.randbytes(grid[0] * grid[1])).convert("F").resize(size)
        layer = compute(lambda value: 255 - abs(value * 2 - 255), layer) if ridged else layer
        total = compute(lambda coarse, fine: coarse * 2 + fine, total, layer)
    low, high = cast("tuple[float, float]", total.getextrema())
    return compute(lambda value: (value - low) / (high - low), total)


def warp(image: Picture, across: Picture, down: Picture, reach: Size, step: Size = (8, 8)) -> Picture:
    """Displace an image by two noise fields, in small quadrilaterals; what lies beyond its edges is mirrored."""
    (wide, tall), columns, rows = step, image.width // step[0] + 2, image.height // step[1] + 2
    right, below = (array("f", field.resize((columns, rows)).tobytes()) for field in (across, down))
    xs = [abs(at % columns * wide + (push - 0.5) * reach[0]) for at, push in enumerate(right)]
    ys = [abs(at // columns * tall + (push - 0.5) * reach[1]) for at, push in enumerate(below)]
    (edge, foot), mesh = (image.width - 1, image.height - 1), []
    for x, y in product(range(columns - 1), range(rows - 1)):
        corners = [(y + j) * columns + x + i for i, j in ((0, 0), (0, 1), (1, 1), (1, 0))]
        quad = [place for at in corners for place in (edge - abs(edge - xs[at]), foot - abs(foot - ys[at]))]
        mesh.append(((x * wide, y * tall, x * wide + wide, y * tall + tall), quad))
    return image.transform(image.size, Image.Transform.MESH, mesh, Image.Resampling.BICUBIC)


def grain(image: Picture, depth: float) -> Picture:
    """Add monochrome film grain."""
    speckle = Image.frombytes("L", image.size, random.Random(1).randbytes(image.width * image.height))
    speckle = speckle.point(lambda shade: round(128 + (shade / 127.5 - 1) * depth))
    return ImageChops.add(image, Image.merge("RGB", [speckle] * 3), 1, -128)


def shine(image: Picture, x: float, y: float, radius: float, colours: str, aspect: float = 1) -> None:
    """Add an oval glow, its colours from rim to centre."""
    width, height = round(radius * 2), max(round(radius * 2 * aspect), 3)
    left, top = round(x - width / 2), round(y - height / 2)
    halo = tint(levels(Image.radial_gradient("L").convert("F").resize((width, height)), 180, 0), colours)
    image.paste(ImageChops.screen(image.crop((left, top, left + width, top + height)), halo), (left, top))


def stars(size: Size, count: int) -> Picture:
    """A mask of many faint stars and a few bright ones."""
    rng, mask = random.Random(count), Image.new("L", (size[0] * 2, size[1] * 2))
    for _ in range(count):
        x, y, light = rng.uniform(0, mask.width), rng.uniform(0, mask.height), rng.random() ** 6
        ImageDraw.Draw(mask).circle((x, y), 0.8 + 2.8 * light, round(90 + 165 * light))
    return mask.reduce(2)


def ridge(size: Size, seed: int, base: float, rise: float, cell: int) -> Picture:
    """A mask of everything below a jagged skyline."""
    mask = Image.new("L", (size[0] * 2, size[1] * 2))
    line = compute(lambda up: (base - up * rise) * 2, noise((mask.width, 1), cell * 2, seed, octaves=9, ridged=True))
    ImageDraw.Draw(mask).polygon([*enumerate(array("f", line.tobytes())), mask.size, (0, mask.height)], 255)
    return mask.reduce(2)


def rock(size: Size, seed: int, colours: str) -> Picture:
    """Rugged slopes in raking light."""
    area = size[0] + 8, size[1] + 8
    relief = noise(area, 260, seed, ridged=True, octaves=7, stretch=0.7)
    relief = warp(relief, noise(area, 300, seed + 1), noise(area, 300, seed + 2), (160, 160))
    light = compute(lambda here, there: here - there, relief, ImageChops.offset(relief, 7, 5))
    return tint(levels(light, -0.09, 0.09), colours).crop((8, 8, *area))


def pines(size: Size, rng: random.Random) -> Picture:
    """A mask of pines that frame a view, tallest at both sides."""
    mask, height = Image.new("L", (size[0] * 2, size[1] * 2)), size[1] * 2
    for x in (rng.uniform(0, mask.width) for _ in range(110)):
        tall = height * (0.09 + 0.36 * abs(x / size[0] - 1.12) ** 3) * rng.uniform(0.6, 1)
        for share, side in product((number / 40 for number in range(41)), (-1, 1)):
            y, tip = height * 1.04 - tall * (1 - share), x + side * tall * 0.2 * share**0.8 * rng.uniform(0.5, 1.1)
            branch = [(x, y - tall * 0.03), (tip, y + tall * rng.uniform(0.02, 0.06)), (x, y + tall * 0.03)]
            ImageDraw.Draw(mask).polygon(branch, 255)
    return mask.reduce(2)


def lake(view: Picture, height: int, squeeze: float, shades: str) -> Picture:
    """Put a shaded reflection below a view, rippling most where it is nearest."""
    water = ImageOps.flip(view).crop((0, 0, view.width, round(height / squeeze))).resize((view.width, height))
    near, waves = strip("10 60 ff", water.size, "L"), noise(water.size, 9, 60, stretch=12, octaves=2)
    ripple = compute(lambda wave, weight: (wave - 0.5) * (weight / 255.0) + 0.5, waves, near)
    water = warp(water.filter(ImageFilter.GaussianBlur((1, 3))), ripple, ripple, (8, view.width // 52), (16, 2))
    whole = ImageOps.expand(view, (0, 0, 0, height))
    whole.paste(ImageChops.multiply(water, strip(shades, water.size)), (0, view.height))
    return whole


def mountains() -> Picture:
    """A mountain lake at dusk: moon, stars, ranges in mist and their reflection."""
    land = 2304, 1010
    view = strip("0d1233 1b2150 3b356f 75508a b86f8f ee9a86 ffcf9a", land)
    view.paste("#ffffff", mask=ImageChops.multiply(stars(land, 1500), strip("ff ff c0 50 00 00", land, "L")))
    shine(view, 1640, 270, 480, "000000 04040a 0c0c1c 1c1c38 38385c 7a7498 c8bcd0")
    shine(view, 1640, 270, 66, "000000 ffffff" + " fffaf0" * 22)
    view.paste("#ffb9a0", mask=levels(noise(land, 150, 2, stretch=5), 0.55, 1.7))
    hues = "282a62 6a5596 c984a4 ffc4ae", "25285c 54478a a06c98 e8a09c", "23275a 4a457f 6f5a8c", "2f3869", "1b2249"
    shapes = (660, 330, 700), (760, 260, 500), (830, 180, 400), (920, 150, 500), (1000, 100, 60)
    for number, (colours, (base, rise, cell)) in enumerate(zip(hues, shapes, strict=True)):
        mask = ridge(land, number + 10, base, rise, cell)
        view.paste(rock(land, number + 20, colours) if number < 3 else strip(colours, land), mask=mask)
        haze = strip("00 00 00 28 a0 d8" if number < 4 else "00 00 00 00 00 00 00 00 90", land, "L")
        mist = ImageChops.multiply(levels(noise(land, 120, number + 40, stretch=4), 0.1, 0.8), haze)
        view.paste("#d99aa5", mask=ImageChops.multiply(mist, mask))
    whole = lake(view, 526, 0.66, "ffe8e8 c0b8e0 7078b0")
    whole.paste("#0b0e24", mask=pines(whole.size, random.Random(7)))
    return grain(whole, 9)


def nebula() -> Picture:
    """A nebula: glowing veils, dust lanes and young stars."""
    size, rng = (2000, 1400), random.Random(10)
    drift = [noise(size, 700, seed, octaves=5) for seed in range(100, 104)]
    veils = warp(noise(size, 500, 105, ridged=True, octaves=8), drift[0], drift[1], (700, 700))
    cloud = warp(noise(size, 500, 106, octaves=8), drift[2], drift[3], (700, 700))
    dust = warp(noise(size, 300, 107, octaves=8, ridged=True), drift[1], drift[2], (500, 500))
    sky = tint(levels(cloud, 0.1, 0.95), "04050f 0d1130 2a1a55 6a2468 b83c62 ee8450 ffd890")
    sky = ImageChops.screen(sky, tint(levels(veils, 0.4, 1.2), "000000 03101c 08304a 127080 48b8b0 b0f0d8"))
    sky = ImageChops.screen(sky, tint(stars(size, 6000), "000000 8090c0 ffffff"))
    sky = ImageChops.multiply(sky, tint(levels(dust, 0.45, 0.85), "ffffff f4e0e0 7c5c64 301e2a"))
    for _ in range(16):
        x, y, reach = rng.uniform(260, 1740), rng.uniform(220, 1180), 10 + 110 * rng.random() ** 3
        shine(sky, x, y, reach, "000000 030409 0a0d1c 1a2248 4058a0 b0c4f8 ffffff")
        shine(sky, x, y, reach * 1.6, "000000 141a38 7080c0 ffffff", 0.03)
        shine(sky, x, y, reach * 0.05, "000000 141a38 7080c0 ffffff", 32)
    return grain(sky.crop((200, 166, 1800, 1233)), 7)


def houses(draw: ImageDraw.ImageDraw, rng: random.Random, shore: int) -> None:
    """A quay of gabled houses, some of their windows lit."""
    end = -30.0
    for wall in ("4a7a70", "d8c8a8", "8c3a4a", "c9772f", "3f5a7a", "d9a24a", "a8442f", "4a7a70"):
        x, wide, eaves = end, rng.uniform(72, 104), shore - rng.uniform(170, 270) * (1.1 - end / 1600)
        end = x + wide
        gable = [(x, eaves), (x + wide / 2, eaves - wide * rng.uniform(0.5, 0.75)), (end, eaves)]
        draw.polygon([(x, shore), *gable, (end, shore)], "#" + wall, "#43202c", 5)
        for top, column in product(range(round(eaves) + 8, shore - 45, 54), range(3)):
            left, lit = x + wide * (0.12 + column * 0.28), rng.choice(("#ffe694", "#ffc860", "#33283f", "#2a2842"))
            draw.rectangle((left, top, left + wide * 0.2, top + 32), lit)
    draw.rectangle((0, shore - 12, end + 14, shore), "#3b3348")


def brushwork(scene: Picture, flow: Picture, rng: random.Random) -> Picture:
    """Repaint a scene in oils: ever finer strokes along its contours and those of a flow."""
    (width, height), canvas = scene.size, ImageOps.scale(scene, 2)
    detail = scene.convert("L").filter(ImageFilter.FIND_EDGES).filter(ImageFilter.GaussianBlur(3)).tobytes()
    for radius, count in ((13, 7000), (7, 18000), (3, 60000), (2, 90000)):
        colours = scene.filter(ImageFilter.GaussianBlur(radius / 2)).tobytes()
        grey = scene.convert("F").resize((width // radius, height // radius)).resize(scene.size)
        slope = array("f", compute(lambda shade, swirl: shade + swirl * 150, grey, flow).tobytes())
        for _ in range(count):
            x, y, tone, path = rng.uniform(4, width - 5), rng.uniform(4, height - 5), rng.gauss(0, 9), []
            start = int(y) * width + int(x)
            if radius <= 3 and detail[start] < rng.uniform(0, 50):
                continue
            for _ in range(8):
                path.append((x * 2, y * 2))
                at = int(y) * width + int(x)
                right, down = slope[at + 3] - slope[at - 3], slope[at + 3 * width] - slope[at - 3 * width]
                pace = radius / (math.hypot(right, down) or 1)
                x, y = min(max(x + pace * down, 4), width - 5), min(max(y - pace * right, 4), height - 5)
            paint = tuple(round(shade + tone + rng.gauss(0, 4)) for shade in colours[start * 3 : start * 3 + 3])
            ImageDraw.Draw(canvas).line(path, paint, radius * 2, "curve")
    relief = canvas.convert("L").filter(ImageFilter.GaussianBlur(1)).filter(ImageFilter.EMBOSS)
    return ImageChops.soft_light(canvas, Image.merge("RGB", [relief] * 3)).reduce(2)


def harbour() -> Picture:
    """A harbour at sunset, painted in oils: gabled houses, sailing boats and a low sun."""
    land, rng = (1220, 720), random.Random(3)
    view = strip("2c4a86 4f6aa6 8f86b8 d98f96 f7a565 ffd27a", land)
    view.paste("#ffd9b0", mask=levels(noise(land, 130, 4, stretch=3), 0.5, 1))
    shine(view, 950, 560, 420, "000000 180a04 301408 502810 703818 88481c a85c24 c8702c fff4d0")
    view.paste("#7a6a98", mask=ridge(land, 5, 700, 100, 400))
    houses(ImageDraw.Draw(view), rng, land[1])
    sails, hull = [(0, 162), (52, 26), (-46, 30)], [(-50, 16), (-38, 0), (36, 0), (56, 20), (2, 12), (0, 170), (-2, 12)]
    for x, scale, sail in ((740, 0.9, "#f4e6cc"), (850, 0.55, "#c8553a"), (1100, 0.75, "#f4e6cc")):
        for outline, colour in ((sails, sail), (hull, "#2a2038")):
            ImageDraw.Draw(view).polygon([(x + across * scale, 720 - up * scale) for across, up in outline], colour)
    scene = lake(view, 500, 0.7, "e8e0e8 b8bce0 5068a0")
    for y in range(730, 1160, 3):
        x, reach = round(rng.gauss(950, y * 0.12 - 64)), rng.randint(6, 30)
        ImageDraw.Draw(scene).line((x - reach, y, x + reach, y), "#ffdc90", 3)
    flow = noise(scene.size, 160, 7, octaves=2)
    flow.paste(noise((1220, 500), 50, 8, stretch=8, octaves=2), (0, 720))
    return brushwork(scene, flow, rng).crop((10, 10, 1210, 1210))


def lanterns() -> Picture:
    """Paper lanterns rising over a lake at night."""
    land, rng = (1024, 700), random.Random(4)
    view = strip("050818 0a1030 141d4a 2a2f60 5a4068 a8605c", land)
    for number, colour in enumerate(("#332f5a", "#222448", "#10142f")):
        view.paste(colour, mask=ridge(land, number, 660 + number * 20, 150 - number * 30, 300))
    mask = Image.new("L", (240, 300))
    ImageDraw.Draw(mask).rounded_rectangle((10, 4, 230, 330), 100, 255)
    folds = strip("503830" + " ffffff d8c8c0" * 4 + " ffffff 503830", (300, 240)).transpose(Image.Transpose.ROTATE_90)
    paper = ImageChops.multiply(strip("a03414 d8601c f59a38 ffd070 fff6c8", mask.size), folds)
    paper.putalpha(mask)
    paper = paper.transform(mask.size, Image.Transform.QUAD, (0, 0, -36, 304, 276, 304, 240, 0))
    for number, tall in enumerate(sorted(8 + 130 * rng.random() ** 5 for _ in range(140))):
        x, y, turn = (number * 0.618 % 1) * 1024, rng.uniform(10, 650 - tall), rng.gauss(0, 6)
        shine(view, x, y, tall * 2, "000000 080301 180a04 381808 70381a")
        sprite = paper.resize((round(tall * 0.8), round(tall))).rotate(turn, Image.Resampling.BICUBIC, expand=True)
        view.paste(sprite, (round(x - sprite.width / 2), round(y - sprite.height / 2)), sprite)
    return grain(lake(view, 324, 0.8, "e8d0d0 b898a8 585070"), 2.5)


def main() -> None:
    """Paint everything."""
    images = Path(__file__).with_name("images")
    images.mkdir(exist_ok=True)
    mountains().save(images / "mountains.png")
    nebula().save(images / "nebula.jpg", quality=90)
    harbour().save(images / "harbour.webp", quality=88)
    lanterns().save(images / "lanterns.png")


if __name__ == "__main__":
    main()
