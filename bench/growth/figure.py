"""One thing that grows: a chart of it, and the table of the same figures."""

from dataclasses import dataclass

from bench.chart import Chart, Line


@dataclass(frozen=True, slots=True)
class Figure:
    """What was measured.

    Attributes:
        name: the chart's file, without its ending.
        chart: what is shown of it.
        beside: what only the table tells, for the same xs.
        digits: of the table's figures, after the point.
    """

    name: str
    chart: Chart
    beside: tuple[Line, ...] = ()
    digits: int = 0

    def markdown(self) -> list[str]:
        """The table, as lines of Markdown."""
        lines = (*self.chart.lines, *self.beside)
        named = [self.chart.x, *(f"{line.name}, {self.chart.y}" for line in lines)]
        rows = zip(*(line.points for line in lines), strict=True)
        return [
            f"**{self.chart.title}**",
            "",
            _row(named),
            _row(["---:"] * len(named)),
            *(_row([f"{row[0][0]:,.0f}", *(f"{y:,.{self.digits}f}" for _, y in row)]) for row in rows),
        ]


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"
