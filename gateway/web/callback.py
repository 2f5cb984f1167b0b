"""The provider calls when a task is done."""

from flask import Blueprint, Response, request

from gateway.errors import NotFound
from gateway.records.completion_callback import PATH, Proof
from gateway.web.app_context import services
from gateway.web.request_body import whole_body
from gateway.web.responses import envelope

blueprint = Blueprint("callback", __name__)


@blueprint.post(PATH)
def callback() -> Response:
    """Keep what the provider tells of a task. The HTTP status is real, so that the provider repeats what failed.

    Raises:
        NotFound: this gateway keeps no records.
        CallbackRefused, InvalidBody, BodyTooLarge, UploadBroken, CallbackConflict: nothing was kept.
    """
    own = services().own
    if own is None:
        raise NotFound("no store", opened_by="GATEWAY_RESOLVER=store")
    proof = Proof(
        token=request.args.get("token", ""),
        timestamp=request.headers.get("X-Webhook-Timestamp", ""),
        signature=request.headers.get("X-Webhook-Signature", ""),
    )
    record = own.callbacks.receive(whole_body, proof)
    services().resolver.forget(record.task_id, *(record.result_urls or ()))
    return envelope(None)
