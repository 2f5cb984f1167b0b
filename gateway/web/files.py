"""``GET /files/<digest>/<name>``: stored objects, at the signed URLs that are their direct URLs."""

import math

from flask import Blueprint, Response, request

from gateway.delivery.exchange import DownloadRequest, DownloadResponse
from gateway.errors import LinkInvalid, NotFound, OriginGone
from gateway.links.damage import strip_punctuation
from gateway.links.link import FieldFault, Link
from gateway.links.query import parse_query
from gateway.services import Services
from gateway.services.store_services import StoreServices
from gateway.sources.stored import StoredSource
from gateway.web.app_context import services
from gateway.web.download_app import FileRoute
from gateway.web.pages import preview_page
from gateway.web.preview_bots import is_preview_bot

blueprint = Blueprint("files", __name__)


def file(
    gateway: Services, download_request: DownloadRequest, query: bytes, digest: str, name: str
) -> tuple[Link, DownloadResponse]:
    """Send an object as an attachment.

    Raises:
        LinkInvalid, LinkExpired: the signature is wrong, or the URL has expired.
        OriginGone: the object was deleted.
    """
    store = gateway.store
    if store is None:
        raise NotFound("no store", enabled_by="GATEWAY_RESOLVER=store")
    _verify(store, query, digest, name)
    stored = store.index.find_by_digest(digest)
    if stored is None:
        raise OriginGone("no record refers to this object")
    source = StoredSource(store.objects, stored, store.public_url, math.inf)
    link = Link(digest, f"file:{digest}", filename=name, mode="stream")
    return link, gateway.deliverer.deliver(link, source, download_request)


def _verify(store: StoreServices, query: bytes, digest: str, name: str) -> None:
    try:
        parameters = parse_query(query)
    except FieldFault as fault:
        raise LinkInvalid(str(fault)) from None
    store.files.verify(digest, name, parameters.get("expires", ""), strip_punctuation(parameters.get("sig", "")))


def reject_or_preview(digest: str, name: str) -> Response:
    """Reject a link without a query; to a preview bot, show what the link leads to.

    Raises:
        LinkInvalid: the link has no signature.
    """
    store = services().store
    if store is not None and request.query_string and is_preview_bot(request.environ):
        _verify(store, request.query_string, digest, name)
        return preview_page(Link(digest, f"file:{digest}", filename=name))
    raise LinkInvalid("file link without a query")


ROUTE = FileRoute("/files/<digest>/<name>", file)
ROUTE.add_view(blueprint, reject_or_preview)
