"""The completion callback, which the provider sends when a task has ended."""

from flask import Blueprint, Response, request

from gateway.errors import NotFound
from gateway.records.completion_callback import PATH, CallbackCredentials
from gateway.web.app_context import services
from gateway.web.request_body import read_body
from gateway.web.responses import envelope

blueprint = Blueprint("callback", __name__)


@blueprint.post(PATH)
def callback() -> Response:
    """Store the result of a task. Errors have real HTTP statuses, so that the provider repeats the callback.

    Raises:
        NotFound: this gateway has no store.
        CallbackRefused, InvalidBody, BodyTooLarge, UploadBroken, CallbackConflict: nothing was stored.
    """
    store = services().store
    if store is None:
        raise NotFound("no store", enabled_by="GATEWAY_RESOLVER=store")
    proof = CallbackCredentials(
        token=request.args.get("token", ""),
        timestamp=request.headers.get("X-Webhook-Timestamp", ""),
        signature=request.headers.get("X-Webhook-Signature", ""),
    )
    record = store.callbacks.receive(read_body, proof)
    services().resolver.invalidate(record.task_id, *(record.result_urls or ()))
    return envelope(None)
