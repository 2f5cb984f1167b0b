"""Links as mail programs and copying leave them: what is around the link is left out, and no altered field passes."""

from pathlib import Path
from urllib.parse import parse_qsl, quote

import pytest
from hypothesis import given, settings, strategies as st

from gateway.errors import LinkDamaged, LinkInvalid
from gateway.links import Link, LinkSigner
from gateway.links.ledger import MemoryLedger
from gateway.links.verification import LinkVerifier
from tests.support.factories import SECRET, Gateway, make_link, store_gateway
from tests.support.servers import ScriptedServer

NOW = 1_763_999_100
FULL = make_link(
    url="https://origin.example/v/a+b/ca%74.png?size=1&x=y#top",
    expires=1_764_000_000,
    mode="stream",
    filename="Cat & Dog.png",
    id="Zz09_-",
)
PATH, _, QUERY = LinkSigner([SECRET]).href(FULL).partition("?")
ASCII_AROUND = [*".)>,\"'[]};:!?*`<(", ").", '">', "'),"]
UNICODE_AROUND = [
    "\u201d",
    "\u2019",
    "\u00bb.",
    "\u2026",
    "\u3002",
    "\uff09",
    "\u300b",
]  # quotation marks and CJK stops
AROUND = ASCII_AROUND + UNICODE_AROUND


def follow(query: str, task_id: str = FULL.task_id) -> Link:
    return LinkVerifier(LinkSigner([SECRET]), MemoryLedger(), lambda _url: None, lambda: NOW).verify(
        task_id, query.encode()
    )


@pytest.mark.parametrize("after", AROUND, ids=ascii)
def test_punctuation_after_the_whole_signature_is_not_part_of_it(after: str) -> None:
    assert follow(QUERY + after) == FULL
    assert follow(QUERY + quote(after)) == FULL
    assert follow(QUERY + quote(after) + "&utm_source=mail") == FULL


@pytest.mark.parametrize("after", [".A", "A.", "-", "_", "=", "%20", "+", "/", "." * 9, "\u0410."])
def test_anything_else_after_the_signature_is_refused(after: str) -> None:
    with pytest.raises(LinkInvalid):
        follow(QUERY + after)


def test_punctuation_in_place_of_the_signatures_end_is_refused() -> None:
    with pytest.raises(LinkInvalid):
        follow(QUERY[:-1] + ".")


@pytest.mark.parametrize("ampersand", ["&amp;", "&amp;amp;", "&amp%3B", "&&amp;"])
def test_an_ampersand_copied_as_html_is_understood(ampersand: str) -> None:
    assert follow(QUERY.replace("&", ampersand)) == FULL


def test_a_parameter_is_not_given_twice_by_two_spellings_of_its_name() -> None:
    with pytest.raises(LinkInvalid, match=r"^id: must not be given twice$"):
        follow(f"{QUERY}&amp;id=Zz09_-")


DAMAGED = {
    "quoted-printable": QUERY.replace("=", "=3D"),
    "quoted-printable-signature": QUERY.replace("sig=", "sig=3D"),
    "soft-line-break": QUERY[:-20] + "=" + QUERY[-20:],
    "line-break-in-the-signature": QUERY[:-20] + "%0D%0A" + QUERY[-20:],
    "blank-in-the-signature": QUERY[:-20] + "%20" + QUERY[-20:],
    "blank-in-the-url": QUERY.replace("origin", "ori%20gin"),
    "plus-in-the-expiry": QUERY.replace("expires=1764", "expires=17+64"),
    "encoded-twice": QUERY.replace("%", "%25"),
}


@pytest.mark.parametrize("query", DAMAGED.values(), ids=DAMAGED)
def test_what_is_damaged_beyond_that_is_refused_as_damaged(query: str) -> None:
    with pytest.raises(LinkDamaged):
        follow(query)


def test_a_line_broken_in_the_path_is_refused_as_damaged() -> None:
    with pytest.raises(LinkDamaged):
        follow(QUERY, FULL.task_id[:4] + "\n" + FULL.task_id[4:])


def test_a_forged_link_is_not_called_damaged() -> None:
    _, _, query = LinkSigner(["another-secret-that-is-32-bytes-long"]).href(make_link()).partition("?")

    with pytest.raises(LinkInvalid) as refused:
        follow(query)

    assert type(refused.value) is LinkInvalid


@settings(deadline=None, max_examples=500)
@given(
    at=st.integers(0, len(QUERY)),
    drop=st.integers(0, 3),
    put=st.text(st.sampled_from("".join({*AROUND, *"&;=ampsigur%203DA"})), max_size=5),
)
def test_whatever_a_link_suffers_it_is_refused_or_says_what_was_signed(at: int, drop: int, put: str) -> None:
    try:
        link = follow(QUERY[:at] + put + QUERY[at + drop :])
    except LinkInvalid:
        return
    assert link == FULL


@pytest.mark.parametrize("language", ["en", "ru", "zh"])
def test_the_page_on_a_damaged_link_says_how_to_copy_it_whole(gateway: Gateway, language: str) -> None:
    headers = {"Accept": "text/html", "Accept-Language": language}

    response = gateway.client.get(f"{PATH}?{DAMAGED['quoted-printable']}", headers=headers)

    assert response.status_code == 403
    assert "403 link_damaged" in response.text
    assert {"en": "Copy link", "ru": "Копировать ссылку", "zh": "复制链接"}[language] in response.text


def test_direct_urls_of_our_own_bear_the_same(tmp_path: Path, origin: ScriptedServer) -> None:
    gateway = store_gateway(tmp_path, origin.address)
    own = gateway.services.store
    assert own is not None
    path, _, query = own.files.mint("0" * 64, "cat.png").partition("?")

    statuses = [
        gateway.client.get(f"{path}?{text}").status_code
        for text in (query, query + ").", query.replace("&", "&amp;"), query + "A", query + "&sig=x")
    ]

    assert statuses == [410, 410, 410, 403, 403]  # authentic, of an object that is not there; and not authentic


def test_the_vectors_query_has_every_field() -> None:
    assert {name for name, _ in parse_qsl(QUERY)} == {"url", "expires", "mode", "filename", "id", "sig"}
