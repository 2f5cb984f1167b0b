"""How one measure grows: a table with a column per series."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Series:
    """One column: its name, and an x and a y for each row."""

    name: str
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Figure:
    """One table.

    Attributes:
        title: what the table shows.
        x: what the first column counts.
        y: the unit of the other columns.
        series: the other columns, all over the same xs.
        digits: decimals of the figures.
    """

    title: str
    x: str
    y: str
    series: tuple[Series, ...]
    digits: int = 0

    def markdown(self) -> list[str]:
        """The table, as lines of Markdown."""
        header = [self.x, *(f"{series.name}, {self.y}" for series in self.series)]
        rows = zip(*(series.points for series in self.series), strict=True)
        return [
            f"**{self.title}**",
            "",
            _row(header),
            _row(["---:"] * len(header)),
            *(_row([f"{row[0][0]:,.0f}", *(f"{y:,.{self.digits}f}" for _, y in row)]) for row in rows),
        ]


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"
