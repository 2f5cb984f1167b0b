"""Where the time of a warm redirect goes: its steps, each for itself, in this process and without a server."""

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from flask import Flask
from werkzeug.test import EnvironBuilder

from bench.results import circumstances, note
from bench.table import microseconds
from gateway.app import create_app
from gateway.delivery.headers import redirect_headers
from gateway.observability.logging_setup import configure_logging
from gateway.observability.metrics import Metrics
from gateway.observability.request_log import RequestLog
from gateway.observability.transfer_stats import TransferStats
from gateway.services import Services, build_services
from gateway.settings import Settings
from gateway.web.request_parsing import parse_request
from tests.support.procfile_gateway import SECRET

HOST, TASK, LINK_ID = (
    "93.184.216.34",
    "task12345",
    "link",
)  # an address, so that no name is looked up; nobody goes there
CALLS, ROUNDS = 2_000, 7
Step = tuple[str, Callable[[], object]]


def run() -> None:
    """Print the table, and write it into ``bench/results.md``."""
    said = circumstances()
    with TemporaryDirectory(prefix="bench-") as folder, unseen_logs():
        os.environ.setdefault("PROMETHEUS_MULTIPROC_DIR", folder)  # counted in a file, as in production
        taken = [*steps(), ("Flask's bare 302, whole", _hello())]
        times = [(name, median(microseconds(step, CALLS) for _ in range(ROUNDS))) for name, step in taken]
    lines = ["| step | µs |", "|---|---:|", *(f"| {name} | {time:.1f} |" for name, time in times)]
    print("\n".join(lines))
    note("Where the time of a redirect goes", said, lines)


def steps() -> Iterator[Step]:
    """Each step of a warm redirect by its name, and the whole."""
    settings = _settings()
    gateway = build_services(settings)
    app = create_app(settings, gateway)
    link = gateway.signer.mint(TASK, f"https://{HOST}/cat.png", mode="redirect", link_id=LINK_ID)
    environ: dict[str, Any] = EnvironBuilder(path=link).get_environ()
    _answer(app, environ)  # from now on, everything is known
    yield from _parts(gateway, environ)
    yield "all of it: the door, as the server calls it", lambda: _answer(app, environ)


def _parts(gateway: Services, environ: dict[str, Any]) -> Iterator[Step]:
    query = environ["QUERY_STRING"].encode()
    request = parse_request(environ, gateway.via, ())
    link = gateway.links.verify(TASK, query)
    source = gateway.resolver.resolve(link.task_id, link.url)

    def request_log() -> None:
        begun = RequestLog(environ)
        begun.start_response(302, Metrics(), TransferStats("redirected", delivery="redirect", reason="mode"))
        begun.close()

    yield "read what the visitor asks", lambda: parse_request(environ, gateway.via, ())
    yield "verify: expiry and revocation of a link that is known", lambda: gateway.links.verify(TASK, query)
    yield "limit", lambda: gateway.limit.spend(request, link)
    yield "resolve: a direct URL that is known", lambda: gateway.resolver.resolve(link.task_id, link.url)
    yield "choose, and make the headers", lambda: gateway.deliverer.deliver(link, source, request)
    yield "of this, the headers", lambda: redirect_headers(link.url)
    yield "count", lambda: gateway.metrics.request_finished("redirect", "redirected", 0, 0)
    yield "the line in the log", request_log


def _answer(app: Flask, environ: dict[str, Any]) -> None:
    body: Any = app(environ.copy(), _start_response)
    for _ in body:
        pass
    body.close()


def _start_response(_status: str, _headers: object, _error: object = None) -> Callable[[bytes], object]:
    return bytes


def _hello() -> Callable[[], object]:
    app = Flask("hello")
    app.add_url_rule("/download/<task_id>", view_func=lambda task_id: (task_id, 302, {"Location": f"https://{HOST}/"}))
    environ: dict[str, Any] = EnvironBuilder(path=f"/download/{TASK}").get_environ()
    return lambda: _answer(app, environ)


def _settings() -> Settings:
    values: dict[str, Any] = {
        "secret_keys": SECRET,
        "resolver": "origin",
        "origin_hosts": HOST,
        "database_url": "sqlite:///:memory:",
        "downloads_per_minute": "1000000000",
        "metrics_token": "m" * 32,
    }
    return Settings(_env_file=None, **values)


@contextmanager
def unseen_logs() -> Iterator[None]:
    """Have the lines written, and nobody read them."""
    handlers = logging.root.handlers[:]
    with open(os.devnull, "w", encoding="utf-8") as nowhere, redirect_stderr(nowhere):  # noqa: PTH123 (a device)
        configure_logging()
        try:
            yield
        finally:
            logging.root.handlers[:] = handlers
