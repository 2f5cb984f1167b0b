"""``POST /api/v1/links``: create signed links."""

import secrets
from datetime import UTC, datetime
from typing import Annotated, Literal

from flask import Blueprint, Response
from pydantic import BaseModel, ConfigDict, Field

from gateway.errors import InvalidBody, OriginNotAllowed
from gateway.links.link import LONGEST_LIFE_S, SHORTEST_LIFE_S, FieldFault, Link, Mode
from gateway.web.app_context import services, settings
from gateway.web.auth import authorize
from gateway.web.request_body import parse_json_body
from gateway.web.responses import envelope
from gateway.web.schemas import FileName, ImageUrl, LinkMinted, TaskId

blueprint = Blueprint("links", __name__, url_prefix="/api/v1")


class LinkBody(BaseModel):
    """The body of ``POST /api/v1/links``."""

    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)

    task_id: TaskId = Field(alias="taskId")
    url: ImageUrl = Field(description="The URL of the image, on a host in `GATEWAY_ORIGIN_HOSTS`.")
    kind: Literal["page"] = Field("page", description="The kind of link. `page`: a link in a page.")
    filename: FileName | None = Field(None, description="The name of the saved file. Default: the name in the URL.")
    mode: Mode | None = Field(None, description="How the file is delivered. Default: `GATEWAY_DEFAULT_MODE`.")
    expires_in: Annotated[int, Field(ge=SHORTEST_LIFE_S, le=LONGEST_LIFE_S)] | None = Field(
        None,
        alias="expiresIn",
        description="The lifetime of the link in seconds. Default: `GATEWAY_PAGE_LINK_LIFETIME_S`.",
    )


@blueprint.post("/links")
def mint_link() -> Response:
    """Create a page link to one image.

    Raises:
        AccessError: 401 or 403.
        RateLimited: 429.
        InvalidBody: 422, naming the field and the remedy.
        BodyTooLarge, UploadBroken: 413, 400.
    """
    authorize("links")
    gateway = services()
    body = parse_json_body(LinkBody)
    url = gateway.store.published.original(body.task_id, body.url) if gateway.store else body.url
    lifetime_s = settings().page_link_lifetime_s if body.expires_in is None else body.expires_in
    expires = gateway.signer.expiry(lifetime_s)
    link_id = secrets.token_urlsafe(9)
    try:
        href = gateway.signer.href(Link(body.task_id, url, expires, body.mode, body.filename, link_id))
        gateway.guard.check_link_url(url)
    except FieldFault as fault:
        field = "taskId" if fault.field == "task_id" else fault.field
        raise InvalidBody(f"{field}: {fault.remedy}") from None
    except OriginNotAllowed as error:
        raise InvalidBody(f"url: {error.advice}") from None
    minted = LinkMinted(
        id=link_id,
        link=href,
        expires_at=datetime.fromtimestamp(expires, UTC),
        warnings=[*settings().warnings, *settings().lifetime_warnings(lifetime_s)],
    )
    return envelope(minted.model_dump(mode="json", by_alias=True, exclude_defaults=True))
