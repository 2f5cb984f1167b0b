"""The sample origin: where the demo's images are published. No CORS, no ``attachment``: as on the provider's hosts."""

from flask import Flask, Response, send_from_directory

from gateway.demo.catalogue import IMAGES

app = Flask(__name__, static_folder=None)


@app.get("/v/<name>")
def image(name: str) -> Response:
    """Serve an image so that a browser shows it."""
    return send_from_directory(IMAGES, name, max_age=0)


@app.get("/healthz")
def healthz() -> str:
    """The process answers."""
    return "ok\n"
