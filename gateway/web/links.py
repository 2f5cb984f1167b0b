"""Our API under /api/v1: parse, call, envelope."""

import secrets
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import Annotated, Any, Literal

from flask import Blueprint, Response
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gateway.errors import InvalidBody, OriginNotAllowed
from gateway.links.link import LONGEST_LIFE_S, SHORTEST_LIFE_S, FieldFault, Link, Mode
from gateway.web.app_context import services, settings
from gateway.web.auth import admitted
from gateway.web.request_body import whole_body
from gateway.web.responses import envelope
from gateway.web.schemas import FileName, ImageUrl, LinkMinted, TaskId

blueprint = Blueprint("api", __name__, url_prefix="/api/v1")


class LinkOrder(BaseModel):
    """The body of ``POST /api/v1/links``."""

    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)

    task_id: TaskId = Field(alias="taskId")
    url: ImageUrl = Field(description="The image to download, on a host that the gateway serves from.")
    kind: Literal["page"] = Field("page", description="Where the link will be: in a page.")
    filename: FileName | None = Field(None, description="The name of the saved file. Null: the name in the URL.")
    mode: Mode | None = Field(None, description="How the file is delivered. Null: as the operator has set it.")
    expires_in: Annotated[int, Field(ge=SHORTEST_LIFE_S, le=LONGEST_LIFE_S)] | None = Field(
        None, alias="expiresIn", description="How long the link works, in seconds. Null: as the operator has set it."
    )


@blueprint.post("/links")
def mint_link() -> Response:
    """Mint a page link for one image.

    Raises:
        AccessError: 401 or 403.
        RateLimited: 429.
        InvalidBody: 422, naming the field and the remedy.
        BodyTooLarge, UploadBroken: 413 or 400.
    """
    admitted("links")
    gateway = services()
    order = _order(whole_body())
    url = gateway.own.published.original(order.task_id, order.url) if gateway.own else order.url
    life_s = settings().page_link_lifetime_s if order.expires_in is None else order.expires_in
    expires = gateway.signer.expiry(life_s)
    link_id = secrets.token_urlsafe(9)
    try:
        href = gateway.signer.href(Link(order.task_id, url, expires, order.mode, order.filename, link_id))
        gateway.guard.admit(url)
    except FieldFault as fault:
        raise InvalidBody(f"{_WIRE_NAMES.get(fault.field, fault.field)}: {fault.remedy}") from None
    except OriginNotAllowed as refused:
        raise InvalidBody(f"url: {refused.advice}") from None
    minted = LinkMinted(
        id=link_id,
        link=href,
        expires_at=datetime.fromtimestamp(expires, UTC),
        warnings=[*settings().warnings, *settings().warnings_of_life(life_s)],
    )
    return envelope(minted.model_dump(mode="json", by_alias=True, exclude_defaults=True))


_WIRE_NAMES = {"task_id": "taskId"}


def _order(body: bytes) -> LinkOrder:
    try:
        return LinkOrder.model_validate_json(body)
    except ValidationError as invalid:
        raise InvalidBody(told(invalid, LinkOrder)) from None


def told(invalid: ValidationError, model: type[BaseModel]) -> str:
    """What is wrong with a body of ``model``: each field and its remedy, never a value."""
    names = [field.alias or name for name, field in model.model_fields.items()]
    return "; ".join(_told(error, names) for error in invalid.errors(include_url=False))


def _told(error: Any, names: list[str]) -> str:  # noqa: ANN401 (pydantic's ErrorDetails)
    field = ".".join(str(part) for part in error["loc"])
    if error["type"] == "json_invalid":
        return "the body is not JSON"
    if error["type"] == "extra_forbidden":
        near = get_close_matches(field[:64], names, n=1)
        return f"{field[:64]}: there is no such field" + (f"; did you mean {near[0]}?" if near else "")
    if error["type"] == "missing":
        return f"{field}: is missing"
    return f"{field}: {error['msg'].replace('Input should be', 'must be')}" if field else "the body must be an object"
