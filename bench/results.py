"""What was found, written down: a section for each benchmark, with its own day and versions."""

from collections.abc import Sequence
from pathlib import Path

from bench.live import ROOT
from bench.table import heading

RESULTS = ROOT / "bench" / "results.md"
_TITLE = "# What `make bench` found\n"
_SECTION = "\n## "


def note(name: str, lines: Sequence[str], path: Path = RESULTS) -> None:
    """Write a section of Markdown anew, and leave those of other benchmarks as they are."""
    known = path.read_text(encoding="utf-8").split(_SECTION)[1:] if path.exists() else []
    sections = {section.partition("\n")[0]: section.partition("\n")[2] for section in known}
    sections[name] = "\n".join(["", heading(), "", *lines, ""])
    text = "".join(f"{_SECTION}{section}\n{body}" for section, body in sections.items())
    path.write_text(_TITLE + text, encoding="utf-8")
