"""``/d/<code>``: the page of a stored link. Its button, and nothing else, begins a download."""

import re
import secrets
from datetime import UTC, datetime

from flask import Blueprint, Response, request

from gateway.delivery.filename import file_name
from gateway.errors import GatewayError, LinkBusy, LinkExpired, LinkRevoked, LinkUsedUp
from gateway.files.file_info import FileInfo
from gateway.files.media_types import UNKNOWN, detect_media_type
from gateway.links.stored_link import StoredLink
from gateway.web.app_context import services
from gateway.web.pages import PAGE_POLICY, page
from gateway.web.preview_bots import is_preview_bot
from gateway.web.request_logging import request_log
from gateway.web.responses import add_security_headers
from gateway.web.translations import texts

blueprint = Blueprint("short_links", __name__)
BUTTON_LINK_LIFE_S = 120
# The form leads to a page link (303), which may redirect to another host (302). 'self' alone would block that.
POLICY = PAGE_POLICY.replace("form-action 'none'", "form-action 'self' https:").replace(
    "style-src 'self'", "style-src 'self'; script-src 'self'"
)
_KEY = re.compile(r"[0-9a-f]{16}")
_SENDS_FETCH_USER = re.compile(r"Chrome/|Firefox/")  # WebKit sends Sec-Fetch-Mode, and no Sec-Fetch-User


@blueprint.get("/d/<code>")
def show(code: str) -> Response:
    """Show the page of a link. It counts as no download, and no script on it starts one.

    Raises:
        LinkInvalid: the code is malformed or forged; this needs no query.
        LinkExpired, LinkRevoked, LinkUsedUp: the link permits no download.
        DatabaseDown: the link cannot be looked up.
    """
    request_log().outcome = "previewed"
    return _show(code, _usable(code))


@blueprint.post("/d/<code>")
def start(code: str) -> Response:
    """Reserve a download, and redirect to a page link that is valid for two minutes.

    A form that was submitted without the button, or by a script, is answered by the page again.

    Raises:
        LinkInvalid, LinkExpired, LinkRevoked, LinkUsedUp, DatabaseDown: as :func:`show`.
        LinkBusy: all downloads that are left are running.
    """
    stored = _usable(code)
    key = request.form.get("download", "")
    if not _KEY.fullmatch(key) or not _pressed_by_a_person():
        return _show(code, stored)
    gateway = services()
    download_id = gateway.stored_links.reserve(stored.id, key)
    if download_id is None:
        raise LinkBusy(f"{stored.id}: all downloads are reserved", retry_after_s=BUTTON_LINK_LIFE_S)
    href = gateway.signer.mint(
        stored.link.task_id,
        stored.link.url,
        lifetime_s=BUTTON_LINK_LIFE_S,
        mode=stored.link.mode,
        filename=stored.link.filename,
        link_id=download_id,
    )
    request_log().link = stored.id
    return add_security_headers(Response(status=303, headers={"Location": href}))


def _usable(code: str) -> StoredLink:
    gateway = services()
    link_id = gateway.short_codes.verify(code)
    stored = gateway.stored_links.find(link_id)
    if stored is None:
        raise LinkExpired(f"{link_id}: deleted")
    request_log().link, request_log().task = stored.id, stored.link.task_id
    errors = {"expired": LinkExpired, "revoked": LinkRevoked, "used_up": LinkUsedUp}
    if error := errors.get(stored.state(gateway.stored_links.now_ms())):
        raise error(link_id)
    return stored


def _pressed_by_a_person() -> bool:
    """Whether the request can come from a person who pressed the button (Fetch Metadata, section 2.4).

    A browser that a script drives sends ``Sec-Fetch-Mode`` without ``Sec-Fetch-User``, unless the script also sends
    real key or mouse events.
    """
    mode, user = request.headers.get("Sec-Fetch-Mode", ""), request.headers.get("Sec-Fetch-User", "")
    if not mode:
        return True
    return mode == "navigate" and (user == "?1" or not _SENDS_FETCH_USER.search(request.headers.get("User-Agent", "")))


def _show(code: str, stored: StoredLink) -> Response:
    info = None if is_preview_bot(request.environ) else _info(stored)
    media = UNKNOWN if info is None else detect_media_type(info.head)
    now_ms = services().stored_links.now_ms()
    return page(
        "link.html",
        policy=POLICY,
        code=code,
        name=file_name(stored.link.filename, stored.link.url, stored.link.task_id, media),
        kind=media.extensions[0].upper() if media.extensions else "",
        size=None if info is None else info.length,
        downloads_left=stored.downloads_left,
        expires_at=datetime.fromtimestamp(stored.expires_at // 1000, UTC),
        expires=_expires((stored.expires_at - now_ms) // 1000),
        key=secrets.token_hex(8),
    )


def _info(stored: StoredLink) -> FileInfo | None:
    """The file's metadata; None when the file is not available now."""
    gateway = services()
    try:
        return gateway.resolver.resolve(stored.link.task_id, stored.link.url).probe()
    except GatewayError:
        return None


def _expires(seconds: int) -> str:
    """The remaining lifetime in words."""
    for unit, unit_s, least in (("days", 86_400, 2), ("hours", 3_600, 2), ("minutes", 60, 0)):
        if seconds >= least * unit_s:
            return str(texts()["link"][f"expires_{unit}"]).replace("{count}", str(max(1, round(seconds / unit_s))))
    raise AssertionError("an expired link has no page")
