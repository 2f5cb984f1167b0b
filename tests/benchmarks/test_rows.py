"""What the speed benchmark makes of its figures."""

import pytest

from bench.speed.row import Row, compared, in_turns, judged, table

pytestmark = pytest.mark.slow


def test_the_ratio_is_the_median_of_the_rounds_so_that_a_busy_moment_does_not_count() -> None:
    figures = {"ours": [100.0, 10.0, 102.0], "nginx": [100.0, 100.0, 100.0]}

    row = compared("stream", figures, "nginx", "MB/s", 0.9)

    assert row == Row("stream", "100 MB/s", "nginx: 100 MB/s", "1.00", "≥ 0.9", "holds")


@pytest.mark.parametrize(("least", "said"), [(1.0, "holds"), (1.01, "MISSES"), (0, "")])
def test_a_ratio_holds_from_what_is_to_be_reached(least: float, said: str) -> None:
    assert compared("stream", {"ours": [2.0], "peer": [2.0]}, "peer", "/s", least).verdict == said


def test_contenders_take_turns_and_their_first_figure_is_dropped() -> None:
    order: list[str] = []

    def measure(name: str) -> float:
        order.append(name)
        return float(len(order))

    figures = in_turns({"ours": lambda: measure("ours"), "peer": lambda: measure("peer")}, 2)

    assert order == ["ours", "peer"] * 3
    assert figures == {"ours": [3.0, 5.0], "peer": [4.0, 6.0]}


def test_every_row_is_in_one_table_the_skipped_ones_too() -> None:
    rows = [judged("mint", "9 µs", "≤ 50 µs", holds=True), Row("stream", peer="nginx", verdict="skipped: no nginx")]

    assert table(rows) == (
        "| case   | ours | peer  | ratio | reach   | verdict           |\n"
        "|--------|------|-------|-------|---------|-------------------|\n"
        "| mint   | 9 µs |       |       | ≤ 50 µs | holds             |\n"
        "| stream |      | nginx |       |         | skipped: no nginx |"
    )


def test_columns_are_as_wide_as_their_widest_word() -> None:
    lines = table([Row("a"), Row("a longer case", "1", "2", "3", "4", "5")]).splitlines()

    assert lines[0].startswith("| case          | ours |")
    assert len({len(line) for line in lines}) == 1
