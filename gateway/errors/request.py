"""Requests that are invalid."""

from http import HTTPStatus

from gateway.errors.base import GatewayError
from gateway.errors.contract import VALIDATION_FAILED


class RequestError(GatewayError):
    """The request cannot be served as it was sent."""

    retry = False


class BadParameter(RequestError):
    """A query parameter of an unsigned request is invalid."""

    code = "bad_parameter"
    status = HTTPStatus.BAD_REQUEST
    public = "A parameter of the request is invalid."

    def __init__(self, field: str, remedy: str) -> None:
        super().__init__(f"{field}: {remedy}")

    @property
    def detail(self) -> str:
        """The message: the field and the remedy."""
        return str(self)


class InvalidBody(RequestError):
    """The body of an API call is invalid. The message names the field and the remedy."""

    contract = VALIDATION_FAILED
    code = "invalid_body"
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    public = "The request body is invalid."

    @property
    def detail(self) -> str:
        """The message."""
        return str(self)


class BodyTooLarge(RequestError):
    """The body of an API call is longer than 64 KiB."""

    contract = VALIDATION_FAILED
    code = "body_too_large"
    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    public = "The request body is too large; 64 KiB are enough for every call."


class UploadTooLarge(RequestError):
    """The uploaded image is larger than ``GATEWAY_MAX_BYTES``."""

    code = "upload_too_large"
    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    public = "The image is larger than this gateway stores."


class UploadBroken(RequestError):
    """The body ended early, or its framing is invalid."""

    contract = VALIDATION_FAILED
    code = "upload_broken"
    status = HTTPStatus.BAD_REQUEST
    public = "The body of the request ended early. Nothing was stored; send it again."
    retry = True


class NotFound(RequestError):
    """No route has this path, or a setting disables it."""

    code = "not_found"
    status = HTTPStatus.NOT_FOUND
    public = "There is nothing at this address."

    def __init__(self, reason: str = "", *, enabled_by: str = "") -> None:
        super().__init__(reason or self.public)
        self.enabled_by = enabled_by

    @property
    def detail(self) -> str:
        """Also the setting that enables the call."""
        return f"This call is disabled; {self.enabled_by} enables it." if self.enabled_by else self.public


class MethodNotAllowed(RequestError):
    """The path exists, but not for this method."""

    contract = (405, "Request method is not supported")
    code = "method_not_allowed"
    status = HTTPStatus.METHOD_NOT_ALLOWED
    public = "This address does not support this method."

    def __init__(self, allowed: list[str]) -> None:
        super().__init__(", ".join(allowed))
        self.allowed = allowed

    @property
    def headers(self) -> dict[str, str]:
        """A 405 must list the methods (RFC 9110 section 15.5.6)."""
        return {"Allow": ", ".join(self.allowed)}


class RangeNotSatisfiable(RequestError):
    """The requested range is beyond the end of the file (RFC 9110 section 15.5.17)."""

    code = "range_not_satisfiable"
    status = HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE
    public = "The requested range is beyond the end of the file."

    def __init__(self, length: int) -> None:
        super().__init__(f"length is {length}")
        self.length = length

    @property
    def headers(self) -> dict[str, str]:
        """A 416 has the current length (RFC 9110 section 14.4)."""
        return {"Content-Range": f"bytes */{self.length}"}


class PreconditionFailed(RequestError):
    """``If-Match`` does not match the file's entity tag (RFC 9110 sections 13.1.1 and 15.5.13)."""

    code = "precondition_failed"
    status = HTTPStatus.PRECONDITION_FAILED
    public = "The file has changed: If-Match does not match. Download it from the start, without If-Match."


class PrefetchRefused(RequestError):
    """A browser prefetches the link; only clicks are served."""

    code = "prefetch_refused"
    status = HTTPStatus.SERVICE_UNAVAILABLE
    public = "Downloads cannot be prefetched."
    retry = True


class LoopDetected(RequestError):
    """The request came from this gateway (RFC 5842 section 7.2)."""

    code = "loop_detected"
    status = HTTPStatus.LOOP_DETECTED
    public = "The gateway was asked to fetch a file from itself."


class CallbackConflict(RequestError):
    """A callback has another result for a task that has already succeeded."""

    code = "callback_conflict"
    status = HTTPStatus.CONFLICT
    public = "This task has already succeeded, with another result. Nothing was changed."


class MalformedRequest(RequestError):
    """The request is not valid HTTP (RFC 9112)."""

    code = "malformed_request"
    status = HTTPStatus.BAD_REQUEST
    public = "The request is not valid HTTP."

    @property
    def detail(self) -> str:
        """Also what is malformed."""
        return f"The request is not valid HTTP: {self}."


class UriTooLong(RequestError):
    """The request line is longer than the server accepts (RFC 9110 section 15.5.15)."""

    code = "uri_too_long"
    status = HTTPStatus.REQUEST_URI_TOO_LONG
    public = "The address is too long: the request line may have at most 8,190 bytes."


class HeadersTooLarge(RequestError):
    """There are more or larger header fields than the server accepts (RFC 6585 section 5)."""

    code = "headers_too_large"
    status = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
    public = "The header fields are too large: 100 fields of 8,190 bytes, and 32 KB in all, are accepted."


class OtherHttpError(RequestError):
    """An HTTP error of Flask without a class of its own here."""

    code = "request_refused"
    status = HTTPStatus.BAD_REQUEST
    public = "The request cannot be served."

    def __init__(self, status: int) -> None:
        super().__init__(str(status))
        self.status = HTTPStatus(status)
