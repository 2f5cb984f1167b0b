"""The provider's API, served by the gateway. By its contract, errors are HTTP 200 with a code in the body."""

import json

from flask import Blueprint, Response, request
from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError

from gateway.errors import InvalidBody, RecordNotFound
from gateway.links.link import TASK_ID, FieldFault, Link
from gateway.provider.client import DOWNLOAD_URL, RECORD_INFO
from gateway.resolving.upstream_resolver import DIRECT_URL_LIFE_S
from gateway.web.app_context import services
from gateway.web.auth import authorize
from gateway.web.request_body import format_errors, read_body
from gateway.web.responses import contract_envelope
from gateway.web.schemas import ImageUrl, TaskId

blueprint = Blueprint("contract", __name__)
# The contract promises 20 minutes, so a cached direct URL is returned only with 90 % of its lifetime left.
LEAST_LIFE_S = 0.9 * DIRECT_URL_LIFE_S


class DownloadUrlBody(BaseModel):
    """The body of ``POST /api/v1/gpt4o-image/download-url``. Existing callers send the aliases, too."""

    model_config = ConfigDict(hide_input_in_errors=True)

    task_id: TaskId = Field(validation_alias=AliasChoices("taskId", "task_id"))
    url: ImageUrl = Field(
        validation_alias=AliasChoices("url", "imageUrl"),
        description="The original image URL that needs to be converted to a direct download URL",
    )


@blueprint.post(DOWNLOAD_URL)
def download_url() -> Response:
    """Convert an image URL to a direct URL that is valid for 20 minutes.

    Raises:
        GatewayError: rendered with the contract's code and message.
    """
    authorize("download-url")
    link = _parse_link(read_body())
    gateway = services()
    source = gateway.resolver.resolve(link.task_id, link.url, required_life_s=LEAST_LIFE_S)
    return contract_envelope(gateway.deliverer.direct_url(link, source))


@blueprint.get(RECORD_INFO)
def record_info() -> Response:
    """Return a record in the provider's format: from the gateway's store, or relayed from the provider.

    Raises:
        GatewayError: rendered with the contract's code and message.
    """
    authorize("download-url")
    task_id = request.args.get("taskId") or request.args.get("task_id") or ""
    if not TASK_ID.fullmatch(task_id):
        raise InvalidBody("taskId: is missing or invalid")
    gateway = services()
    if gateway.record_info is not None:
        return contract_envelope(gateway.record_info.find(task_id))
    store = gateway.store
    record = store.records.find(task_id) if store else None
    if store is None or record is None:
        raise RecordNotFound("no record")
    return contract_envelope(record.to_wire(store.published.of(record)))


def _parse_link(raw: bytes) -> Link:
    try:
        # Unlike pydantic's parser, json accepts UTF-16, which callers may send.
        body = DownloadUrlBody.model_validate(json.loads(raw))
        store = services().store
        return Link(body.task_id, store.published.original(body.task_id, body.url) if store else body.url)
    except FieldFault as fault:
        raise InvalidBody(str(fault)) from None
    except ValidationError as error:
        raise InvalidBody(format_errors(error, DownloadUrlBody)) from None
    except (ValueError, RecursionError):
        raise InvalidBody("the body is not JSON") from None
