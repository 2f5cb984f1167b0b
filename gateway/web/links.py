"""``/api/v1/links``: create, inspect, list and revoke links."""

import secrets
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from flask import Blueprint, Response, request
from pydantic import BaseModel, ConfigDict, Field

from gateway.errors import InvalidBody, LinkUnknown, OriginNotAllowed
from gateway.links.link import LINK_ID, LONGEST_LIFE_S, SHORTEST_LIFE_S, TASK_ID, FieldFault, Link, Mode
from gateway.links.stored_link import StoredLink
from gateway.web.app_context import services, settings
from gateway.web.auth import authorize
from gateway.web.link_schemas import LinkInfo, LinkMinted
from gateway.web.request_body import parse_json_body
from gateway.web.responses import envelope
from gateway.web.schemas import FileName, ImageUrl, TaskId

blueprint = Blueprint("links", __name__, url_prefix="/api/v1")
PAGE_SIZE = 50
LARGEST_PAGE = 200


class LinkBody(BaseModel):
    """The body of ``POST /api/v1/links``."""

    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)

    task_id: TaskId = Field(alias="taskId")
    url: ImageUrl = Field(description="The URL of the image, on a host in `GATEWAY_ORIGIN_HOSTS`.")
    kind: Literal["page", "email"] = Field(
        "page",
        description="`page`: a signed link that begins the download, for pages. `email`: a short link that is stored, "
        "and leads to a page with a download button, for e-mails.",
    )
    filename: FileName | None = Field(None, description="The name of the saved file. Default: the name in the URL.")
    mode: Mode | None = Field(None, description="How the file is delivered. Default: `GATEWAY_DEFAULT_MODE`.")
    expires_in: Annotated[int, Field(ge=SHORTEST_LIFE_S, le=LONGEST_LIFE_S)] | None = Field(
        None,
        alias="expiresIn",
        description="The lifetime of the link in seconds. Default: `GATEWAY_PAGE_LINK_LIFETIME_S` or "
        "`GATEWAY_EMAIL_LINK_LIFETIME_S`.",
    )
    max_downloads: Annotated[int, Field(ge=1, le=1_000_000)] | None = Field(
        None,
        alias="maxDownloads",
        description="How many downloads may complete; only of an `email` link. Default: no limit.",
    )


@blueprint.post("/links")
def mint_link() -> Response:
    """Create a link to one image.

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
    if body.kind == "page" and body.max_downloads is not None:
        raise InvalidBody("maxDownloads: only links of kind email count downloads")
    lifetime_s = body.expires_in or (
        settings().page_link_lifetime_s if body.kind == "page" else settings().email_link_lifetime_s
    )
    expires = gateway.signer.expiry(lifetime_s)
    link_id = secrets.token_urlsafe(9) if body.kind == "page" else gateway.short_codes.new_id()
    try:
        link = Link(body.task_id, url, expires, body.mode, body.filename, link_id)
        href = gateway.signer.href(link)
        gateway.guard.check_link_url(url)
    except FieldFault as fault:
        field = "taskId" if fault.field == "task_id" else fault.field
        raise InvalidBody(f"{field}: {fault.remedy}") from None
    except OriginNotAllowed as error:
        raise InvalidBody(f"url: {error.advice}") from None
    if body.kind == "email":
        gateway.stored_links.create(link, body.max_downloads)
        href = gateway.short_codes.href(link_id)
    minted = LinkMinted(
        id=link_id,
        link=href,
        expires_at=datetime.fromtimestamp(expires, UTC),
        warnings=[*settings().warnings, *settings().lifetime_warnings(lifetime_s)],
    )
    return envelope(minted.model_dump(mode="json", by_alias=True, exclude_defaults=True))


@blueprint.get("/links/<link_id>")
def get_link(link_id: str) -> Response:
    """Return a stored link.

    Raises:
        AccessError: 401 or 403.
        RateLimited: 429.
        LinkUnknown: no link is stored under this id.
        DatabaseDown: the link cannot be looked up.
    """
    authorize("links")
    return envelope(_described(_stored(link_id)))


@blueprint.get("/links")
def list_links() -> Response:
    """Return the stored links of a task, the newest first, in pages.

    Raises:
        AccessError: 401 or 403.
        RateLimited: 429.
        InvalidBody: 422, naming the parameter and the remedy.
        DatabaseDown: the links cannot be looked up.
    """
    authorize("links")
    task_id = request.args.get("taskId", "")
    if not TASK_ID.fullmatch(task_id):
        raise InvalidBody("taskId: is missing, or no task id")
    limit = request.args.get("limit", str(PAGE_SIZE))
    if not limit.isascii() or not limit.isdecimal() or not 1 <= int(limit[:4]) <= LARGEST_PAGE:
        raise InvalidBody(f"limit: must be a number from 1 to {LARGEST_PAGE}")
    found = services().stored_links.of_task(task_id, int(limit) + 1, request.args.get("after", ""))
    shown = found[: int(limit)]
    following = shown[-1].id if len(found) > len(shown) else None
    return envelope({"links": [_described(stored) for stored in shown], "next": following})


@blueprint.delete("/links/<link_id>")
def revoke_link(link_id: str) -> Response:
    """Revoke a link: a stored link, or a page link by its id. Every worker refuses it within a second.

    Raises:
        AccessError: 401 or 403.
        RateLimited: 429.
        LinkUnknown: the id is malformed.
        DatabaseDown: nothing was revoked.
    """
    authorize("links")
    if not LINK_ID.fullmatch(link_id):
        raise LinkUnknown("no link id")
    services().stored_links.revoke(link_id)
    services().ledger.refresh()
    return envelope({"id": link_id})


def _stored(link_id: str) -> StoredLink:
    stored = services().stored_links.find(link_id)
    if stored is None:
        raise LinkUnknown(f"{link_id}: is not stored")
    return stored


def _described(stored: StoredLink) -> dict[str, Any]:
    gateway = services()
    described = LinkInfo.of(stored, gateway.short_codes.href(stored.id), gateway.stored_links.now_ms())
    return described.model_dump(mode="json", by_alias=True)
