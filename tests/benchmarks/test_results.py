from pathlib import Path

import pytest

from bench.results import circumstances, note

pytestmark = pytest.mark.slow


def test_a_section_has_its_circumstances_and_its_lines(tmp_path: Path) -> None:
    results = tmp_path / "results.md"

    note("Growth", ["2026-01-01, Linux", "Flask 3"], ["| small |", "", "| large |"], results)

    assert results.read_text(encoding="utf-8") == (
        "# What `make bench` found\n\n## Growth\n\n- 2026-01-01, Linux\n- Flask 3\n\n| small |\n\n| large |\n"
    )


def test_a_benchmark_writes_its_own_section_anew_and_leaves_the_others(tmp_path: Path) -> None:
    results, once = tmp_path / "results.md", tmp_path / "once.md"
    for name in ("Speed", "Growth"):
        note(name, ["yesterday"], [f"| {name} |"], results)

    note("Speed", ["today"], ["| faster |"], results)

    note("Speed", ["today"], ["| faster |"], once)
    note("Growth", ["yesterday"], ["| Growth |"], once)
    assert results.read_text(encoding="utf-8") == once.read_text(encoding="utf-8")


def test_circumstances_are_the_machine_the_versions_and_its_load() -> None:
    machine, libraries, load = circumstances()

    assert "Python" in machine
    assert "gunicorn" in libraries
    assert load.startswith("Load of the machine before: ")
