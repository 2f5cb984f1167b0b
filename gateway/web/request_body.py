"""Reading and validating request bodies."""

from collections.abc import Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from typing import Any, TypeVar

from flask import request
from gunicorn.http.errors import ParseException
from pydantic import BaseModel, ValidationError
from werkzeug.exceptions import ClientDisconnected

from gateway.errors import BodyTooLarge, InvalidBody, UploadBroken

MOST_BODY_BYTES = 64 * 1024
MAX_CONTENT_LENGTH = MOST_BODY_BYTES + 1  # Flask truncates a chunked body there without an error
Model = TypeVar("Model", bound=BaseModel)


def parse_json_body(model: type[Model]) -> Model:
    """Validate the JSON body of the current request.

    Raises:
        InvalidBody: naming each field and its remedy.
        BodyTooLarge, UploadBroken: as :func:`read_body`.
    """
    try:
        return model.model_validate_json(read_body())
    except ValidationError as error:
        raise InvalidBody(format_errors(error, model)) from None


def read_body() -> bytes:
    """Read the whole body of an API call.

    Raises:
        BodyTooLarge: it is longer than 64 KiB.
        UploadBroken: it ended early, or its framing is invalid.
    """
    with _read_errors():
        body = request.get_data(cache=False)
    if len(body) > MOST_BODY_BYTES:
        raise BodyTooLarge("sent in chunks")
    return body


def read_chunk(size: int) -> bytes:
    """Read at most ``size`` bytes of an upload; empty at its end.

    Raises:
        UploadBroken: it ended early, or its framing is invalid.
    """
    with _read_errors():
        return request.stream.read(size)


def format_errors(error: ValidationError, model: type[BaseModel]) -> str:
    """Describe what is wrong with a body of ``model``: each field and its remedy, without values."""
    names = [field.alias or name for name, field in model.model_fields.items()]
    return "; ".join(_format_error(details, names) for details in error.errors(include_url=False))


def _format_error(details: Any, names: list[str]) -> str:  # noqa: ANN401 (pydantic's ErrorDetails)
    field = ".".join(str(part) for part in details["loc"])
    if details["type"] == "json_invalid":
        return "the body is not JSON"
    if details["type"] == "extra_forbidden":
        similar = get_close_matches(field[:64], names, n=1)
        return f"{field[:64]}: there is no such field" + (f"; did you mean {similar[0]}?" if similar else "")
    if details["type"] == "missing":
        return f"{field}: is missing"
    return f"{field}: {details['msg'].replace('Input should be', 'must be')}" if field else "the body must be an object"


@contextmanager
def _read_errors() -> Iterator[None]:
    try:
        yield
    except (OSError, ClientDisconnected, ParseException) as error:
        raise UploadBroken(type(error).__name__) from None
