"""What is signed cannot be changed, and what was signed stays good."""

import hashlib
import json
import string
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qsl, quote, quote_plus, unquote, urlsplit

import pytest
from itsdangerous import Signer

from gateway.errors import LinkInvalid
from gateway.links import FieldFault, Link, LinkSigner
from gateway.links.signer import PAGE_LINK_LIFETIME_S, SALT, KeyRing
from gateway.links.verification import LinkVerifier
from tests.support.factories import SECRET, make_link
from tests.support.ledgers import MemoryLedger

Case = dict[str, str]

VECTORS = json.loads((Path(__file__).parents[2] / "docs" / "link-vectors.json").read_text(encoding="utf-8"))
CASES: list[Case] = VECTORS["cases"]
REFUSED: list[Case] = VECTORS["refused"]
BASE64URL = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"
NOW = 1_763_999_100
OLD, NEW = "the-older-of-two-secrets-with-32-bytes-or-more", "the-newer-of-two-secrets-with-32-bytes-or-more"
FULL = make_link(
    url="https://origin.example/v/a+b/ca%74.png?size=1&x=y#top",
    expires=1_764_000_000,
    mode="stream",
    filename="Cat & Dog.png",
    id="Zz09_-",
)


def signer(*secrets: str) -> LinkSigner:
    return LinkSigner(secrets or [SECRET], clock=lambda: NOW)


def links(*secrets: str) -> LinkVerifier:
    """Admits every origin, so that nothing but the signature refuses."""
    return LinkVerifier(signer(*secrets), MemoryLedger(), lambda _url: None, lambda: NOW)


def parts_of(href: str) -> Case:
    """The decoded values of a link, the task among them."""
    parts = urlsplit(href)
    return {"task": parts.path.split("/")[2], **dict(parse_qsl(parts.query, strict_parsing=True))}


def verify(parts: Case, *secrets: str) -> Link:
    query = "&".join(f"{name}={quote(value, safe='')}" for name, value in parts.items() if name != "task")
    return links(*secrets).verify(parts["task"], query.encode())


def follow(href: str, *secrets: str) -> Link:
    return verify(parts_of(href), *secrets)


def is_refused(parts: Case) -> bool:
    """Tell whether the link is refused as forged or malformed; any other refusal fails the test."""
    try:
        verify(parts)
    except LinkInvalid:
        return True
    return False


def alterations(value: str) -> Iterator[str]:
    """Every value that differs in one character: another one in its place, one left out, one put in."""
    for at, old in enumerate(value):
        before, after = value[:at], value[at + 1 :]
        yield before + after
        yield from (before + new + after for new in "aZ09-_=.%/ é\n" if new != old)
        yield from (before + new + old + after for new in "a0=")
    yield from (value + new for new in BASE64URL + "=.%/ é\n")


def test_a_minted_link_verifies_and_says_what_was_minted() -> None:
    href = signer().mint(
        "task12345", "https://origin.example/v/cat.png", mode="redirect", filename="cat.png", link_id="a-1"
    )

    link = follow(href)

    expires = NOW + PAGE_LINK_LIFETIME_S
    assert link == Link("task12345", "https://origin.example/v/cat.png", expires, "redirect", "cat.png", "a-1")


def test_a_minted_link_leaves_out_what_was_not_asked_for() -> None:
    href = signer().mint("task12345", "https://origin.example/v/cat.png")

    assert set(parts_of(href)) == {"task", "url", "expires", "sig"}


def test_a_minted_link_lives_as_long_as_it_was_told() -> None:
    href = signer().mint("task12345", "https://origin.example/v/cat.png", lifetime_s=61)

    assert parts_of(href)["expires"] == str(NOW + 61)


@pytest.mark.parametrize("base", ["https://files.example/get", "https://files.example/get/"])
def test_a_minted_link_begins_with_the_public_url(base: str) -> None:
    path = signer().href(FULL)

    assert LinkSigner([SECRET], base).href(FULL) == "https://files.example/get" + path


def test_a_link_holds_only_characters_that_need_no_escaping_in_html() -> None:
    href = signer().href(make_link(filename="\"'<>` кот.png", url="https://origin.example/'\"<>"))

    assert set(href) <= set(string.ascii_letters + string.digits + "/?=&%_.~-")


@pytest.mark.parametrize("field", ["task", "url", "expires", "mode", "filename", "id", "sig"])
def test_a_link_altered_in_any_one_character_is_refused(field: str) -> None:
    whole = parts_of(signer().href(FULL))
    assert not is_refused(whole)

    accepted = [value for value in alterations(whole[field]) if not is_refused({**whole, field: value})]

    assert accepted == ([whole["sig"] + "."] if field == "sig" else [])  # a full stop of the text around the link


def test_a_link_with_a_field_removed_or_added_is_refused() -> None:
    whole = parts_of(signer().href(FULL))
    for field in ("mode", "filename", "id", "expires", "url", "sig"):
        assert is_refused({name: value for name, value in whole.items() if name != field}), field

    short = parts_of(signer().href(make_link()))
    for field, value in {"mode": "stream", "filename": "cat.exe", "id": "other"}.items():
        assert is_refused({**short, field: value}), field


def test_a_value_cannot_move_from_one_field_into_another() -> None:
    whole = parts_of(signer().href(make_link(filename="auto")))
    whole["mode"] = whole.pop("filename")

    assert is_refused(whole)


def test_the_three_other_spellings_of_the_last_character_are_refused() -> None:
    whole = parts_of(signer().href(FULL))
    library = Signer(SECRET, salt=SALT, key_derivation="hmac", digest_method=hashlib.sha256)
    rest, last = whole["sig"][:-1], BASE64URL.index(whole["sig"][-1])
    others = [rest + BASE64URL[last + step] for step in (1, 2, 3)]

    assert all(library.verify_signature(FULL.message, other) for other in others), "they decode to the same bytes"
    assert [other for other in others if not is_refused({**whole, "sig": other})] == []


def test_a_signature_with_anything_appended_or_that_is_not_ascii_is_refused() -> None:
    whole = parts_of(signer().href(FULL))
    appended = ["=", "==", " ", "\n", "\r\n", "A", "\N{FULLWIDTH DIGIT ONE}", ".A", "-", "_", "." * 9]
    foreign = ["\N{CYRILLIC CAPITAL LETTER A}" * 43, "\N{FULLWIDTH LATIN SMALL LETTER A}" * 43, "é" * 43]

    for sig in [whole["sig"] + text for text in appended] + foreign:
        assert is_refused({**whole, "sig": sig}), sig


def test_keys_are_rotated_by_adding_the_new_one_and_later_removing_the_old_one() -> None:
    before = signer(OLD).href(FULL)

    assert follow(before, NEW, OLD) == follow(before, OLD, NEW) == FULL
    assert signer(OLD, NEW).href(FULL) == signer(NEW).href(FULL) != before
    with pytest.raises(LinkInvalid):
        follow(before, NEW)


def test_a_signer_without_keys_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="at least one secret key"):
        LinkSigner([])


def test_a_signature_made_for_another_purpose_is_refused() -> None:
    whole = parts_of(signer().href(FULL))
    for purpose in ("zip", "short", "file", "callback", "etag", "via"):
        foreign = KeyRing.derive([SECRET], f"gateway.{purpose}.v1".encode()).sign(FULL.message)
        assert is_refused({**whole, "sig": foreign}), purpose


def test_a_signature_by_the_secret_itself_is_refused() -> None:
    underived = Signer(SECRET, key_derivation="none", digest_method=hashlib.sha256).get_signature(FULL.message)
    whole = parts_of(signer().href(FULL))

    assert is_refused({**whole, "sig": underived.decode()})


def test_the_published_vectors_are_minted_and_verify() -> None:
    for case in CASES:
        path = LinkSigner([case["secret"]], clock=lambda: 0).mint(
            case["task_id"],
            case["url"],
            lifetime_s=int(case["expires"]),
            mode=case["mode"] or None,  # type: ignore[arg-type]
            filename=case["filename"] or None,
            link_id=case["id"] or None,
        )
        name = case["path_name"] and "/" + quote(case["path_name"], safe="")
        assert path == case["path"].replace("?", f"{name}?", 1), case["name"]

        path, _, query = case["path"].partition("?")
        gate = LinkVerifier(LinkSigner([case["secret"]]), MemoryLedger(), lambda _url: None, lambda: 0)
        link = gate.verify(unquote(path.removeprefix("/download/")), query.encode())
        assert link.message.decode() == case["message"], case["name"]


def test_the_published_refusals_are_not_minted() -> None:
    for case in REFUSED:
        fields = (case["mode"] or None, case["filename"] or None, case["id"] or None)
        with pytest.raises(FieldFault):
            Link(case["task_id"], case["url"], case["expires"], *fields)  # type: ignore[arg-type]


def plainly_encoded(parts: Case) -> str:
    """The value's own slashes and colons left as they are, as many libraries write them."""
    return "&".join(f"{name}={quote(value, safe='/:')}" for name, value in parts.items())


def plus_encoded(parts: Case) -> str:
    return "&".join(f"{name}={quote_plus(value)}" for name, value in parts.items())


def lower_case_escapes(parts: Case) -> str:
    return "&".join(f"{name}={quote(value, safe='').replace('%2F', '%2f')}" for name, value in parts.items())


def everything_escaped(parts: Case) -> str:
    return "&".join(f"{escaped(name)}={escaped(value)}" for name, value in parts.items())


def escaped(text: str) -> str:
    return "".join(f"%{byte:02X}" for byte in text.encode())


def reversed_order(parts: Case) -> str:
    return plus_encoded(dict(reversed(parts.items())))


def tracked(parts: Case) -> str:
    """What mailers, social networks and messengers add."""
    added = "utm_source=mail&utm_medium=e-mail&fbclid=IwAR%FF&openExternalBrowser=1&utm_source=again&empty=&flag"
    return "utm_id=1&" + plus_encoded(parts) + "&" + added


def stray_separators(parts: Case) -> str:
    return "&" + plus_encoded(parts).replace("&", "&&") + "&"


def test_a_query_that_was_encoded_in_another_way_still_verifies() -> None:
    parts = parts_of(signer().href(FULL))
    task = parts.pop("task")
    for rewrite in (
        *(plainly_encoded, plus_encoded, lower_case_escapes, everything_escaped),
        *(reversed_order, tracked, stray_separators),
    ):
        assert links().verify(task, rewrite(parts).encode()) == FULL, rewrite.__name__
