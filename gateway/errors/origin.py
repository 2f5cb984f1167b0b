"""The origin does not deliver the file."""

from http import HTTPStatus

from gateway.errors.base import GatewayError
from gateway.errors.contract import FETCH_FAILED
from gateway.errors.retry_later import RetryLater


class OriginError(GatewayError):
    """The origin does not deliver the file."""

    status = HTTPStatus.BAD_GATEWAY


class OriginNotFound(OriginError):
    """The origin responds 404."""

    code = "file_not_found"
    status = HTTPStatus.NOT_FOUND
    public = "The file no longer exists."
    retry = False


class OriginGone(OriginError):
    """The origin responds 410."""

    code = "file_gone"
    status = HTTPStatus.GONE
    public = "The file was removed."
    retry = False


class OriginRefused(OriginError):
    """The origin responds 401 or 403."""

    code = "origin_refused"
    public = "The server that holds the file refused access. Please try again."


class OriginBusy(OriginError, RetryLater):
    """The origin responds 429 or 503."""

    code = "origin_busy"
    status = HTTPStatus.SERVICE_UNAVAILABLE
    public = "The server that holds the file is busy. Please try again in a moment."


class OriginFailed(OriginError):
    """The origin responds with another 5xx, or with invalid HTTP."""

    code = "origin_failed"
    public = "The server that holds the file has a problem. Please try again."


class OriginEmpty(OriginFailed):
    """The file is empty, although its name or its declared type is an image's."""

    code = "origin_empty"
    public = "The server that holds the image sent an empty file. Please try again."


class OriginNotImage(OriginFailed):
    """The file is HTML or XML, although its name or its declared type is an image's."""

    code = "origin_not_image"
    public = "The server that holds the image sent a web page instead. Please try again."


class OriginTimeout(OriginError):
    """The origin did not respond in time."""

    code = "origin_timeout"
    status = HTTPStatus.GATEWAY_TIMEOUT
    public = "The server that holds the file did not answer in time. Please try again."


class OriginUnreachable(OriginError):
    """No connection to the origin, or its certificate is not trusted."""

    code = "origin_unreachable"
    public = "The server that holds the file cannot be reached. Please try again."


class OriginUnsafe(OriginError):
    """The egress guard refused the address, port, scheme or redirect."""

    code = "origin_unsafe"
    public = "The file is at an address that the gateway does not fetch from."
    retry = False


class FileTooLarge(OriginError):
    """The file is larger than ``GATEWAY_MAX_BYTES``."""

    contract = FETCH_FAILED
    code = "file_too_large"
    public = "The file is larger than this gateway delivers."
    retry = False
