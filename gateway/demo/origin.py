"""The sample origin, which serves the images without CORS and ``attachment``, as the provider's hosts do."""

from flask import Flask, Response, send_from_directory

from gateway.demo.catalogue import IMAGES

app = Flask(__name__, static_folder=None)


@app.get("/v/<name>")
def image(name: str) -> Response:
    """Serve an image that browsers display."""
    return send_from_directory(IMAGES, name, max_age=0)


@app.get("/healthz")
def healthz() -> str:
    """Health check."""
    return "ok\n"
