"""The saved file's name: the one that was wanted, safe on every system, in a header that every browser reads."""

import re
import unicodedata
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis.strategies import from_regex, sampled_from, text
from werkzeug.http import parse_options_header

from gateway.delivery.filename import MOST_BYTES, content_disposition, file_name
from gateway.files.media_types import AVIF, GIF, JPEG, MP3, MP4, PDF, PNG, UNKNOWN, WEBP, ZIP, Media
from gateway.links.link import TASK_ID

URL = "https://origin.example/v/"
TASK = "task12345"
FORBIDDEN = set('/\\:*?"<>|')
RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$)\s*(\..*)?", re.IGNORECASE)
JOINERS = {*"\u200c\u200d"}
BIDI = {*"\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"}
PLAIN = re.compile(r'attachment; filename="([^"]*)"; filename\*=UTF-8\'\'[!#$&+.^_`|~A-Za-z0-9%-]+')
MEDIA = [UNKNOWN, PNG, ZIP]


def name_of(signed: str | None, url: str = URL, media: Media = UNKNOWN) -> str:
    return file_name(signed, url, TASK, media)


def plain_form(name: str) -> str:
    """What ``filename=`` says, for programs that do not read ``filename*``."""
    matched = PLAIN.fullmatch(content_disposition(name))
    assert matched
    return matched[1]


def assert_safe(name: str) -> None:
    assert name
    assert len(name.encode()) <= MOST_BYTES
    assert not FORBIDDEN & set(name)
    assert not {char for char in name if (unicodedata.category(char)[0] == "C" and char not in JOINERS) or char in BIDI}
    assert name == name.strip(". ")
    assert not RESERVED.fullmatch(name)


def assert_readable(header: str, name: str) -> None:
    """One line of printable ASCII that says ``attachment`` and parses back to the name."""
    assert all(" " <= char <= "~" for char in header)
    assert PLAIN.fullmatch(header)
    assert parse_options_header(header) == ("attachment", {"filename": name})


@pytest.mark.parametrize("media", MEDIA, ids=lambda media: media.content_type)
@pytest.mark.parametrize("corpus", ["ours", "blns_mit"])
def test_every_name_of_the_corpus_becomes_a_safe_readable_one(
    corpora: dict[str, Any], corpus: str, media: Media
) -> None:
    for given_name in corpora["filenames"][corpus]:
        name = name_of(given_name, media=media)

        assert_safe(name)
        assert_readable(content_disposition(name), name)


@given(wanted=text(max_size=300), media=sampled_from(MEDIA))
@example(wanted="é" * 300 + ".png", media=UNKNOWN)
@example(wanted="." + "x" * 300, media=PNG)
@example(wanted="a" + ". " * 100 + "b", media=UNKNOWN)
@example(wanted="\ud800", media=UNKNOWN)
def test_any_text_becomes_a_safe_readable_name(wanted: str, media: Media) -> None:
    name = name_of(wanted, media=media)

    assert_safe(name)
    assert_readable(content_disposition(name), name)


@given(task_id=from_regex(TASK_ID, fullmatch=True), media=sampled_from(MEDIA))
@example(task_id="ab......zz", media=UNKNOWN)
@example(task_id="nul", media=UNKNOWN)
def test_a_name_made_of_the_task_is_safe_as_well(task_id: str, media: Media) -> None:
    name = file_name(None, URL, task_id, media)

    assert name.startswith("download-")
    assert_safe(name)


@pytest.mark.parametrize(
    "wanted",
    [
        pytest.param("\N{ACCOUNT OF}.png", id="a-sign-with-a-slash-in-it"),
        pytest.param("\N{FULLWIDTH SOLIDUS}etc\N{FULLWIDTH SOLIDUS}passwd.png", id="wide-slashes"),
        pytest.param("a\N{FULLWIDTH COLON}b\N{FULLWIDTH ASTERISK}.png", id="wide-signs-that-windows-forbids"),
        pytest.param("\N{FULLWIDTH LATIN SMALL LETTER C}on.png", id="a-wide-letter-in-a-reserved-name"),
        pytest.param("日con.png", id="a-reserved-name-behind-a-sign-that-is-left-out"),
        pytest.param("日 a.png", id="a-blank-behind-a-sign-that-is-left-out"),
        pytest.param("日本語.日本語", id="an-extension-that-is-left-out"),
        pytest.param("\N{PARENTHESIZED NUMBER TEN}" * 50 + ".png", id="signs-that-grow"),
        pytest.param("日本語", id="nothing-left"),
        pytest.param("naïve.png", id="accents"),
    ],
)
def test_the_plain_form_is_as_safe_as_the_name(wanted: str) -> None:
    assert_safe(plain_form(name_of(wanted)))


@given(wanted=text(max_size=300))
def test_the_plain_form_of_any_text_names_a_file(wanted: str) -> None:
    plain = plain_form(name_of(wanted))

    assert plain.strip(". ")
    assert not FORBIDDEN & set(plain)


@pytest.mark.parametrize(
    ("wanted", "saved"),
    [
        pytest.param("cat.png", "cat.png", id="as-it-is"),
        pytest.param("котик.png", "котик.png", id="cyrillic"),
        pytest.param("日本語.png", "日本語.png", id="cjk"),
        pytest.param("🎬 film.png", "🎬 film.png", id="emoji"),
        pytest.param("e\u0301.png", "é.png", id="composed"),
        pytest.param("it's 100%.png", "it's 100%.png", id="apostrophe-and-percent"),
        pytest.param("../../etc/passwd", "_.._etc_passwd", id="a-path"),
        pytest.param("C:\\x\\y.txt", "C__x_y.txt", id="a-windows-path"),
        pytest.param('a"b*c?d<e>f|g.txt', "a_b_c_d_e_f_g.txt", id="what-windows-forbids"),
        pytest.param("a\r\nX-Evil: 1.png", "aX-Evil_ 1.png", id="a-line-break"),
        pytest.param("nul\x00tab\tdel\x7f.png", "nultabdel.png", id="controls"),
        pytest.param("invoice\u202egnp.exe", "invoicegnp.exe", id="right-to-left-override"),
        pytest.param("zero\u200bwidth\ufeff.png", "zerowidth.png", id="zero-width"),
        pytest.param("line\u2028break.png", "linebreak.png", id="line-separator"),
        pytest.param("lone\ud800.png", "lone.png", id="a-lone-surrogate"),
        pytest.param(".htaccess", "htaccess", id="a-leading-dot"),
        pytest.param(" a b .txt ", "a b .txt", id="blanks-at-the-ends"),
        pytest.param("file.txt...", "file.txt", id="dots-at-the-end"),
        pytest.param("con", "_con", id="reserved"),
        pytest.param("CON.txt", "_CON.txt", id="reserved-with-extension"),
        pytest.param("nul.tar.gz", "_nul.tar.gz", id="reserved-with-two-extensions"),
        pytest.param("com1", "_com1", id="reserved-port"),
        pytest.param("LPT³.txt", "_LPT³.txt", id="reserved-port-in-superscript"),
        pytest.param(" con. ", "_con", id="reserved-amid-blanks"),
        pytest.param("console.txt", "console.txt", id="only-begins-like-a-reserved-one"),
        pytest.param("con .png", "_con .png", id="reserved-with-a-blank-behind-the-stem"),
        pytest.param("CONIN$", "_CONIN$", id="reserved-input"),
        pytest.param("conout$.txt", "_conout$.txt", id="reserved-output"),
        pytest.param("👨\u200d👩\u200d👧.png", "👨\u200d👩\u200d👧.png", id="a-family-is-one-sign"),
        pytest.param("نمی\u200cدونم.png", "نمی\u200cدونم.png", id="persian-non-joiner"),
        pytest.param("~cat.png", "_cat.png", id="a-leading-tilde"),
        pytest.param("~", "_", id="only-a-tilde"),
        pytest.param(".png", "download-task1234", id="only-an-extension"),
        pytest.param("...png", "download-task1234", id="dots-and-an-extension"),
        pytest.param("\ue000\ue001.png", "download-task1234", id="private-use"),
        pytest.param("\u3164.png", "download-task1234", id="hangul-filler"),
        pytest.param("\u2800\u200d", "download-task1234", id="blank-braille"),
        pytest.param("", "download-task1234", id="empty"),
        pytest.param("...", "download-task1234", id="only-dots"),
        pytest.param("\u202e\u200b", "download-task1234", id="only-invisible"),
    ],
)
def test_a_wanted_name_is_kept_as_far_as_it_is_safe(wanted: str, saved: str) -> None:
    assert name_of(wanted) == saved


@pytest.mark.parametrize(
    ("url", "saved"),
    [
        pytest.param("https://origin.example/v/cat.png", "cat.png", id="last-part"),
        pytest.param("https://origin.example/v/cat.png?name=dog.png#x", "cat.png", id="query-and-fragment-left-out"),
        pytest.param("https://origin.example/%D0%BA%D0%BE%D1%82.png", "кот.png", id="escapes-decoded"),
        pytest.param("https://origin.example/v/%2e%2e%2fetc%2fpasswd", "_etc_passwd", id="an-escaped-path"),
        pytest.param("https://origin.example/%ff.png", "\ufffd.png", id="escapes-that-are-no-text"),
        pytest.param("https://origin.example/v/", "download-task1234", id="no-last-part"),
        pytest.param("https://origin.example", "download-task1234", id="no-path"),
        pytest.param("https://origin.example/%0d%0a", "download-task1234", id="only-controls"),
    ],
)
def test_without_a_signed_name_the_url_gives_it(url: str, saved: str) -> None:
    assert name_of(None, url) == saved


@pytest.mark.parametrize(
    ("wanted", "media", "saved"),
    [
        pytest.param("cat.png", PNG, "cat.png", id="right"),
        pytest.param("CAT.PNG", PNG, "CAT.PNG", id="right-in-capitals"),
        pytest.param("cat.jpeg", JPEG, "cat.jpeg", id="right-in-another-spelling"),
        pytest.param("cat.jpg", PNG, "cat.png", id="another-type's"),
        pytest.param("cat.mp4", WEBP, "cat.webp", id="a-film's-on-an-image"),
        pytest.param("cat", PNG, "cat.png", id="none"),
        pytest.param("cat.v2", GIF, "cat.v2.gif", id="not-an-extension-we-know"),
        pytest.param("cat.exe", PNG, "cat.exe.png", id="a-program's"),
        pytest.param("cat.html", MP4, "cat.html.mp4", id="a-page's"),
        pytest.param("letter.docx", ZIP, "letter.docx", id="a-zip-inside"),
        pytest.param("letter", ZIP, "letter", id="a-zip-without-one"),
        pytest.param("cat.png", UNKNOWN, "cat.png", id="of-bytes-that-we-do-not-know"),
        pytest.param(".png", PNG, "download-task1234.png", id="nothing-but-one"),
        pytest.param("cat.png", ZIP, "cat.zip", id="a-zip-under-an-image's"),
        pytest.param("cat.heic", ZIP, "cat.zip", id="a-zip-under-a-phone-image's"),
        pytest.param("cat.png", PDF, "cat.pdf", id="a-document-under-an-image's"),
        pytest.param("cat.png", AVIF, "cat.avif", id="another-image's"),
        pytest.param("cat.png", MP3, "cat.mp3", id="a-sound-under-an-image's"),
    ],
)
def test_the_extension_is_corrected_when_it_contradicts_the_bytes(wanted: str, media: Media, saved: str) -> None:
    assert name_of(wanted, media=media) == saved


def test_the_name_made_of_the_task_has_the_bytes_extension() -> None:
    assert name_of(None, media=PNG) == "download-task1234.png"


@pytest.mark.parametrize(
    ("wanted", "media", "saved"),
    [
        pytest.param("x" * 400 + ".png", PNG, "x" * 251 + ".png", id="ascii"),
        pytest.param("é" * 400 + ".png", PNG, "é" * 125 + ".png", id="two-bytes-each"),
        pytest.param("字" * 400 + ".jpg", PNG, "字" * 83 + ".png", id="three-bytes-each-and-corrected"),
        pytest.param("x" * 252, PNG, "x" * 251 + ".png", id="too-long-with-its-extension"),
        pytest.param("x" * 400, UNKNOWN, "x" * 255, id="no-extension"),
        pytest.param("a." + "x" * 400, UNKNOWN, "a." + "x" * 253, id="an-endless-extension"),
        pytest.param("x" * 250 + ". . .mpeg4", UNKNOWN, "x" * 249 + ".mpeg4", id="cut-next-to-dots"),
    ],
)
def test_a_long_name_is_cut_before_its_extension(wanted: str, media: Media, saved: str) -> None:
    assert name_of(wanted, media=media) == saved


@pytest.mark.parametrize(
    ("name", "header"),
    [
        pytest.param("cat.png", "attachment; filename=\"cat.png\"; filename*=UTF-8''cat.png", id="ascii"),
        pytest.param("naïve.png", "attachment; filename=\"naive.png\"; filename*=UTF-8''na%C3%AFve.png", id="accents"),
        pytest.param(
            "кот.png", "attachment; filename=\"kot.png\"; filename*=UTF-8''%D0%BA%D0%BE%D1%82.png", id="cyrillic"
        ),
        pytest.param("🎬", "attachment; filename=\"clapper\"; filename*=UTF-8''%F0%9F%8E%AC", id="emoji"),
        pytest.param(
            "it's 100%;.png",
            "attachment; filename=\"it's 100_;.png\"; filename*=UTF-8''it%27s%20100%25%3B.png",
            id="delimiters",
        ),
    ],
)
def test_the_header_has_the_name_in_both_forms(name: str, header: str) -> None:
    assert content_disposition(name) == header


def test_a_name_that_is_cut_is_not_a_reserved_one() -> None:
    assert file_name("con" + " " * 300 + "x.png", "https://origin.example/", "task1", PNG) != "con.png"


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("котик é.png", "kotik e.png"),
        ("ß" * 125 + ".png", "s" * 250 + ".png"),
        ("日本語.png", "RiBenYu.png"),
        ("\u3164a.png", "a.png"),
        ("\u0301.png", "download.png"),
    ],
)
def test_the_plain_form_is_transliterated_and_keeps_the_extension(name: str, plain: str) -> None:
    assert plain_form(name) == plain
