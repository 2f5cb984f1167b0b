"""The sandbox provider: speaks the provider's contract, and serves what its direct URLs point to."""

import hashlib
import hmac
import os
import time
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from flask import Flask, Response, request, send_from_directory

from gateway.demo.catalogue import IMAGES, Sample, sample_of

LIFE_S = 1200
ORIGIN_URL = os.environ["DEMO_ORIGIN_URL"]
OWN_URL = os.environ["DEMO_PROVIDER_URL"]
API_KEY = os.environ["DEMO_PROVIDER_KEY"]
_signing_key = hashlib.sha256(f"sandbox {API_KEY}".encode()).digest()

app = Flask(__name__, static_folder=None)


@app.post("/api/v1/gpt4o-image/download-url")
def download_url() -> dict[str, Any]:
    """Convert an image URL to a direct URL; every answer is HTTP 200 with the code in the body, as in the contract."""
    bearer = request.headers.get("Authorization", "")
    if not hmac.compare_digest(bearer.encode(), f"Bearer {API_KEY}".encode()):
        return _refusal(401, "You do not have access permissions")
    body = request.get_json(silent=True)
    task_id, url = (body.get("taskId"), body.get("url")) if isinstance(body, dict) else (None, None)
    if not isinstance(task_id, str) or not isinstance(url, str):
        return _refusal(422, "The request parameters failed validation checks")
    sample = sample_of(task_id)
    if sample is None:
        return _refusal(422, "record is null")
    if url != f"{ORIGIN_URL}/v/{sample.name}":
        return _refusal(422, "The request parameters failed validation checks")
    return {"code": 200, "msg": "success", "data": _direct_url(sample)}


@app.get("/objects/<task_id>/<name>")
def direct(task_id: str, name: str) -> Response:
    """Serve the object of an unexpired direct URL; half of them as an attachment, half of them not."""
    date, signature = request.args.get("X-Amz-Date", ""), request.args.get("X-Amz-Signature", "")
    expected = _signature(request.method, task_id, name, date)
    sample = sample_of(task_id)
    if sample is None or not hmac.compare_digest(expected, signature) or _age_s(date) > LIFE_S:
        return Response("<Error><Code>AccessDenied</Code></Error>", status=403, mimetype="application/xml")
    response = send_from_directory(IMAGES, name, max_age=0)
    if sample.attachment:
        response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


@app.get("/healthz")
def healthz() -> str:
    """The process answers."""
    return "ok\n"


def _refusal(code: int, msg: str) -> dict[str, Any]:
    return {"code": code, "msg": msg, "data": None}


def _direct_url(sample: Sample) -> str:
    date = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    query = {
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Date": date,
        "X-Amz-Expires": LIFE_S,
        "X-Amz-Signature": _signature("GET", sample.task_id, sample.name, date),
    }
    return f"{OWN_URL}/objects/{sample.task_id}/{sample.name}?{urlencode(query)}"


def _signature(*parts: str) -> str:
    """As with S3, the method is part of what is signed: a HEAD to a GET's URL is refused."""
    return hmac.new(_signing_key, "\n".join(parts).encode(), hashlib.sha256).hexdigest()


def _age_s(date: str) -> float:
    return time.time() - datetime.strptime(date, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
