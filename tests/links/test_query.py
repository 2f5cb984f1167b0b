"""The strict reading of a link: its query string, and the rules that its fields obey."""

from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given, settings, strategies as st

from gateway.errors import LinkInvalid
from gateway.links.ledger import MemoryLedger
from gateway.links.link import LONGEST_FILENAME, LONGEST_URL, FieldFault
from gateway.links.query import LINK_PARAMETERS, parse_query
from gateway.links.signer import SALT, KeyRing, LinkSigner
from gateway.links.verification import LinkVerifier
from tests.support.factories import SECRET, make_link

NOW = 1_763_999_100
URL = "https://origin.example/v/cat.png"
TEXT = st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1, max_size=60)
FIELDS = st.dictionaries(st.sampled_from(sorted(LINK_PARAMETERS)), TEXT)
PIECES = st.sampled_from([b"url", b"sig", b"=", b"&", b"%", b"%75", b"+", b";", b"2F", b"\xff", b"%ff"])

READ: dict[str, tuple[bytes, dict[str, str]]] = {
    "nothing": (b"", {}),
    "one": (b"url=a", {"url": "a"}),
    "all": (
        b"url=a&expires=1&sig=s&mode=m&filename=f&id=i",
        {"url": "a", "expires": "1", "sig": "s", "mode": "m", "filename": "f", "id": "i"},
    ),
    "blanks": (b"url=a+b%20c%2Bd", {"url": "a b c+d"}),
    "escaped-utf8": (b"url=%D0%BA%D0%BE%D1%82", {"url": "кот"}),
    "raw-utf8": ("url=кот".encode(), {"url": "кот"}),
    "equals-signs": (b"url=a=b=c", {"url": "a=b=c"}),
    "question-mark": (b"url=a?b", {"url": "a?b"}),
    "unescaped-only-once": (b"url=%2525", {"url": "%25"}),
    "escaped-ampersand": (b"url=%26sig%3Dx", {"url": "&sig=x"}),
    "a-blank-is-not-nothing": (b"url=+", {"url": " "}),
    "escaped-name": (b"u%72l=a", {"url": "a"}),
    "stray-ampersands": (b"&&url=a&&", {"url": "a"}),
}
NOT_UTF8 = {
    "no-lead-byte": b"%FF",
    "raw": b"\xff",
    "cut-off": b"%C3",
    "cut-off-inside": b"a%C3a",
    "cut-off-emoji": b"%F0%9F%98",
    "overlong": b"%C0%AF",
    "surrogate": b"%ED%A0%80",
    "beyond-unicode": b"%F4%90%80%80",
    "raw-and-escaped": b"\xd0%BA\xff",
}
UNNAMED = {
    "tracking": b"utm_source=mail",
    "not-utf8": b"x=%FF",
    "name-not-utf8": b"%FF=1",
    "raw-bytes": b"\xff\xfe",
    "bad-escape": b"x=%zz",
    "twice": b"x=1&x=2",
    "empty": b"x=",
    "no-name": b"=",
    "capitals": b"URL=b",
    "blank-behind": b"url%20=b",
    "blank-before": b"+url=b",
    "brackets": b"url[]=b",
    "nul": b"sig%00=x",
}
ODD_EXPIRIES = {
    "leading-zero": "01764000000",
    "zero": "0",
    "negative": "-1764000000",
    "plus": "+1764000000",
    "float": "1764000000.0",
    "exponent": "1e11",
    "12-digits": "176400000000",
    "underscores": "1_764_000_000",
    "blank-before": " 1764000000",
    "blank-behind": "1764000000 ",
    "line-feed": "1764000000\n",
    "arabic-digits": "\N{ARABIC-INDIC DIGIT THREE}" * 10,
    "fullwidth-digits": "\N{FULLWIDTH DIGIT THREE}" * 10,
    "hexadecimal": "0x7fffffff",
    "word": "never",
    "infinity": "inf",
}
UNUSUAL = ["_abc", "-Xk3_9", "task:12345", "a~b", "!$&'()*+,;=:@"]
ODD_TASK_IDS = {
    "empty": "",
    "dot": ".",
    "dots": "..",
    "dot-first": ".a",
    "blank": "a b",
    "slash": "a/b",
    "line-feed": "a\n",
    "nul": "a\x00",
    "129-characters": "a" * 129,
    "cyrillic": "кот",
    "arabic-digit": "a\N{ARABIC-INDIC DIGIT THREE}",
    "percent": "a%20",
    "question-mark": "a?b",
    "hash": "a#b",
    "backslash": "a\\b",
    "quote": 'a"b',
}


def verify_authentic(task_id: str = "task12345", **changes: str) -> None:
    """Bring a link that is properly signed over these very values, so that only a rule about them can refuse it."""
    values = {"url": URL, "expires": "1764000000", "mode": "", "filename": "", "id": ""} | changes
    message = "\n".join(["v1", task_id, *values.values()])
    values["sig"] = KeyRing.derive([SECRET], SALT).sign(message.encode())
    query = "&".join(f"{name}={quote(value, safe='')}" for name, value in values.items() if value)
    links = LinkVerifier(LinkSigner([SECRET]), MemoryLedger(), lambda _url: None, lambda: NOW)
    links.verify(task_id, query.encode())


@pytest.mark.parametrize(("query", "found"), READ.values(), ids=READ)
def test_a_query_is_read(query: bytes, found: dict[str, str]) -> None:
    assert parse_query(query) == found


@pytest.mark.parametrize(
    ("query", "field"),
    [
        (b"url=a&url=a", "url"),
        (b"url=a&url=b", "url"),
        (b"sig=a&url=b&sig=a", "sig"),
        (b"url=a&u%72l=b", "url"),
        (b"%75%72%6c=a&%75%72%6C=b", "url"),
        (b"expires=1&utm_source=x&expires=2", "expires"),
        (b"mode=stream&mode=stream", "mode"),
        (b"filename=a&filename=a", "filename"),
        (b"id=a&id=a", "id"),
    ],
)
def test_a_parameter_given_twice_is_refused(query: bytes, field: str) -> None:
    with pytest.raises(FieldFault, match=rf"^{field}: must not be given twice$"):
        parse_query(query)


@pytest.mark.parametrize("name", sorted(LINK_PARAMETERS))
@pytest.mark.parametrize("query", ["{}=", "{}", "x=a&{}=&x=y", "{}=&{}=a"])
def test_an_empty_parameter_is_refused(query: str, name: str) -> None:
    with pytest.raises(FieldFault, match=rf"^{name}: "):
        parse_query(query.replace("{}", name).encode())


@pytest.mark.parametrize("value", NOT_UTF8.values(), ids=NOT_UTF8)
def test_text_that_is_not_utf_8_is_refused(value: bytes) -> None:
    with pytest.raises(FieldFault, match=r"^filename: is not UTF-8$"):
        parse_query(b"url=a&filename=" + value)


@pytest.mark.parametrize("value", [b"%", b"a%", b"%2", b"%zz", b"%2g", b"%%20", b"%u0041", b"%+1", b"% 1", b"1%&id=x"])
def test_a_percent_sign_that_begins_no_escape_is_refused(value: bytes) -> None:
    with pytest.raises(FieldFault, match=r"^url: has a percent sign that begins no escape$"):
        parse_query(b"url=" + value)


@pytest.mark.parametrize("unnamed", UNNAMED.values(), ids=UNNAMED)
def test_parameters_that_a_link_does_not_have_are_ignored(unnamed: bytes) -> None:
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


@pytest.mark.parametrize("expires", ODD_EXPIRIES.values(), ids=ODD_EXPIRIES)
def test_an_expiry_that_is_not_plain_seconds_is_refused(expires: str) -> None:
    with pytest.raises(LinkInvalid, match=r"^expires: "):
        verify_authentic(expires=expires)


@pytest.mark.parametrize("mode", ["Stream", "STREAM", "offload", "stream ", " stream", "stream\n", "0", "auto,stream"])
def test_a_mode_that_does_not_exist_is_refused(mode: str) -> None:
    with pytest.raises(LinkInvalid, match=r"^mode: "):
        verify_authentic(mode=mode)


@pytest.mark.parametrize("task_id", ODD_TASK_IDS.values(), ids=ODD_TASK_IDS)
def test_an_odd_task_id_is_refused(task_id: str) -> None:
    with pytest.raises(LinkInvalid, match=r"^task_id: "):
        verify_authentic(task_id)


@pytest.mark.parametrize("task_id", ["a", "0", "a" * 128, "Task_2.final-v1", "a..b", *UNUSUAL])
def test_a_plain_task_id_is_taken(task_id: str) -> None:
    verify_authentic(task_id)


@pytest.mark.parametrize("link_id", ["a b", "a.b", "a/b", "a" * 65, "a\n", "ид"])
def test_an_odd_link_id_is_refused(link_id: str) -> None:
    with pytest.raises(LinkInvalid, match=r"^id: "):
        verify_authentic(id=link_id)


@pytest.mark.parametrize("control", ["\x00", "\t", "\n", "\r", "\x1f", "\x7f", "\x80", "\x85", "\x9f"], ids=ascii)
@pytest.mark.parametrize("field", ["url", "filename"])
def test_a_control_character_is_refused(field: str, control: str) -> None:
    with pytest.raises(LinkInvalid, match=rf"^{field}: must not hold a control character$"):
        verify_authentic(**{field: f"{URL}{control}x"})


@pytest.mark.parametrize("field", ["url", "filename"])
def test_half_a_surrogate_pair_is_refused(field: str) -> None:
    with pytest.raises(FieldFault, match=rf"^{field}: must be Unicode text$"):
        make_link(**{field: URL + "\ud800"})


@pytest.mark.parametrize(
    ("field", "longest"), [("url", LONGEST_URL), ("filename", LONGEST_FILENAME)], ids=["url", "filename"]
)
def test_a_field_may_have_its_longest_length_and_no_more(field: str, longest: int) -> None:
    value = URL.ljust(longest, "ж")
    verify_authentic(**{field: value})

    with pytest.raises(LinkInvalid, match=rf"^{field}: must not be longer than {longest} characters$"):
        verify_authentic(**{field: value + "ж"})


def test_the_longest_fields_are_as_documented() -> None:
    assert (LONGEST_URL, LONGEST_FILENAME) == (2048, 255)
