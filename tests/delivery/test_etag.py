"""Our entity tags: one for one file everywhere and always, another for every other file."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis.strategies import text

from gateway.delivery.etag import SALT, EntityTags
from gateway.files.file_info import FileInfo
from gateway.links.signer import KeyRing
from tests.support.factories import make_link

OLD = "the-old-secret-for-tests-of-32-bytes-"
NEW = "the-new-secret-for-tests-of-32-bytes-"
LINK = make_link()
FACTS = FileInfo(1000, b"\x89PNG\r\n\x1a\n", '"v1"', ranges=True, attachment=False)


def tags(*secrets: str) -> EntityTags:
    """A gateway's tags under these secrets, the newest last."""
    return EntityTags(KeyRing.derive(secrets or (OLD,), SALT))


TAG = tags().of(LINK, FACTS)


def test_a_tag_is_a_strong_entity_tag() -> None:
    assert len(TAG) == 32
    assert TAG[0] == TAG[-1] == '"'
    assert TAG[1:-1].replace("-", "").replace("_", "").isalnum()


def test_every_gateway_with_the_key_gives_the_same_tag() -> None:
    assert tags().of(LINK, FACTS) == TAG


def test_another_secret_gives_another_tag() -> None:
    assert tags(NEW).of(LINK, FACTS) != TAG


@pytest.mark.parametrize(
    "info",
    [
        pytest.param(replace(FACTS, attachment=True), id="said-to-be-an-attachment"),
        pytest.param(replace(FACTS, head=b""), id="without-its-first-bytes"),
    ],
)
def test_the_same_file_at_a_fresh_direct_url_keeps_its_tag(info: FileInfo) -> None:
    assert tags().of(LINK, info) == TAG


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"expires": 1}, id="another-expiry"),
        pytest.param({"mode": "stream"}, id="another-mode"),
        pytest.param({"filename": "other.png"}, id="another-name"),
        pytest.param({"id": "another"}, id="another-id"),
    ],
)
def test_another_link_to_the_same_file_keeps_its_tag(change: dict[str, object]) -> None:
    assert tags().of(make_link(**change), FACTS) == TAG


@pytest.mark.parametrize(
    ("link", "info"),
    [
        pytest.param(make_link(url="https://origin.example/v/dog.png"), FACTS, id="url"),
        pytest.param(make_link(task_id="task2"), FACTS, id="task"),
        pytest.param(LINK, replace(FACTS, length=1001), id="length"),
        pytest.param(LINK, replace(FACTS, validator='"v2"'), id="validator"),
        pytest.param(LINK, replace(FACTS, validator='W/"v1"'), id="a-weak-validator-instead-of-a-strong-one"),
    ],
)
def test_another_file_has_another_tag(link: object, info: FileInfo) -> None:
    assert tags().of(link, info) != TAG  # type: ignore[arg-type]  # a Link
    assert not tags().matches(TAG, link, info)  # type: ignore[arg-type]


@given(left=text(), right=text())
def test_no_two_validators_share_a_tag(left: str, right: str) -> None:
    one, other = (tags().of(LINK, replace(FACTS, validator=f'"{part!r}"')) for part in (left, right))

    assert (one == other) == (left == right)


def test_a_tag_from_before_a_rotation_still_matches() -> None:
    rotated = tags(OLD, NEW)

    assert rotated.matches(TAG, LINK, FACTS)
    assert rotated.any_matches(TAG, LINK, FACTS)


def test_after_a_rotation_new_tags_are_of_the_new_secret() -> None:
    rotated = tags(OLD, NEW)

    assert rotated.of(LINK, FACTS) == tags(NEW).of(LINK, FACTS)


def test_a_tag_of_a_retired_secret_does_not_match() -> None:
    assert not tags(NEW).matches(TAG, LINK, FACTS)


@pytest.mark.parametrize(
    "info",
    [
        pytest.param(replace(FACTS, validator=""), id="no-validator"),
        pytest.param(replace(FACTS, ranges=False), id="no-ranges"),
        pytest.param(replace(FACTS, validator='W/"v1"'), id="weak-tag"),
        pytest.param(replace(FACTS, validator="Mon, 23 Nov 2026 10:00:00 GMT"), id="last-modified"),
    ],
)
def test_a_file_that_cannot_be_resumed_has_no_tag_and_matches_none(info: FileInfo) -> None:
    assert tags().of(LINK, info) == ""
    assert not tags().matches(TAG, LINK, info)
    assert not tags().matches("", LINK, info)
    assert not tags().any_matches(TAG, LINK, info)
    assert not tags().any_matches("", LINK, info)


@pytest.mark.parametrize(
    "tag",
    [
        pytest.param(f"W/{TAG}", id="weak"),
        pytest.param(TAG[1:-1], id="without-quotes"),
        pytest.param(TAG.lower(), id="in-lower-case"),
        pytest.param(f"{TAG} ", id="with-a-blank"),
        pytest.param(f"{TAG}, {TAG}", id="a-list"),
        pytest.param("", id="empty"),
        pytest.param('"v1"', id="the-origin's-own"),
        pytest.param("*", id="any"),
        pytest.param("Mon, 23 Nov 2026 10:00:00 GMT", id="a-date"),
        pytest.param("ä", id="not-ascii"),
    ],
)
def test_if_range_takes_nothing_but_the_very_tag(tag: str) -> None:
    assert not tags().matches(tag, LINK, FACTS)


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(TAG, id="alone"),
        pytest.param(f"W/{TAG}", id="weak"),
        pytest.param(f'"a", W/"b" ,{TAG}', id="last-of-a-list"),
        pytest.param(f'{TAG},"a"', id="first-of-a-list"),
        pytest.param(f'"a",   W/{TAG}  , "b"', id="weak-amid-a-list"),
        pytest.param("*", id="any"),
    ],
)
def test_if_none_match_takes_a_list_and_weak_tags(value: str) -> None:
    assert tags().any_matches(value, LINK, FACTS)


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("", id="empty"),
        pytest.param('"a", "b"', id="strangers"),
        pytest.param('W/"v1", "v1"', id="the-origin's-own"),
        pytest.param(f"x{TAG}", id="a-prefix"),
        pytest.param(",,,", id="commas"),
    ],
)
def test_if_none_match_of_others_does_not_match(value: str) -> None:
    assert not tags().any_matches(value, LINK, FACTS)
