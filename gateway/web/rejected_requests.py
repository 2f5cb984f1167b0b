"""Error responses for requests that the server rejects before they reach Flask."""

from collections.abc import Callable, Iterable
from wsgiref.types import StartResponse, WSGIEnvironment

from flask import Flask, request

from gateway.errors import GatewayError, HeadersTooLarge, InternalError, MalformedRequest, OtherHttpError, UriTooLong

EXTENSION = "gateway.refused_by_server"  # as in gateway.server.error_response
_ERROR = "gateway.rejected"
_ERRORS: dict[int, Callable[[str], GatewayError]] = {
    400: MalformedRequest,
    414: UriTooLong,
    431: HeadersTooLarge,
    500: InternalError,
}


def init_app(app: Flask) -> None:
    """Register the callback that the server calls with what it could parse, the status and the problem."""

    def reject(environ: WSGIEnvironment, start_response: StartResponse, status: int, problem: str) -> Iterable[bytes]:
        error_type = _ERRORS.get(status)
        environ[_ERROR] = error_type(problem) if error_type else OtherHttpError(status)
        return app(environ, start_response)

    app.extensions[EXTENSION] = reject
    app.before_request(_raise)


def _raise() -> None:
    error: GatewayError | None = request.environ.get(_ERROR)
    if error is not None:
        raise error
