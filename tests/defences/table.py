"""The table of defences: what stands in the code against each trouble, and the tests that fail without it."""

import tomllib
from dataclasses import dataclass
from pathlib import Path

from tests.support.live_gateway import ROOT

TABLE = Path(__file__).with_name("table.toml")


@dataclass(frozen=True, slots=True)
class Defence:
    """One row.

    Attributes:
        name: the case, in a few words.
        file: where the defence is, from the root of the project.
        defence: its text, which the file has once.
        without: what stands there when it is taken out.
        tests: the ids of the tests that must fail then, each of them; one without an id fails with any of its cases.
    """

    name: str
    file: str
    defence: str
    without: str
    tests: tuple[str, ...]

    def take_out(self, root: Path) -> None:
        """Take the defence out of a copy of the project."""
        path = root / self.file
        path.write_text(path.read_text(encoding="utf-8").replace(self.defence, self.without), encoding="utf-8")

    def occurrences(self) -> int:
        """How often its file has its text."""
        return (ROOT / self.file).read_text(encoding="utf-8").count(self.defence)


def read_table() -> dict[str, Defence]:
    """All defences, by name."""
    rows = tomllib.loads(TABLE.read_text(encoding="utf-8"))
    return {name: Defence(name, **row | {"tests": tuple(row["tests"])}) for name, row in rows.items()}
