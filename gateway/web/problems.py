"""What a problem's type leads to: what the error is, and what helps (RFC 9457 section 3.1.1)."""

from flask import Blueprint, Response

from gateway.errors import GatewayError, NotFound
from gateway.web.pages import page
from gateway.web.reference.components import family
from gateway.web.texts import texts

blueprint = Blueprint("problems", __name__)
_KINDS = {kind.code: kind for kind in family(GatewayError)}


@blueprint.get("/problems/<code>")
def problem(code: str) -> Response:
    """Describe an error.

    Raises:
        NotFound: no error has this code.
    """
    kind = _KINDS.get(code)
    if kind is None:
        raise NotFound("no such problem")
    return page("error.html", error=texts()[code], status=int(kind.status), code=code)
