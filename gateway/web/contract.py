"""The provider's contract, served by us. Errors travel as HTTP 200, with the code in the body."""

import json

from flask import Blueprint, Response, request
from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError

from gateway.errors import InvalidBody, RecordNotFound
from gateway.links.link import TASK_ID, FieldFault, Link
from gateway.provider.client import DOWNLOAD_URL, RECORD_INFO
from gateway.resolving.upstream import DIRECT_URL_LIFE_S
from gateway.web.app_context import services
from gateway.web.auth import admitted
from gateway.web.links import told
from gateway.web.request_body import whole_body
from gateway.web.responses import contract_envelope
from gateway.web.schemas import ImageUrl, TaskId

blueprint = Blueprint("contract", __name__)
# The contract promises twenty minutes; what is known already is given again only while it is nearly new.
LEAST_LIFE_S = 0.9 * DIRECT_URL_LIFE_S


class DownloadUrlOrder(BaseModel):
    """The body of ``POST /api/v1/gpt4o-image/download-url``. Callers in the wild send other names, too."""

    model_config = ConfigDict(hide_input_in_errors=True)

    task_id: TaskId = Field(validation_alias=AliasChoices("taskId", "task_id"))
    url: ImageUrl = Field(
        validation_alias=AliasChoices("url", "imageUrl"),
        description="The original image URL that needs to be converted to a direct download URL",
    )


@blueprint.post(DOWNLOAD_URL)
def download_url() -> Response:
    """Convert an image URL to a direct URL that is good for twenty minutes.

    Raises:
        GatewayError: told in the contract's codes and words.
    """
    admitted("download-url")
    link = _asked(whole_body())
    gateway = services()
    source = gateway.resolver.resolve(link.task_id, link.url, least_life_s=LEAST_LIFE_S)
    return contract_envelope(gateway.deliverer.direct_url(link, source))


@blueprint.get(RECORD_INFO)
def record_info() -> Response:
    """Give a record in the provider's form: our own, or the provider's, relayed.

    Raises:
        GatewayError: told in the contract's codes and words.
    """
    admitted("download-url")
    task_id = request.args.get("taskId") or request.args.get("task_id") or ""
    if not TASK_ID.fullmatch(task_id):
        raise InvalidBody("taskId: is missing, or none that a task can have")
    gateway = services()
    if gateway.infos is not None:
        return contract_envelope(gateway.infos.find(task_id))
    own = gateway.own
    record = own.records.find(task_id) if own else None
    if own is None or record is None:
        raise RecordNotFound("no record")
    return contract_envelope(record.to_wire(own.published.of(record)))


def _asked(body: bytes) -> Link:
    try:
        # json takes more than pydantic's parser does (UTF-16, for one), and callers may count on it.
        order = DownloadUrlOrder.model_validate(json.loads(body))
        own = services().own
        return Link(order.task_id, own.published.original(order.task_id, order.url) if own else order.url)
    except FieldFault as fault:
        raise InvalidBody(str(fault)) from None
    except ValidationError as invalid:
        raise InvalidBody(told(invalid, DownloadUrlOrder)) from None
    except (ValueError, RecursionError):
        raise InvalidBody("the body is not JSON") from None
