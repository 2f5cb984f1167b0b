"""What is called beside has a stack of its own, and is a call like any other."""

import weakref

import gevent
import pytest
from greenlet import getcurrent

from gateway.egress.fresh_stack import run_on_fresh_stack


def test_what_is_called_beside_gives_what_it_gives_and_raises_what_it_raises() -> None:
    assert run_on_fresh_stack(int, "12") == 12
    with pytest.raises(ValueError, match="invalid literal"):
        run_on_fresh_stack(int, "twelve")


def test_what_is_called_beside_may_wait_while_others_run() -> None:
    ran: list[str] = []
    other = gevent.spawn(ran.append, "other")

    run_on_fresh_stack(gevent.sleep, 0)
    run_on_fresh_stack(other.join)

    assert ran == ["other"]


def test_its_stack_goes_when_it_is_over() -> None:
    stack = run_on_fresh_stack(lambda: weakref.ref(getcurrent()))

    assert stack() is None


def test_who_is_killed_meanwhile_leaves_nobody_behind() -> None:
    ended: list[str] = []

    def wait() -> None:
        try:
            gevent.sleep(60)
        finally:
            ended.append("ended")

    waiting = gevent.spawn(run_on_fresh_stack, wait)
    gevent.sleep(0)
    waiting.kill()

    assert ended == ["ended"]
