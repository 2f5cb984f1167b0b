from xml.etree import ElementTree as ET

import pytest

from bench.chart import BOTTOM, LEFT, RIGHT, TOP, Chart, Line
from bench.growth.figure import Figure

SVG = "{http://www.w3.org/2000/svg}"
OURS = Line("ours", ((1, 250), (8, 500), (64, 1000), (512, 0)))
THEIRS = Line("<theirs> & others", ((1, 100), (8, 200), (64, 300), (512, 400)))
CHART = Chart("Redirects", "connections", "redirects/s", (OURS, THEIRS))


def drawn(chart: Chart) -> ET.Element:
    return ET.fromstring(chart.svg())  # noqa: S314 (our own)


def dots(chart: Chart, colour: str) -> list[tuple[float, float]]:
    found = [dot for dot in drawn(chart).iter(SVG + "circle") if dot.get("class") == colour]
    return [(float(dot.get("cx", "")), float(dot.get("cy", ""))) for dot in found]


def texts(chart: Chart, kind: str | None = None) -> list[str]:
    return [text.text or "" for text in drawn(chart).iter(SVG + "text") if kind in {None, text.get("class")}]


def named_y_values(chart: Chart) -> list[str]:
    return [text.text or "" for text in drawn(chart).iter(SVG + "text") if text.get("text-anchor") == "end"]


def test_heights_are_in_proportion_to_the_figures_from_zero() -> None:
    heights = [BOTTOM - y for _, y in dots(CHART, "a")]

    assert heights == [(BOTTOM - TOP) * share for share in (0.25, 0.5, 1, 0)]


def test_both_lines_share_one_scale() -> None:
    heights = [BOTTOM - y for _, y in dots(CHART, "b")]

    assert heights == pytest.approx([(BOTTOM - TOP) * share for share in (0.1, 0.2, 0.3, 0.4)], abs=0.05)


def test_equal_powers_are_equally_far_apart_from_one_end_to_the_other() -> None:
    assert [x for x, _ in dots(CHART, "a")] == [LEFT, LEFT + (RIGHT - LEFT) / 3, RIGHT - (RIGHT - LEFT) / 3, RIGHT]


def test_without_powers_equal_steps_are_and_zero_has_a_place() -> None:
    line = Line("resident", ((0, 80), (1000, 120), (5000, 300)))

    chart = Chart("Memory", "streams", "MB", (line,), is_log=False)

    assert [x for x, _ in dots(chart, "a")] == pytest.approx([LEFT, LEFT + (RIGHT - LEFT) / 5, RIGHT], abs=0.05)


def test_the_line_goes_through_its_dots() -> None:
    line = next(line for line in drawn(CHART).iter(SVG + "polyline") if line.get("class") == "a")

    points = [tuple(map(float, pair.split(","))) for pair in line.get("points", "").split()]

    assert points == dots(CHART, "a")


@pytest.mark.parametrize(
    ("highest", "named"),
    [
        (1000, ["0", "200", "400", "600", "800", "1,000"]),
        (1001, ["0", "500", "1,000", "1,500"]),
        (34_000, ["0", "10,000", "20,000", "30,000", "40,000"]),
        (0.31, ["0", "0.1", "0.2", "0.3", "0.4"]),
        (2_345_678, ["0", "500,000", "1,000,000", "1,500,000", "2,000,000", "2,500,000"]),
        (0, ["0", "0.2", "0.4", "0.6", "0.8", "1"]),
    ],
)
def test_the_y_axis_goes_from_zero_in_round_steps_to_above_the_highest(highest: float, named: list[str]) -> None:
    chart = Chart("A", "b", "c", (Line("d", ((1, highest), (2, 0))),))

    assert named_y_values(chart) == named


def test_every_x_that_was_measured_is_named() -> None:
    assert {"1", "8", "64", "512"} <= set(texts(CHART, "quiet"))


def test_names_are_text_whatever_letters_they_have() -> None:
    assert {"Redirects", "connections", "redirects/s", "ours", "<theirs> & others"} <= set(texts(CHART))


def test_who_cannot_see_it_is_told_every_figure() -> None:
    root = drawn(CHART)

    labels = [next(part for part in root if part.get("id") == name) for name in root.get("aria-labelledby", "").split()]

    ours, theirs = "250 at 1, 500 at 8, 1,000 at 64, 0 at 512", "100 at 1, 200 at 8, 300 at 64, 400 at 512"
    about = f"redirects/s, by connections. ours: {ours}; <theirs> & others: {theirs}."
    assert [label.text for label in labels] == ["Redirects", about]


def test_the_same_figures_are_the_same_bytes() -> None:
    again = Chart("Redirects", "connections", "redirects/s", (OURS, THEIRS))

    assert again.svg() == CHART.svg()


def test_the_table_has_the_figures_of_the_chart_and_those_beside_it() -> None:
    chart = Chart(
        "Redirects",
        "connections",
        "per s",
        (
            Line(
                "ours",
                ((1, 1234.5), (8, 2)),
            ),
        ),
    )

    figure = Figure("redirects", chart, beside=(Line("theirs", ((1, 3.25), (8, 4))),), digits=1)

    assert figure.markdown() == [
        "**Redirects**",
        "",
        "| connections | ours, per s | theirs, per s |",
        "| ---: | ---: | ---: |",
        "| 1 | 1,234.5 | 3.2 |",
        "| 8 | 2.0 | 4.0 |",
    ]
