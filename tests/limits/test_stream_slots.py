"""How many streams run at once: in all, for one file, and for one visitor."""

from collections.abc import Callable

import pytest

from gateway.errors import GatewayBusy, GatewayError, TooManyStreams
from gateway.limits.stream_slots import PARTS, SlotLimiter
from gateway.links.link import Link
from tests.support.factories import make_link


def link_to(name: str, **changes: object) -> Link:
    return make_link(url=f"https://origin.example/v/{name}.png", **changes)


def taken(slots: SlotLimiter, visitor: str, links: list[Link]) -> list[Callable[[], None]]:
    return [slots.acquire(visitor, link) for link in links]


def refusal(slots: SlotLimiter, visitor: str, link: Link) -> type[GatewayError] | None:
    """Why there is no place; None when there is one, which is given back."""
    try:
        slots.acquire(visitor, link)()
    except (GatewayBusy, TooManyStreams) as refused:
        return type(refused)
    return None


def test_one_file_takes_at_most_half_of_the_places_whoever_asks() -> None:
    slots = SlotLimiter(10)

    taken(slots, "many", [link_to("cat")] * 5)

    assert refusal(slots, "another", link_to("cat")) is GatewayBusy
    assert refusal(slots, "another", link_to("dog")) is None


def test_all_places_together_have_an_end() -> None:
    slots = SlotLimiter(4)

    taken(slots, "many", [link_to(name) for name in "abcd"])

    assert refusal(slots, "another", link_to("e")) is GatewayBusy


@pytest.mark.parametrize(("per_visitor", "refused"), [(3, TooManyStreams), (0, None)], ids=["limited", "unlimited"])
def test_a_visitor_takes_as_many_places_as_the_setting_says(
    per_visitor: int, refused: type[GatewayError] | None
) -> None:
    slots = SlotLimiter(100, per_visitor)

    taken(slots, "one", [link_to(name) for name in "abc"])

    assert refusal(slots, "one", link_to("d")) is refused
    assert refusal(slots, "another", link_to("d")) is None


def test_a_download_manager_has_twice_its_sixteen_parts_and_other_files_beside_them() -> None:
    slots = SlotLimiter(1000, per_visitor=128)

    taken(slots, "one", [link_to("cat")] * 32)

    assert PARTS == 32
    assert refusal(slots, "one", link_to("cat")) is TooManyStreams
    assert refusal(slots, "one", link_to("dog")) is None
    assert refusal(slots, "another", link_to("cat")) is None


def test_a_file_is_one_by_whatever_link() -> None:
    slots = SlotLimiter(1000, per_visitor=128)

    taken(slots, "one", [link_to("cat", id=f"link{number}", expires=2**33 + number) for number in range(PARTS)])

    assert refusal(slots, "one", link_to("cat", id="another")) is TooManyStreams


def test_places_that_were_given_back_leave_nothing_behind() -> None:
    slots = SlotLimiter(4, per_visitor=2)

    for _ in range(10):
        for release in taken(slots, "one", [link_to("cat"), link_to("dog")]):
            release()

    assert slots.counted() == 0
