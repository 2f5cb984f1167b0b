"""Why the bytes cannot be had from whoever holds them."""

from http import HTTPStatus

from gateway.errors.base import GatewayError
from gateway.errors.contract import FETCH_FAILED
from gateway.errors.retry_later import RetryLater


class OriginError(GatewayError):
    """The bytes cannot be had."""

    status = HTTPStatus.BAD_GATEWAY


class OriginNotFound(OriginError):
    """The origin answers 404."""

    code = "file_not_found"
    status = HTTPStatus.NOT_FOUND
    public = "The file is not there any more."
    retry = False


class OriginGone(OriginError):
    """The origin answers 410."""

    code = "file_gone"
    status = HTTPStatus.GONE
    public = "The file was removed."
    retry = False


class OriginRefused(OriginError):
    """The origin answers 401 or 403."""

    code = "origin_refused"
    public = "The server that holds the file refused to give it. Please try again."


class OriginBusy(OriginError, RetryLater):
    """The origin answers 429 or 503."""

    code = "origin_busy"
    status = HTTPStatus.SERVICE_UNAVAILABLE
    public = "The server that holds the file is busy. Please try again in a moment."


class OriginFailed(OriginError):
    """The origin answers with a 5xx, or with something HTTP does not allow."""

    code = "origin_failed"
    public = "The server that holds the file has a problem. Please try again."


class OriginEmpty(OriginFailed):
    """The origin answers with no bytes where an image is expected, by the link's name or the declared type."""

    code = "origin_empty"
    public = "The server that holds the image sent an empty file. Please try again."


class OriginNotImage(OriginFailed):
    """The origin answers with HTML or XML where an image is expected, by the link's name or the declared type."""

    code = "origin_not_image"
    public = "The server that holds the image sent a web page instead. Please try again."


class OriginTimeout(OriginError):
    """The origin did not answer in time."""

    code = "origin_timeout"
    status = HTTPStatus.GATEWAY_TIMEOUT
    public = "The server that holds the file did not answer in time. Please try again."


class OriginUnreachable(OriginError):
    """No connection to the origin, or none that can be trusted."""

    code = "origin_unreachable"
    public = "The server that holds the file cannot be reached. Please try again."


class OriginUnsafe(OriginError):
    """The guard refused: an address, a port, a scheme or a hop that is never fetched from."""

    code = "origin_unsafe"
    public = "The file lies at a place the gateway does not fetch from."
    retry = False


class FileTooLarge(OriginError):
    """The file is larger than ``GATEWAY_MAX_BYTES``."""

    contract = FETCH_FAILED
    code = "file_too_large"
    public = "The file is larger than this gateway passes on."
    retry = False
