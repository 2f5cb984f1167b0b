"""Links are parsed strictly: the query string, and the rules for each field."""

from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given, settings, strategies as st

from gateway.errors import LinkInvalid
from gateway.links.link import LONGEST_FILENAME, LONGEST_URL, FieldFault
from gateway.links.query import LINK_PARAMETERS, parse_query
from gateway.links.signer import SALT, KeyRing, LinkSigner
from gateway.links.verification import LinkVerifier
from tests.support.factories import SECRET, make_link
from tests.support.ledgers import MemoryLedger

NOW = 1_763_999_100
URL = "https://origin.example/v/cat.png"
TEXT = st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1, max_size=60)
FIELDS = st.dictionaries(st.sampled_from(sorted(LINK_PARAMETERS)), TEXT)
PIECES = st.sampled_from([b"url", b"sig", b"=", b"&", b"%", b"%75", b"+", b";", b"2F", b"\xff", b"%ff"])

READ: tuple[tuple[bytes, dict[str, str]], ...] = (
    (b"", {}),
    (b"url=a", {"url": "a"}),
    (
        b"url=a&expires=1&sig=s&mode=m&filename=f&id=i",
        {"url": "a", "expires": "1", "sig": "s", "mode": "m", "filename": "f", "id": "i"},
    ),
    (b"url=a+b%20c%2Bd", {"url": "a b c+d"}),
    (b"url=%D0%BA%D0%BE%D1%82", {"url": "кот"}),
    ("url=кот".encode(), {"url": "кот"}),
    (b"url=a=b=c", {"url": "a=b=c"}),
    (b"url=a?b", {"url": "a?b"}),
    (b"url=%2525", {"url": "%25"}),
    (b"url=%26sig%3Dx", {"url": "&sig=x"}),
    (b"url=+", {"url": " "}),
    (b"u%72l=a", {"url": "a"}),
    (b"&&url=a&&", {"url": "a"}),
)
NOT_UTF8 = (
    b"%FF",
    b"\xff",
    b"%C3",
    b"a%C3a",
    b"%F0%9F%98",
    b"%C0%AF",
    b"%ED%A0%80",
    b"%F4%90%80%80",
    b"\xd0%BA\xff",
)
UNNAMED = (
    b"utm_source=mail",
    b"x=%FF",
    b"%FF=1",
    b"\xff\xfe",
    b"x=%zz",
    b"x=1&x=2",
    b"x=",
    b"=",
    b"URL=b",
    b"url%20=b",
    b"+url=b",
    b"url[]=b",
    b"sig%00=x",
)
ODD_EXPIRIES = (
    "01764000000",
    "0",
    "-1764000000",
    "+1764000000",
    "1764000000.0",
    "1e11",
    "176400000000",
    "1_764_000_000",
    " 1764000000",
    "1764000000 ",
    "1764000000\n",
    "\N{ARABIC-INDIC DIGIT THREE}" * 10,
    "\N{FULLWIDTH DIGIT THREE}" * 10,
    "0x7fffffff",
    "never",
    "inf",
)
UNUSUAL = ["_abc", "-Xk3_9", "task:12345", "a~b", "!$&'()*+,;=:@"]
ODD_TASK_IDS = (
    "",
    ".",
    "..",
    ".a",
    "a b",
    "a/b",
    "a\n",
    "a\x00",
    "a" * 129,
    "кот",
    "a\N{ARABIC-INDIC DIGIT THREE}",
    "a%20",
    "a?b",
    "a#b",
    "a\\b",
    'a"b',
)


def verify_authentic(task_id: str = "task12345", **changes: str) -> None:
    """Bring a link that is properly signed over these very values, so that only a rule about them can refuse it."""
    values = {"url": URL, "expires": "1764000000", "mode": "", "filename": "", "id": ""} | changes
    message = "\n".join(["v1", task_id, *values.values()])
    values["sig"] = KeyRing.derive([SECRET], SALT).sign(message.encode())
    query = "&".join(f"{name}={quote(value, safe='')}" for name, value in values.items() if value)
    links = LinkVerifier(LinkSigner([SECRET]), MemoryLedger(), lambda _url: None, lambda: NOW)
    links.verify(task_id, query.encode())


def test_a_query_is_read() -> None:
    for query, found in READ:
        assert parse_query(query) == found


def test_a_parameter_given_twice_is_refused() -> None:
    for query, field in {
        b"url=a&url=a": "url",
        b"url=a&url=b": "url",
        b"sig=a&url=b&sig=a": "sig",
        b"url=a&u%72l=b": "url",
        b"%75%72%6c=a&%75%72%6C=b": "url",
        b"expires=1&utm_source=x&expires=2": "expires",
        b"mode=stream&mode=stream": "mode",
        b"filename=a&filename=a": "filename",
        b"id=a&id=a": "id",
    }.items():
        with pytest.raises(FieldFault, match=rf"^{field}: must not be given twice$"):
            parse_query(query)


def test_an_empty_parameter_is_refused() -> None:
    for name in sorted(LINK_PARAMETERS):
        for query in ("{}=", "{}", "x=a&{}=&x=y", "{}=&{}=a"):
            with pytest.raises(FieldFault, match=rf"^{name}: "):
                parse_query(query.replace("{}", name).encode())


def test_a_malformed_escape_and_text_that_is_not_utf_8_are_refused() -> None:
    for value in NOT_UTF8:
        with pytest.raises(FieldFault, match=r"^filename: is not UTF-8$"):
            parse_query(b"url=a&filename=" + value)
    for value in (b"%", b"a%", b"%2", b"%zz", b"%2g", b"%%20", b"%u0041", b"%+1", b"% 1", b"1%&id=x"):
        with pytest.raises(FieldFault, match=r"^url: has a percent sign that begins no escape$"):
            parse_query(b"url=" + value)


def test_parameters_that_a_link_does_not_have_are_ignored() -> None:
    for unnamed in UNNAMED:
        assert parse_query(unnamed + b"&url=a&" + unnamed) == {"url": "a"}


def test_a_semicolon_separates_nothing() -> None:
    assert parse_query(b"url=a;sig=b;url=c&id=d") == {"url": "a;sig=b;url=c", "id": "d"}


@settings(deadline=None)
@given(FIELDS)
def test_what_was_encoded_is_read_back(fields: dict[str, str]) -> None:
    escaped = "&".join(f"{name}={quote(value, safe='')}" for name, value in fields.items())
    with_plus = "&".join(f"{name}={quote_plus(value)}" for name, value in fields.items())

    assert parse_query(escaped.encode()) == fields
    assert parse_query(with_plus.encode()) == fields


@settings(deadline=None)
@given(st.lists(PIECES | st.binary(max_size=4)).map(b"".join))
def test_no_bytes_raise_anything_but_a_fault_of_a_named_field(query: bytes) -> None:
    try:
        found = parse_query(query)
    except FieldFault as fault:
        found = {fault.field: "(refused)"}

    assert set(found) <= LINK_PARAMETERS
    assert all(found.values())


def test_the_values_that_the_next_tests_change_are_good() -> None:
    verify_authentic(mode="auto", filename="cat.png", id="a")


def test_a_malformed_value_is_refused_with_the_name_of_its_field() -> None:
    malformed = {
        "expires": ODD_EXPIRIES,
        "mode": ("Stream", "STREAM", "offload", "stream ", " stream", "stream\n", "0", "auto,stream"),
        "id": ("a b", "a.b", "a/b", "a" * 65, "a\n", "\u0438\u0434"),
        "task_id": ODD_TASK_IDS,
    }
    for field, values in malformed.items():
        for value in values:
            with pytest.raises(LinkInvalid, match=rf"^{field}: "):
                verify_authentic(**{field: value})


def test_a_well_formed_task_id_is_accepted() -> None:
    for task_id in ("a", "0", "a" * 128, "Task_2.final-v1", "a..b", *UNUSUAL):
        verify_authentic(task_id)


@pytest.mark.parametrize(
    ("field", "longest"), [("url", LONGEST_URL), ("filename", LONGEST_FILENAME)], ids=["url", "filename"]
)
def test_text_is_unicode_without_control_characters_and_not_longer_than_documented(field: str, longest: int) -> None:
    for control in ("\x00", "\t", "\n", "\r", "\x1f", "\x7f", "\x80", "\x85", "\x9f"):
        with pytest.raises(LinkInvalid, match=rf"^{field}: must not hold a control character$"):
            verify_authentic(**{field: f"{URL}{control}x"})

    with pytest.raises(FieldFault, match=rf"^{field}: must be Unicode text$"):
        make_link(**{field: URL + "\ud800"})

    value = URL.ljust(longest, "\u0436")
    verify_authentic(**{field: value})
    with pytest.raises(LinkInvalid, match=rf"^{field}: must not be longer than {longest} characters$"):
        verify_authentic(**{field: value + "\u0436"})


def test_the_longest_fields_are_as_documented() -> None:
    assert (LONGEST_URL, LONGEST_FILENAME) == (2048, 255)
