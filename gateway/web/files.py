"""Our own objects, at the signed URLs that others got for direct URLs."""

import math
import re

from flask import Blueprint, Response, request

from gateway.delivery.exchange import DownloadRequest, DownloadResponse
from gateway.errors import LinkInvalid, NotFound, OriginGone
from gateway.links.damage import without_punctuation
from gateway.links.link import FieldFault, Link
from gateway.links.query import parse_query
from gateway.services import Services
from gateway.services.store import OwnStore
from gateway.sources.stored import StoredSource
from gateway.web.app_context import services
from gateway.web.download_app import raise_refusal
from gateway.web.pages import preview_page
from gateway.web.preview_bots import is_preview_bot

blueprint = Blueprint("files", __name__)
PATH = re.compile(r"/files/(?P<digest>[^/]+)/(?P<name>[^/]+)")


def file(
    gateway: Services, download_request: DownloadRequest, query: bytes, digest: str, name: str
) -> tuple[Link, DownloadResponse]:
    """Serve an object as an attachment, ranges included.

    Raises:
        LinkInvalid, LinkExpired: the URL is not, or no longer, good.
        OriginGone: the object was dropped.
    """
    own = gateway.own
    if own is None:
        raise NotFound("no store", opened_by="GATEWAY_RESOLVER=store")
    _verify(own, query, digest, name)
    stored = own.index.by_digest(digest)
    if stored is None:
        raise OriginGone("no image has this object any more")
    source = StoredSource(own.objects, stored, own.public_url, math.inf)
    link = Link(digest, f"file:{digest}", filename=name, mode="stream")
    return link, gateway.deliverer.deliver(link, source, download_request)


def _verify(own: OwnStore, query: bytes, digest: str, name: str) -> None:
    try:
        raw = parse_query(query)
    except FieldFault as fault:
        raise LinkInvalid(str(fault)) from None
    own.files.verify(digest, name, raw.get("expires", ""), without_punctuation(raw.get("sig", "")))


@blueprint.get("/files/<digest>/<name>")
def refusal(digest: str, name: str) -> Response:
    """Say why the door did not open; to a link previewer, what the link is.

    Raises:
        LinkInvalid: there is no signature at all.
    """
    raise_refusal(request.environ)
    own = services().own
    if own is not None and request.query_string and is_preview_bot(request.environ):
        _verify(own, request.query_string, digest, name)
        return preview_page(Link(digest, f"file:{digest}", filename=name))
    raise LinkInvalid("file link without a query")
