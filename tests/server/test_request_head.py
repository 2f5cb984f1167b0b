"""The head of a request is collected whole, in constant work for each byte, and bounded."""

import pytest

from gateway.server.request_head import MAX_HEAD_BYTES, HeadBuffer

HEAD = b"GET /healthz HTTP/1.1\r\nHost: x\r\nAccept: text/html\r\n\r\n"


def given(buffer: HeadBuffer, parts: list[bytes]) -> list[bytes]:
    """What there is to parse after these parts have come one after the other."""
    return [buffer.take() for part in parts if buffer.add(part)]


@pytest.mark.parametrize("size", [1, 2, 3, 7, len(HEAD)])
def test_a_head_is_given_once_and_whole_however_it_arrives(size: int) -> None:
    parts = [HEAD[begin : begin + size] for begin in range(0, len(HEAD), size)]

    assert given(HeadBuffer(), parts) == [HEAD]


@pytest.mark.parametrize("cut", range(1, len(HEAD)))
def test_a_head_that_began_behind_a_body_is_given_with_its_last_byte(cut: int) -> None:
    """The parser has its first part already."""
    buffer = HeadBuffer()
    buffer.skip(b"body" + HEAD[:cut])
    buffer.begin()

    parts = [HEAD[at : at + 1] for at in range(cut, len(HEAD))]

    assert given(buffer, parts) == [HEAD[cut:]]


def test_one_head_after_the_other_is_given() -> None:
    buffer = HeadBuffer()
    parts = [HEAD, HEAD[:10], HEAD[10:]]

    assert given(buffer, parts) == [HEAD, HEAD]


@pytest.mark.parametrize("line", [b"GET / HTTP/1.1\n", b"\n", b"GET / HTTP/1.1\r\nHost: x\n"])
def test_a_line_without_cr_is_given_at_once_so_that_it_is_refused(line: bytes) -> None:
    assert given(HeadBuffer(), [line]) == [line]


def test_no_more_than_32_kb_of_a_head_are_taken() -> None:
    buffer = HeadBuffer()
    part = b"X-A: " + b"a" * 1000 + b"\r\n"
    taken = given(buffer, [part] * (MAX_HEAD_BYTES // len(part) + 1))

    assert len(b"".join(taken)) < MAX_HEAD_BYTES + len(part)
    assert buffer.is_full
