"""The sandbox provider: the gateway in the provider's role, with the demo's samples for records."""

import os
import time

from flask import Flask, Response

from gateway.app import create_app
from gateway.demo.catalogue import SAMPLES
from gateway.environment import load_settings
from gateway.logs import set_up_logs
from gateway.records.record import Record
from gateway.services import build_services
from gateway.settings import Settings

SHOWN = frozenset(sample.name for sample in SAMPLES if not sample.attachment)


def create_sandbox(settings: Settings, origin_url: str) -> Flask:
    """Compose the gateway, fill in the records, and serve half of the samples as most buckets do: to be shown."""
    services = build_services(settings)
    app = create_app(settings, services)
    if services.own is None:
        raise ValueError("the sandbox provider needs GATEWAY_RESOLVER=store")
    now_ms = int(time.time() * 1000)
    for sample in SAMPLES:
        url = f"{origin_url}/v/{sample.name}"
        services.own.records.put(Record(sample.task_id, "SUCCESS", (url,), now_ms, now_ms))
    serve = app.view_functions["files.file"]

    def file(digest: str, name: str) -> Response:
        """Serve an object as it is, or without what makes a download of it."""
        response: Response = serve(digest=digest, name=name)  # type: ignore[assignment]  # a view of ours
        if name in SHOWN:
            response.headers.remove("Content-Disposition")
        return response

    app.view_functions["files.file"] = file
    return app


def build() -> Flask:
    """Build the sandbox from the environment that ``gateway.demo.run`` prepares."""
    set_up_logs()
    return create_sandbox(load_settings(), os.environ["DEMO_ORIGIN_URL"])
