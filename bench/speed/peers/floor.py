"""Flask alone, on the worker that the gateway runs on: the least that any answer costs."""

import os

from flask import Flask, Response, send_file

LOCATION = "https://example.com/" + "x" * 380  # as long as a presigned URL
app = Flask(__name__)


@app.get("/download/<task_id>")
def redirect(task_id: str) -> tuple[str, int, dict[str, str]]:  # noqa: ARG001 (part of the route)
    """A redirect, whatever is asked for."""
    return "", 302, {"Location": LOCATION}


@app.get("/image.png")
def image() -> Response:
    """One file."""
    return send_file(os.environ["BENCH_IMAGE"], as_attachment=True)


@app.get("/healthz")
def healthz() -> str:
    """Say that it runs."""
    return "ok"
