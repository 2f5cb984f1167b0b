"""The sandbox provider: a gateway in the provider's role, with records of the demo's samples."""

import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from flask import Flask

from gateway.app import create_app
from gateway.demo.catalogue import SAMPLES
from gateway.demo.roles import ORIGIN_URL
from gateway.observability.logging_setup import configure_logging
from gateway.records.record import Record
from gateway.services import build_services
from gateway.settings import Settings
from gateway.settings.loader import load_settings

DISPLAYED = frozenset(sample.name for sample in SAMPLES if not sample.attachment)


def create_sandbox(settings: Settings, origin_url: str) -> Flask:
    """Create the application and its records; half of the samples are served without ``attachment``."""
    services = build_services(settings)
    app = create_app(settings, services)
    if services.store is None:
        raise ValueError("the sandbox provider needs GATEWAY_RESOLVER=store")
    now_ms = int(time.time() * 1000)
    for sample in SAMPLES:
        url = f"{origin_url}/v/{sample.name}"
        services.store.records.put(Record(sample.task_id, "SUCCESS", (url,), now_ms, now_ms))
    app.wsgi_app = _without_attachment(app.wsgi_app)  # type: ignore[method-assign,assignment]
    return app


def _without_attachment(wsgi_app: WSGIApplication) -> WSGIApplication:
    """Remove ``Content-Disposition`` from responses with some of the samples."""

    def shown(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        def start(status: str, headers: list[tuple[str, str]], *error: Any) -> Any:  # noqa: ANN401 (PEP 3333)
            return start_response(status, [pair for pair in headers if pair[0] != "Content-Disposition"], *error)

        return wsgi_app(environ, start if Path(environ["PATH_INFO"]).name in DISPLAYED else start_response)

    return shown


def build() -> Flask:
    """Build the sandbox from the environment that ``gateway.demo.run`` prepares."""
    configure_logging()
    return create_sandbox(load_settings(), os.environ[ORIGIN_URL])
