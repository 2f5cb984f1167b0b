"""A Range header names a part of the file, all of it, or nothing that can be had."""

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis.strategies import builds, from_regex, integers, one_of, sampled_from, text

from gateway.delivery.range_header import MAX_LENGTH, parse_range
from gateway.errors import RangeNotSatisfiable
from gateway.files.byte_range import ByteRange

Case = dict[str, Any]


def answer_to(value: str, length: int) -> tuple[int, ByteRange | None]:
    """The status that a Range leads to, and the part."""
    try:
        byte_range = parse_range(value, length)
    except RangeNotSatisfiable:
        return 416, None
    return (206, byte_range) if byte_range else (200, None)


def is_single(case: Case) -> bool:
    """Whether it is one range as the grammar has it, with one right answer."""
    unit, _, spec = case["range"].partition("=")
    first, dash, last = spec.partition("-")
    return unit == "bytes" and bool(dash) and (first + last).isdigit() and "status" in case and "ranges" in case


def is_exact(case: Case) -> bool:
    status, byte_range = answer_to(case["range"], case["size"])
    return bool(
        status == case["status"] and ([[byte_range.first, byte_range.last]] if byte_range else []) == case["ranges"]
    )


def test_every_single_range_of_the_corpus_is_read_exactly(corpora: dict[str, Any]) -> None:
    single = [case for case in corpora["ranges"]["cases"] if is_single(case)]

    assert len(single) > 25
    assert [case for case in single if not is_exact(case)] == []


def test_several_ranges_of_the_corpus_are_answered_by_the_whole_file(corpora: dict[str, Any]) -> None:
    several = [case for case in corpora["ranges"]["cases"] if "," in case["range"]]

    assert len(several) > 15
    assert {answer_to(case["range"], case["size"]) for case in several} == {(200, None)}


def test_no_odd_range_of_the_corpus_is_taken_for_a_part_that_it_is_not(corpora: dict[str, Any]) -> None:
    odd = [case for case in corpora["ranges"]["cases"] if not is_single(case)]

    # RFC 9110 section 14.2 lets a server ignore what is malformed, so 200 is as right as the 416 of some servers.
    right = {case["range"]: {200, 416, *case.get("status_any_of", [])} for case in odd}
    assert [case for case in odd if answer_to(case["range"], case["size"])[0] not in right[case["range"]]] == []


@pytest.mark.parametrize(
    ("value", "first", "last"),
    [
        pytest.param("bytes=0-0", 0, 0, id="the-first-byte"),
        pytest.param("bytes=99-99", 99, 99, id="the-last-byte"),
        pytest.param("bytes=99-", 99, 99, id="the-last-byte-open-ended"),
        pytest.param("bytes=-1", 99, 99, id="the-last-byte-as-a-suffix"),
        pytest.param("bytes=0-", 0, 99, id="everything-open-ended"),
        pytest.param("bytes=-100", 0, 99, id="everything-as-a-suffix"),
        pytest.param("bytes=-101", 0, 99, id="a-suffix-longer-than-the-file"),
        pytest.param("bytes=90-4000000000000", 90, 99, id="an-end-far-beyond-the-file"),
        pytest.param("bytes=007-009", 7, 9, id="leading-zeros"),
        pytest.param("BYTES=3-4", 3, 4, id="the-unit-in-capitals"),
        pytest.param("bytes= 3-4 ", 3, 4, id="blanks-around"),
    ],
)
def test_a_range_inside_the_file_is_that_part(value: str, first: int, last: int) -> None:
    assert parse_range(value, 100) == ByteRange(first, last)


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("", id="none"),
        pytest.param("bytes", id="no-equals"),
        pytest.param("bytes=", id="no-range"),
        pytest.param("bytes=-", id="no-position"),
        pytest.param("bytes=5", id="no-dash"),
        pytest.param("bytes=5-4", id="backwards"),
        pytest.param("bytes=1-2-3", id="two-dashes"),
        pytest.param("bytes=--1", id="a-negative-suffix"),
        pytest.param("bytes=0-1,3-4", id="two-ranges"),
        pytest.param("bytes=0-1,", id="a-trailing-comma"),
        pytest.param("bytes =0-1", id="a-blank-before-equals"),
        pytest.param("items=0-1", id="another-unit"),
        pytest.param("bytes=0-1\n", id="a-line-feed"),
        pytest.param("bytes=\u0661-\u0662", id="digits-of-another-script"),
        pytest.param("bytes=0x1-0x2", id="hexadecimal"),
        pytest.param("bytes=1_0-", id="an-underscore"),
        pytest.param("bytes=+1-", id="a-sign"),
        pytest.param("bytes=" + "0" * MAX_LENGTH + "-", id="longer-than-any-honest-one"),
    ],
)
def test_a_malformed_range_is_ignored(value: str) -> None:
    assert parse_range(value, 100) is None


@pytest.mark.parametrize(
    ("value", "length"),
    [
        pytest.param("bytes=100-", 100, id="just-behind-the-end"),
        pytest.param("bytes=100-200", 100, id="behind-the-end-with-a-last"),
        pytest.param("bytes=18446744073709551616-", 100, id="beyond-64-bits"),
        pytest.param("bytes=-0", 100, id="the-last-zero-bytes"),
    ],
)
def test_a_range_beyond_the_file_is_refused_with_the_length(value: str, length: int) -> None:
    with pytest.raises(RangeNotSatisfiable) as refused:
        parse_range(value, length)

    assert refused.value.headers == {"Content-Range": f"bytes */{length}"}


@pytest.mark.parametrize("value", ["bytes=0-", "bytes=0-0", "bytes=-5", "bytes=-0", "bytes=100-"])
def test_a_range_of_an_empty_file_is_the_whole_file(value: str) -> None:
    assert parse_range(value, 0) is None


positions = one_of(integers(0, 300), integers(0, 2**70), sampled_from(["", "-1", "\u0663", "+1"]))
values = one_of(
    builds(
        "{}={}-{}{}".format, sampled_from(["bytes", "BYTES", "b"]), positions, positions, sampled_from(["", ",0-1"])
    ),
    from_regex(r"bytes=[ \t]*[0-9]{0,24}-[0-9]{0,24}[ \t]*", fullmatch=True),
    text(),
)


@given(value=values, length=integers(0, 200))
@example(value="bytes=" + "9" * 20 + "-" + "9" * 20, length=1)
def test_a_part_always_lies_inside_the_file(value: str, length: int) -> None:
    _, byte_range = answer_to(value, length)

    assert byte_range is None or 0 <= byte_range.first <= byte_range.last < length


@given(first=integers(0, 99), last=integers(0, 10**6))
def test_the_part_is_the_one_that_was_asked_for(first: int, last: int) -> None:
    byte_range = parse_range(f"bytes={first}-{first + last}", 100)

    assert byte_range == ByteRange(first, min(first + last, 99))


@given(count=integers(1, 10**6))
def test_a_suffix_ends_with_the_file(count: int) -> None:
    byte_range = parse_range(f"bytes=-{count}", 100)

    assert byte_range == ByteRange(max(0, 100 - count), 99)
