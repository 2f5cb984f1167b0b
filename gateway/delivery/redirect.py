"""Delivery by redirect: the browser fetches the direct URL itself."""

from gateway.delivery.ask import Delivered, Nothing, Progress
from gateway.delivery.headers import redirect_headers


def redirect(direct_url: str) -> Delivered:
    """Answer 302 to a direct URL, without a body, which would have to repeat it or say nothing."""
    return Delivered(302, redirect_headers(direct_url), Nothing(), Progress("redirected"))
