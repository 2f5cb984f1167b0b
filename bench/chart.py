"""Line charts as SVG: the same figures give the same bytes, and they are light or dark as the reader has it."""

import math
from dataclasses import dataclass
from xml.etree import ElementTree as ET

WIDTH, HEIGHT = 720, 380
LEFT, RIGHT, TOP, BOTTOM = 84, 672, 108, 314  # of the part that the lines are in
_COLOURS = "ab"
_MOST_STEPS = 5
_STYLE = """
    rect { fill: #fff } text { fill: #1d2423; font: 13px system-ui, sans-serif } .quiet { fill: #58635f }
    .heading { font-size: 17px; font-weight: 600 } .grid { stroke: #dfe5e3 } polyline { fill: none; stroke-width: 2.5 }
    .a { stroke: #0b675c } circle.a { fill: #0b675c }
    .b { stroke: #b4530a; stroke-dasharray: 7 4 } circle.b { fill: #b4530a; stroke-dasharray: none }
    @media (prefers-color-scheme: dark) {
      rect { fill: #151c1b } text { fill: #e6ecea } .quiet { fill: #a3b0ac } .grid { stroke: #33403d }
      .a { stroke: #5cc8b8 } circle.a { fill: #5cc8b8 } .b { stroke: #f0a35e } circle.b { fill: #f0a35e }
    }
  """


@dataclass(frozen=True, slots=True)
class Line:
    """What was measured of one thing: its name, and an x and a y for each point."""

    name: str
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Chart:
    """A line or two over the same xs. The y axis begins at zero.

    Attributes:
        title: what is shown.
        x: what the x axis counts.
        y: what the y axis counts, or its unit.
        lines: what was measured.
        is_log: whether the x axis is logarithmic; every x is above zero then.
    """

    title: str
    x: str
    y: str
    lines: tuple[Line, ...]
    is_log: bool = True

    def svg(self) -> str:
        """Draw it."""
        root = ET.Element("svg", xmlns="http://www.w3.org/2000/svg", viewBox=f"0 0 {WIDTH} {HEIGHT}", role="img")
        root.set("aria-labelledby", "title about")
        ET.SubElement(root, "title", id="title").text = self.title
        ET.SubElement(root, "desc", id="about").text = self._in_words()
        ET.SubElement(root, "style").text = _STYLE
        ET.SubElement(root, "rect", width=str(WIDTH), height=str(HEIGHT))
        _write(root, 20, 32, self.title, "heading")
        self._draw_axes(root)
        for number, line in enumerate(self.lines):
            self._draw_line(root, line, _COLOURS[number], LEFT + number * (RIGHT - LEFT) // 2)
        ET.indent(root)
        return ET.tostring(root, encoding="unicode") + "\n"

    def _in_words(self) -> str:
        lines = [
            f"{line.name}: {', '.join(f'{_figure(y)} at {x:,.0f}' for x, y in line.points)}" for line in self.lines
        ]
        return f"{self.y}, by {self.x}. {'; '.join(lines)}."

    def _draw_axes(self, root: ET.Element) -> None:
        step = self._step()
        for value in (number * step for number in range(round(self._top() / step) + 1)):
            y = f"{self._down(value):.1f}"
            ET.SubElement(root, "line", {"class": "grid", "x1": str(LEFT), "x2": str(RIGHT), "y1": y, "y2": y})
            _write(root, LEFT - 10, self._down(value) + 4, _figure(value), "quiet", "end")
        for x, _ in self.lines[0].points:
            _write(root, self._across(x), BOTTOM + 22, f"{x:,.0f}", "quiet", "middle")
        _write(root, (LEFT + RIGHT) / 2, HEIGHT - 16, self.x, "quiet", "middle")
        _write(root, 20, TOP - 18, self.y, "quiet")

    def _draw_line(self, root: ET.Element, line: Line, colour: str, legend: int) -> None:
        places = [(f"{self._across(x):.1f}", f"{self._down(y):.1f}") for x, y in line.points]
        ET.SubElement(root, "polyline", {"class": colour, "points": " ".join(map(",".join, places))})
        for across, down in places:
            ET.SubElement(root, "circle", {"class": colour, "cx": across, "cy": down, "r": "4"})
        ET.SubElement(root, "polyline", {"class": colour, "points": f"{legend},58 {legend + 36},58"})
        _write(root, legend + 46, 62, line.name)

    def _across(self, x: float) -> float:
        """Where an x is, in the picture."""
        scale = math.log if self.is_log else float
        first, last = (scale(self.lines[0].points[place][0]) for place in (0, -1))
        return LEFT + (scale(x) - first) / (last - first) * (RIGHT - LEFT)

    def _down(self, y: float) -> float:
        """Where a y is."""
        return BOTTOM - y / self._top() * (BOTTOM - TOP)

    def _top(self) -> float:
        """The end of the y axis: the first step that is not below any line."""
        return math.ceil(self._highest() / self._step()) * self._step()

    def _step(self) -> float:
        """From one y that is named to the next: 1, 2 or 5 times a power of ten."""
        power = 10.0 ** math.floor(math.log10(self._highest() / _MOST_STEPS))
        return next(times * power for times in (1, 2, 5, 10) if times * power * _MOST_STEPS >= self._highest())

    def _highest(self) -> float:
        return max(y for line in self.lines for _, y in line.points) or 1


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.3g}"


def _write(root: ET.Element, x: float, y: float, text: str, kind: str = "", anchor: str = "start") -> None:
    attributes = {"x": f"{x:.0f}", "y": f"{y:.0f}", "text-anchor": anchor} | ({"class": kind} if kind else {})
    ET.SubElement(root, "text", attributes).text = text
