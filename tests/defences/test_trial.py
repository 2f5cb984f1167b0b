"""What is told of a defence that was taken out."""

from dataclasses import replace

import pytest

from tests.defences.table import Defence, read_table
from tests.defences.trial import Broken, verdict_without

pytestmark = pytest.mark.slow

NAMES = read_table()["names-without-a-dot"]


@pytest.mark.parametrize(
    ("defence", "verdict"),
    [
        pytest.param(NAMES, "fails without it", id="missed"),
        pytest.param(replace(NAMES, without=NAMES.defence), f"SURVIVES: {NAMES.tests[0]}", id="not-missed"),
    ],
)
def test_a_defence_is_missed_by_its_tests_or_said_to_survive(defence: Defence, verdict: str) -> None:
    assert verdict_without(defence) == verdict


@pytest.mark.parametrize(
    "change",
    [{"tests": ("tests/egress/test_guard.py::test_of_nothing",)}, {"without": "("}],
    ids=["no-such-test", "no-program"],
)
def test_what_cannot_be_run_is_not_taken_for_a_failure(change: dict[str, str]) -> None:
    with pytest.raises(Broken):
        verdict_without(replace(NAMES, **change))  # type: ignore[arg-type]  # texts, but for the tests
