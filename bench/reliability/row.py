"""One line of the table: what was tried, what is to be reached, what came out."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """A promise and how it went.

    Attributes:
        what: what was tried.
        reach: what is to be reached.
        got: what came out, in the same words and units.
        holds: whether it was reached.
    """

    what: str
    reach: str
    got: str
    holds: bool


def print_rows(rows: list[Row]) -> None:
    """Print the rows, each with its verdict first."""
    for row in rows:
        print(f"{'holds' if row.holds else 'FAILS':7}{row.what}\n{'':7}reach: {row.reach}\n{'':7}got:   {row.got}")
