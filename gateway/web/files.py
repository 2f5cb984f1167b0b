"""Our own objects, at the signed URLs that others got for direct URLs."""

import math

from flask import Blueprint, Response, request

from gateway.errors import NotFound, OriginGone
from gateway.links.link import Link
from gateway.resolving.kept import KeptSource
from gateway.web.responses import respond
from gateway.web.state import services
from gateway.web.visitor import asked

blueprint = Blueprint("files", __name__)


@blueprint.get("/files/<digest>/<name>")
def file(digest: str, name: str) -> Response:
    """Serve an object as an attachment, ranges included.

    Raises:
        LinkInvalid, LinkExpired: the URL is not, or no longer, good.
        OriginGone: the object was dropped.
    """
    gateway = services()
    own = gateway.own
    if own is None:
        raise NotFound("no store")
    own.files.verify(digest, name, request.args.get("expires", ""), request.args.get("sig", ""))
    stored = own.index.by_digest(digest)
    if stored is None:
        raise OriginGone("no image has this object any more")
    source = KeptSource(own.objects, stored, own.door, math.inf)
    link = Link(digest, f"file:{digest}", filename=name, mode="stream")
    return respond(gateway.deliveries.deliver(link, source, asked()), link)
