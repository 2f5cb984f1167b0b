from pathlib import Path

from bench.results import note


def test_a_benchmark_writes_its_own_section_and_leaves_the_others(tmp_path: Path) -> None:
    results = tmp_path / "results.md"

    note("Speed", ["| fast |"], results)
    note("Growth", ["| small |", "", "| large |"], results)
    grown = results.read_text(encoding="utf-8").partition("## Growth")[2]
    note("Speed", ["| faster |"], results)

    text = results.read_text(encoding="utf-8")
    assert [line for line in text.splitlines() if line.startswith("#")] == [
        "# What `make bench` found",
        "## Speed",
        "## Growth",
    ]
    assert "| faster |" in text
    assert "| fast |" not in text
    assert text.partition("## Growth")[2] == grown
    assert grown.endswith("\n| small |\n\n| large |\n")


def test_a_section_says_which_day_and_versions_it_is_of(tmp_path: Path) -> None:
    results = tmp_path / "results.md"

    note("Speed", ["| fast |"], results)

    section = results.read_text(encoding="utf-8").partition("## Speed\n")[2]
    assert "gunicorn" in section.partition("| fast |")[0]
