"""The profile of a redirect is of one that is answered."""

import pytest

from bench.profile import steps, unseen_logs

pytestmark = pytest.mark.slow


def test_every_step_of_the_profile_can_be_taken() -> None:
    names = []
    with unseen_logs():
        for name, step in steps():
            step()
            names.append(name)

    assert names[-1].startswith("all of it")
    assert len(names) == len(set(names))
