"""A stack of its own for what goes deep."""

from collections.abc import Callable
from typing import Any, TypeVar

from greenlet import greenlet

Result = TypeVar("Result")


def run_on_fresh_stack(call: Callable[..., Result], *arguments: Any) -> Result:  # noqa: ANN401 (the call's own)
    """Call on a stack that goes when the call is over, and give what it returns or raises.

    A greenlet's stack keeps the memory of the deepest that it was. Opening an origin goes deep, and the greenlet that
    did so lives for as long as a slow visitor takes: 4 KB for each of thousands.
    """
    inner = greenlet(call)
    try:
        result: Result = inner.switch(*arguments)
        return result
    finally:
        if not inner.dead:  # this greenlet is being killed
            inner.throw()
