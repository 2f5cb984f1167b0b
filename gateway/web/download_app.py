"""The WSGI application for files: it answers signed links, and passes every other request on to Flask."""

import re
from collections.abc import Callable, Collection, Iterable, Iterator
from functools import wraps
from http import HTTPStatus
from io import UnsupportedOperation
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from flask import Blueprint, Response, request

from gateway.delivery.exchange import DownloadResponse
from gateway.links.link import Link
from gateway.observability.request_log import RequestLog
from gateway.services import Services
from gateway.web.preview_bots import is_preview_bot
from gateway.web.request_parsing import parse_request
from gateway.web.sockets import begin_stream, reset_when_broken

# Arguments: the services, the request, the query string and the path's variables. Returns the link and the response.
Handler = Callable[..., tuple[Link, DownloadResponse]]
View = Callable[..., Response]

_ERROR = "gateway.error"
_STATUS = {int(status): f"{status.value} {status.phrase}" for status in HTTPStatus}


class FileRoute:
    """A route of signed links.

    Args:
        rule: a Flask URL rule.
        handler: answers a GET or HEAD that has a query string.
        suffix: an optional end of the rule.
    """

    def __init__(self, rule: str, handler: Handler, *, suffix: str = "") -> None:
        self.rules = (rule, rule + suffix) if suffix else (rule,)
        self.handler = handler
        self.pattern = re.compile(_regex(rule) + (f"(?:{_regex(suffix)})?" if suffix else ""))

    def add_view(self, blueprint: Blueprint, view: View, *, options: bool = True) -> None:
        """Have Flask call ``view`` for what the handler does not answer; the handler's error is raised there.

        ``options`` is whether Flask answers OPTIONS.
        """

        @wraps(view)
        def raise_error_or_view(**variables: str) -> Response:
            if error := request.environ.get(_ERROR):
                raise error
            return view(**variables)

        for rule in self.rules:
            blueprint.get(rule, provide_automatic_options=None if options else False)(raise_error_or_view)


class DownloadApp:
    """Answers signed links; everything else, errors included, is answered by Flask.

    Flask takes longer for a request than a whole redirect takes here; see
    ``docs/decisions/0012-downloads-bypass-flask.md``.

    Args:
        app: Flask's WSGI application.
        gateway: the services.
        cors_origins: origins whose scripts may read responses.
        routes: of signed links.
    """

    def __init__(
        self, app: WSGIApplication, gateway: Services, cors_origins: Collection[str], routes: Collection[FileRoute]
    ) -> None:
        self._app = app
        self._gateway = gateway
        self._cors_origins = cors_origins
        self._routes = tuple(routes)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a GET or HEAD of a signed link."""
        query = environ.get("QUERY_STRING", "")
        if not query or environ["REQUEST_METHOD"] not in {"GET", "HEAD"}:
            return self._app(environ, start_response)
        for route in self._routes:
            if (match := route.pattern.fullmatch(environ["PATH_INFO"])) and not is_preview_bot(environ):
                return self._answer(route.handler, match.groupdict(), query, environ, start_response)
        return self._app(environ, start_response)

    def _answer(
        self,
        handler: Handler,
        variables: dict[str, str],
        query: str,
        environ: WSGIEnvironment,
        start_response: StartResponse,
    ) -> Iterable[bytes]:
        request_log = RequestLog.of(environ)
        request_log.task = variables.get("task_id", "")
        try:
            download_request = parse_request(environ, self._gateway.via, self._cors_origins)
            variables = {name: _text(value) for name, value in variables.items() if value}
            link, response = handler(self._gateway, download_request, _bytes(query), **variables)
        except Exception as error:  # noqa: BLE001 (raised again by the Flask view, for Flask's error handlers)
            environ[_ERROR] = error
            return self._app(environ, start_response)
        request_log.link = link.id or ""
        request_log.start_response(response.status, self._gateway.metrics, response.stats)
        if response.stats.outcome == "begun":
            begin_stream(environ.get("gunicorn.socket"))
        start_response(_STATUS[response.status], [*response.headers, ("X-Request-Id", request_log.request_id)])
        body, send_file = _ResponseBody(response, request_log, environ), environ.get("wsgi.file_wrapper")
        if send_file is not None and response.body.descriptor is not None:
            return send_file(body)  # type: ignore[no-any-return]  # gunicorn's
        return body


class _ResponseBody:
    """The body as the WSGI server takes it."""

    __slots__ = ("_body", "_protocol", "_request_log", "_socket", "_stats")

    def __init__(self, response: DownloadResponse, request_log: RequestLog, environ: WSGIEnvironment) -> None:
        self._body, self._stats, self._request_log = response.body, response.stats, request_log
        self._socket, self._protocol = environ.get("gunicorn.socket"), environ.get("SERVER_PROTOCOL")

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._body)

    def fileno(self) -> int:
        """The descriptor of a local file (``wsgi.file_wrapper``)."""
        if (descriptor := self._body.descriptor) is None:
            raise UnsupportedOperation
        return descriptor

    def passed(self, count: int) -> None:
        """Count bytes that ``sendfile`` has sent."""
        self._body.passed(count)

    def close(self) -> None:
        """Release the file and the slot, and write the log line; the server calls this in every case."""
        try:
            self._body.close()
        finally:
            reset_when_broken(self._socket, self._protocol, self._stats)
            self._request_log.close()


def _regex(rule: str) -> str:
    return re.sub(r"<(\w+)>", r"(?P<\1>[^/]+)", rule)


def _bytes(text: str) -> bytes:
    """The bytes of a string of the environment (PEP 3333 decodes them as Latin-1)."""
    return text.encode("latin-1", "replace")


def _text(part: str) -> str:
    return part if part.isascii() else _bytes(part).decode("utf-8", "replace")
