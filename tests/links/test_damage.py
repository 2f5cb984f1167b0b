"""Links as mail programs and copying leave them: what is around the link is left out, and no altered field passes."""

from pathlib import Path
from urllib.parse import parse_qsl, quote

import pytest
from hypothesis import given, settings, strategies as st

from gateway.errors import LinkDamaged, LinkInvalid
from gateway.links import Link, LinkSigner
from gateway.links.verification import LinkVerifier
from tests.support.factories import SECRET, Gateway, make_link, store_gateway
from tests.support.ledgers import MemoryLedger
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


def test_punctuation_after_the_whole_signature_is_ignored_and_nothing_else() -> None:
    for after in AROUND:
        for query in (QUERY + after, QUERY + quote(after), QUERY + quote(after) + "&utm_source=mail"):
            assert follow(query) == FULL, after
    for after in (".A", "A.", "-", "_", "=", "%20", "+", "/", "." * 9, "\u0410."):
        with pytest.raises(LinkInvalid):
            follow(QUERY + after)
    with pytest.raises(LinkInvalid):
        follow(QUERY[:-1] + ".")


def test_an_ampersand_copied_as_html_is_understood() -> None:
    for ampersand in ("&amp;", "&amp;amp;", "&amp%3B", "&&amp;"):
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


def test_any_other_damage_is_refused_as_damage() -> None:
    for query in DAMAGED.values():
        with pytest.raises(LinkDamaged):
            follow(query)
    with pytest.raises(LinkDamaged):
        follow(QUERY, FULL.task_id[:4] + "\n" + FULL.task_id[4:])


def test_a_forged_link_is_not_called_damaged() -> None:
    _, _, query = LinkSigner(["another-secret-that-is-32-bytes-long"]).href(make_link()).partition("?")

    with pytest.raises(LinkInvalid) as refused:
        follow(query)

    assert type(refused.value) is LinkInvalid


@settings(deadline=None, max_examples=200)
@given(
    at=st.integers(0, len(QUERY)),
    drop=st.integers(0, 3),
    put=st.text(st.sampled_from("".join({*AROUND, *"&;=ampsigur%203DA"})), max_size=5),
)
def test_a_link_with_any_damage_is_refused_or_has_the_signed_fields(at: int, drop: int, put: str) -> None:
    try:
        link = follow(QUERY[:at] + put + QUERY[at + drop :])
    except LinkInvalid:
        return
    assert link == FULL


def test_the_page_on_a_damaged_link_says_how_to_copy_it_whole(gateway: Gateway) -> None:
    for language, words in {"en": "Copy link", "ru": "Копировать ссылку", "zh": "复制链接"}.items():
        headers = {"Accept": "text/html", "Accept-Language": language}

        response = gateway.client.get(f"{PATH}?{DAMAGED['quoted-printable']}", headers=headers)

        assert response.status_code == 403
        assert "403 link_damaged" in response.text
        assert words in response.text


def test_signed_file_urls_ignore_the_same_punctuation(tmp_path: Path, origin: ScriptedServer) -> None:
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
