"""The door: where a signed link becomes a file, before the framework is asked for anything."""

import re
from collections.abc import Callable, Collection, Iterable, Iterator
from http import HTTPStatus
from io import UnsupportedOperation
from typing import Any

from gateway.delivery.exchange import DownloadResponse
from gateway.links.link import Link
from gateway.observability.request_log import RequestLog
from gateway.services import Services
from gateway.web.preview_bots import is_preview_bot
from gateway.web.proxies import Environ, Wsgi
from gateway.web.request_parsing import parse_request
from gateway.web.sockets import begin_stream, reset_when_broken

# From the services, what the visitor asks, the query, and the path's parts, to what is delivered under which link.
Handler = Callable[..., tuple[Link, DownloadResponse]]
Handlers = dict[re.Pattern[str], Handler]  # by the path that each opens for, whose groups are its further arguments

_REFUSED = "gateway.refused"
_STATUS = {int(status): f"{status.value} {status.phrase}" for status in HTTPStatus}


class DownloadApp:
    """Opens to signed links, and leaves everything else to the framework: pages, calls, and how refusals are told.

    Flask's own work on a request takes longer than a whole redirect; see
    ``docs/decisions/0012-downloads-bypass-flask.md``.

    Args:
        behind: the framework; its routes for these paths call :func:`tell_refusal`.
        gateway: does what the stories tell.
        cors_origins: whose scripts may ask.
        stories: what there is behind it.
    """

    def __init__(self, app: Wsgi, gateway: Services, cors_origins: Collection[str], handlers: Handlers) -> None:
        self._app = app
        self._gateway = gateway
        self._cors_origins = cors_origins
        self._handlers = tuple(handlers.items())

    def __call__(self, environ: Environ, start_response: Any) -> Iterable[bytes]:  # noqa: ANN401 (PEP 3333)
        """Answer a GET or HEAD for a file."""
        query = environ.get("QUERY_STRING", "")
        if not query or environ["REQUEST_METHOD"] not in {"GET", "HEAD"}:
            return self._app(environ, start_response)
        for pattern, handler in self._handlers:
            if (match := pattern.fullmatch(environ["PATH_INFO"])) and not is_preview_bot(environ):
                return self._open(handler, match.groupdict(), query, environ, start_response)
        return self._app(environ, start_response)

    def _open(
        self,
        handler: Handler,
        parts: dict[str, str],
        query: str,
        environ: Environ,
        start_response: Any,  # noqa: ANN401 (PEP 3333)
    ) -> Iterable[bytes]:
        request_log = RequestLog.of(environ)
        request_log.task = parts.get("task_id", "")
        try:
            download_request = parse_request(environ, self._gateway.via, self._cors_origins)
            link, delivered = handler(
                self._gateway, download_request, _bytes(query), **{k: _text(v) for k, v in parts.items()}
            )
        except Exception as refused:  # noqa: BLE001 (raised again where the framework's handlers tell it)
            environ[_REFUSED] = refused
            return self._app(environ, start_response)
        request_log.link = link.id or ""
        request_log.answer(delivered.status, self._gateway.metrics, delivered.stats)
        if delivered.stats.outcome == "begun":
            begin_stream(environ.get("gunicorn.socket"))
        start_response(_STATUS[delivered.status], [*delivered.headers, ("X-Request-Id", request_log.request_id)])
        outgoing, by_the_kernel = _ResponseBody(delivered, request_log, environ), environ.get("wsgi.file_wrapper")
        if by_the_kernel is not None and delivered.body.descriptor is not None:
            return by_the_kernel(outgoing)  # type: ignore[no-any-return]  # gunicorn's
        return outgoing


def raise_refusal(environ: Environ) -> None:
    """Raise why the door did not open; nothing where it was not asked to."""
    if refused := environ.get(_REFUSED):
        raise refused


class _ResponseBody:
    """A body on its way to the visitor, as the server wants it."""

    __slots__ = ("_body", "_protocol", "_request_log", "_socket", "_stats")

    def __init__(self, delivered: DownloadResponse, request_log: RequestLog, environ: Environ) -> None:
        self._body, self._stats, self._request_log = delivered.body, delivered.stats, request_log
        self._socket, self._protocol = environ.get("gunicorn.socket"), environ.get("SERVER_PROTOCOL")

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._body)

    def fileno(self) -> int:
        """The descriptor of the file that this is (``wsgi.file_wrapper``)."""
        if (descriptor := self._body.descriptor) is None:
            raise UnsupportedOperation
        return descriptor

    def passed(self, count: int) -> None:
        """Note that the kernel took so many bytes of it."""
        self._body.passed(count)

    def close(self) -> None:
        """Let go of whatever stands behind it; the server calls this however it went."""
        try:
            self._body.close()
        finally:
            reset_when_broken(self._socket, self._protocol, self._stats)
            self._request_log.close()


def _bytes(text: str) -> bytes:
    """A text of the environment as it came (PEP 3333 hands bytes over as Latin-1)."""
    return text.encode("latin-1", "replace")


def _text(part: str) -> str:
    return part if part.isascii() else _bytes(part).decode("utf-8", "replace")
