"""The bodies of requests, as they come over the wire."""

from collections.abc import Iterator
from contextlib import contextmanager

from flask import request
from gunicorn.http.errors import ParseException
from werkzeug.exceptions import ClientDisconnected

from gateway.errors import BodyTooLarge, UploadBroken

MOST_BODY_BYTES = 64 * 1024
READ_AT_MOST = MOST_BODY_BYTES + 1  # where its length was not told, a body is cut there without a word


def whole_body() -> bytes:
    """The body of a call.

    Raises:
        BodyTooLarge: it is larger than any call needs.
        UploadBroken: it ended too early, or its framing is broken.
    """
    with _broken_off():
        body = request.get_data(cache=False)
    if len(body) > MOST_BODY_BYTES:
        raise BodyTooLarge("sent in chunks")
    return body


def read_body(amount: int) -> bytes:
    """The next part of a body, at most so many bytes; empty at the end.

    Raises:
        UploadBroken: it ended too early, or its framing is broken.
    """
    with _broken_off():
        return request.stream.read(amount)


@contextmanager
def _broken_off() -> Iterator[None]:
    try:
        yield
    except (OSError, ClientDisconnected, ParseException) as broken:
        raise UploadBroken(type(broken).__name__) from None
