"""Errors with ``Retry-After``."""

from http import HTTPStatus

from gateway.errors.base import GatewayError
from gateway.errors.contract import TOO_MANY_REQUESTS, UNDER_MAINTENANCE


class RetryLater(GatewayError):
    """Base of errors with ``Retry-After`` (RFC 9110 section 10.2.3)."""

    def __init__(self, reason: str = "", retry_after_s: int = 10) -> None:
        super().__init__(reason or self.public)
        self.retry_after_s = retry_after_s

    @property
    def headers(self) -> dict[str, str]:
        """``Retry-After`` in seconds."""
        return {"Retry-After": str(self.retry_after_s)}


class RateLimited(RetryLater):
    """The visitor started too many downloads in the last minute."""

    contract = TOO_MANY_REQUESTS
    code = "rate_limited"
    status = HTTPStatus.TOO_MANY_REQUESTS
    public = "Too many downloads in a short time. Please wait a moment."


class KeyRateLimited(RateLimited):
    """The API key made too many calls in the last minute."""

    code = "key_rate_limited"
    public = "This API key made too many calls in a short time. Please wait a moment."


class QuotaExhausted(RateLimited):
    """The API key used up its calls of the day."""

    code = "quota_exhausted"
    public = "This API key has no calls left today. The next day begins at midnight UTC."
    retry = False


class TooManyStreams(RetryLater):
    """The visitor has too many concurrent downloads, in total or of one file."""

    contract = TOO_MANY_REQUESTS
    code = "too_many_streams"
    status = HTTPStatus.TOO_MANY_REQUESTS
    public = "Too many downloads are running at once. Please wait until one of them has ended."


class LinkBusy(RetryLater):
    """All downloads that are left on the link are running."""

    code = "link_busy"
    status = HTTPStatus.CONFLICT
    public = "The last downloads of this link are running right now. Please try again in two minutes."


class GatewayBusy(RetryLater):
    """All download slots are in use."""

    code = "gateway_busy"
    status = HTTPStatus.SERVICE_UNAVAILABLE
    public = "Many downloads are running right now. Please try again in a moment."


class StillPreparing(RetryLater):
    """The image is still being fetched for the first time; the fetch continues after the response."""

    code = "still_preparing"
    status = HTTPStatus.SERVICE_UNAVAILABLE
    public = "The image is still being prepared. Please try again in a moment."
    auto_refresh = True


class Maintenance(RetryLater):
    """``GATEWAY_MAINTENANCE`` is on."""

    contract = UNDER_MAINTENANCE
    code = "maintenance"
    status = HTTPStatus.SERVICE_UNAVAILABLE
    public = "Downloads are closed for maintenance. Please try again later."
