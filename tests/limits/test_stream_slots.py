"""How many streams run at once: in all, for one file, and for one visitor."""

from collections.abc import Callable

import pytest

from gateway.errors import GatewayBusy, GatewayError, TooManyStreams
from gateway.limits.stream_slots import MAX_STREAMS_OF_ONE_FILE, SlotLimiter
from gateway.links.link import Link
from tests.support.factories import make_link


def link_to(name: str, **changes: object) -> Link:
    return make_link(url=f"https://origin.example/v/{name}.png", **changes)


def acquire(slots: SlotLimiter, visitor: str, names: str) -> list[Callable[[], None]]:
    return [slots.acquire(visitor, link_to(name)) for name in names]


def error_of(call: Callable[[], object]) -> type[GatewayError] | None:
    try:
        call()
    except (GatewayBusy, TooManyStreams) as error:
        return type(error)
    return None


@pytest.mark.parametrize(
    ("capacity", "per_visitor", "used", "visitor", "name", "expected"),
    [
        pytest.param(4, 0, "abc", "another", "d", None, id="free"),
        pytest.param(4, 0, "abcd", "another", "e", GatewayBusy, id="all-in-use"),
        pytest.param(10, 0, "aaaaa", "another", "a", GatewayBusy, id="half-used-by-one-file"),
        pytest.param(10, 0, "aaaaa", "another", "b", None, id="half-left-for-other-files"),
        pytest.param(1, 0, "", "one", "a", None, id="half-of-one-is-one"),
        pytest.param(100, 3, "abc", "one", "d", TooManyStreams, id="visitor-at-the-limit"),
        pytest.param(100, 3, "abc", "another", "d", None, id="another-visitor"),
        pytest.param(100, 0, "abc", "one", "d", None, id="no-limit-per-visitor"),
        pytest.param(1000, 128, "a" * 31, "one", "a", None, id="32nd-part-of-a-file"),
        pytest.param(1000, 128, "a" * 32, "one", "a", TooManyStreams, id="33rd-part-of-a-file"),
        pytest.param(1000, 128, "a" * 32, "one", "b", None, id="another-file-beside-32-parts"),
        pytest.param(1000, 128, "a" * 32, "another", "a", None, id="another-visitor-beside-32-parts"),
        pytest.param(3, 3, "abc", "one", "d", TooManyStreams, id="the-visitor-s-limit-comes-first"),
    ],
)
def test_check_and_acquire_agree(
    capacity: int, per_visitor: int, used: str, visitor: str, name: str, expected: type[GatewayError] | None
) -> None:
    slots = SlotLimiter(capacity, per_visitor)
    acquire(slots, "one", used)

    assert error_of(lambda: slots.check(visitor, link_to(name))) is expected
    assert error_of(lambda: slots.acquire(visitor, link_to(name))) is expected


def test_a_check_acquires_nothing() -> None:
    slots = SlotLimiter(1)

    for _ in range(3):
        slots.check("one", link_to("a"))

    assert slots.counted() == 0


def test_links_with_the_same_task_and_url_name_one_file() -> None:
    slots = SlotLimiter(1000, per_visitor=128)

    for number in range(MAX_STREAMS_OF_ONE_FILE):
        slots.acquire("one", link_to("a", id=f"link{number}", expires=2**33 + number))

    assert error_of(lambda: slots.check("one", link_to("a", id="another"))) is TooManyStreams


def test_released_slots_leave_no_counter() -> None:
    slots = SlotLimiter(4, per_visitor=2)

    for _ in range(10):
        for release in acquire(slots, "one", "ab"):
            release()

    assert slots.counted() == 0
