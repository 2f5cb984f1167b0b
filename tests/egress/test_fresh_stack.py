"""A call on a fresh stack returns, raises and waits like any other call."""

import weakref

import gevent
import pytest
from greenlet import getcurrent

from gateway.egress.fresh_stack import run_on_fresh_stack


def test_the_result_and_the_exception_are_those_of_the_function() -> None:
    assert run_on_fresh_stack(int, "12") == 12
    with pytest.raises(ValueError, match="invalid literal"):
        run_on_fresh_stack(int, "twelve")


def test_the_function_may_wait_while_other_greenlets_run() -> None:
    ran: list[str] = []
    other = gevent.spawn(ran.append, "other")

    run_on_fresh_stack(gevent.sleep, 0)
    run_on_fresh_stack(other.join)

    assert ran == ["other"]


def test_the_stack_is_freed_after_the_call() -> None:
    stack = run_on_fresh_stack(lambda: weakref.ref(getcurrent()))

    assert stack() is None


def test_killing_the_caller_ends_the_function() -> None:
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
