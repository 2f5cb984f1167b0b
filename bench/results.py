"""What was found, written down: a section for each benchmark, with its own day and versions."""

import os
from collections.abc import Sequence
from pathlib import Path

from bench.table import heading
from tests.support.procfile_gateway import ROOT

RESULTS = ROOT / "bench" / "results.md"
_TITLE = "# What `make bench` found\n"
_SECTION = "\n## "


def circumstances() -> list[str]:
    """The day, the machine, the versions, and what the machine has to do besides: to be asked before it is measured."""
    return [*heading().splitlines(), f"Load of the machine before: {os.getloadavg()[0]:.1f}"]


def note(name: str, said: Sequence[str], lines: Sequence[str], path: Path = RESULTS) -> None:
    """Write a section anew, and leave those of other benchmarks as they are.

    Args:
        name: its heading.
        said: under which circumstances it is true, point by point.
        lines: of Markdown.
        path: where it is written.
    """
    known = path.read_text(encoding="utf-8").split(_SECTION)[1:] if path.exists() else []
    sections = {section.partition("\n")[0]: section.partition("\n")[2] for section in known}
    sections[name] = "\n".join(["", *(f"- {point}" for point in said), "", *lines, ""])
    text = "".join(f"{_SECTION}{section}\n{body}" for section, body in sections.items())
    path.write_text(_TITLE + text, encoding="utf-8")
