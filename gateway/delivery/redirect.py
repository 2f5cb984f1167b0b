"""Delivery by redirect: the browser fetches the direct URL itself."""

from gateway.delivery.ask import Delivered, Progress, Whole
from gateway.delivery.headers import redirect_headers

_NOTE = "The file is at the address in the Location header.\n"


def redirect(direct_url: str) -> Delivered:
    """Answer 302 to a direct URL. The body does not repeat it."""
    return Delivered(302, redirect_headers(direct_url, len(_NOTE)), Whole(_NOTE), Progress("redirected"))
