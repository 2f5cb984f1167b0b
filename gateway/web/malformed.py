"""Error responses for requests that the server refuses before the framework sees them."""

from collections.abc import Callable, Iterable
from typing import Any

from flask import Flask, request

from gateway.errors import GatewayError, HeadersTooLarge, InternalError, MalformedRequest, OtherHttpError, UriTooLong
from gateway.web.proxies import Environ

EXTENSION = "gateway.refused_by_server"
_ERROR = "gateway.malformed"
Refuse = Callable[[Environ, Any, int, str], Iterable[bytes]]


def init_app(app: Flask) -> None:
    """Register what the server calls with an environment of what it understood, ``start_response``, status, problem."""

    def refuse(environ: Environ, start_response: Any, status: int, problem: str) -> Iterable[bytes]:  # noqa: ANN401
        environ[_ERROR] = _error(status, problem)
        return app(environ, start_response)

    app.extensions[EXTENSION] = refuse
    app.before_request(_raise)


def _raise() -> None:
    error: GatewayError | None = request.environ.get(_ERROR)
    if error is not None:
        raise error


def _error(status: int, problem: str) -> GatewayError:
    if status == 400:
        return MalformedRequest(problem)
    if status == 414:
        return UriTooLong(problem)
    if status == 431:
        return HeadersTooLarge(problem)
    return InternalError(problem) if status == 500 else OtherHttpError(status)
