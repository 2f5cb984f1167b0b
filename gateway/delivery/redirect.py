"""Delivery by redirect: the browser fetches the direct URL itself."""

from gateway.delivery.exchange import DownloadResponse, EmptyBody
from gateway.delivery.headers import redirect_headers
from gateway.observability.transfer_stats import TransferStats


def redirect(direct_url: str) -> DownloadResponse:
    """Answer 302 to a direct URL, without a body, which would have to repeat it or say nothing."""
    return DownloadResponse(302, redirect_headers(direct_url), EmptyBody(), TransferStats("redirected"))
