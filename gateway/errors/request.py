"""What is wrong with the request itself."""

from http import HTTPStatus

from gateway.errors.base import GatewayError
from gateway.errors.contract import VALIDATION_FAILED


class RequestError(GatewayError):
    """The request cannot be served as it was sent."""

    retry = False


class BadParameter(RequestError):
    """A query parameter of an unsigned request cannot be used."""

    code = "bad_parameter"
    status = HTTPStatus.BAD_REQUEST
    public = "A parameter of the request cannot be used."

    def __init__(self, field: str, remedy: str) -> None:
        super().__init__(f"{field}: {remedy}")
        self.field, self.remedy = field, remedy

    @property
    def detail(self) -> str:
        """Name the field and the remedy."""
        return f"{self.field}: {self.remedy}"


class InvalidBody(RequestError):
    """The JSON body of an API call cannot be used."""

    contract = VALIDATION_FAILED
    code = "invalid_body"
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    public = "The request body cannot be used."

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem

    @property
    def detail(self) -> str:
        """Name the field and the remedy."""
        return self.problem


class BodyTooLarge(RequestError):
    """The request body is larger than any call of the API needs."""

    contract = VALIDATION_FAILED
    code = "body_too_large"
    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    public = "The request body is too large; 64 KiB are enough for every call."


class UploadTooLarge(RequestError):
    """The image that was sent is larger than ``GATEWAY_MAX_BYTES``."""

    code = "upload_too_large"
    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    public = "The image is larger than this gateway keeps."


class UploadBroken(RequestError):
    """The body ended before its length, or its framing is broken."""

    contract = VALIDATION_FAILED
    code = "upload_broken"
    status = HTTPStatus.BAD_REQUEST
    public = "The body of the request broke off. Nothing of it was kept; send it again."
    retry = True


class NotFound(RequestError):
    """No page or call has this address."""

    code = "not_found"
    status = HTTPStatus.NOT_FOUND
    public = "There is nothing at this address."

    def __init__(self, reason: str = "", *, opened_by: str = "") -> None:
        super().__init__(reason or self.public)
        self.opened_by = opened_by

    @property
    def detail(self) -> str:
        """Which setting opens a call that this gateway does not serve."""
        return f"This gateway does not serve this call; {self.opened_by} opens it." if self.opened_by else self.public


class MethodNotAllowed(RequestError):
    """The address exists, but not for this method."""

    contract = (405, "Request method is not supported")
    code = "method_not_allowed"
    status = HTTPStatus.METHOD_NOT_ALLOWED
    public = "This address does not take this method."

    def __init__(self, allowed: list[str]) -> None:
        super().__init__(", ".join(allowed))
        self.allowed = allowed

    @property
    def headers(self) -> dict[str, str]:
        """RFC 9110 section 15.5.6: a 405 must list the methods."""
        return {"Allow": ", ".join(self.allowed)}


class RangeNotSatisfiable(RequestError):
    """The range asked for lies beyond the end of the file (RFC 9110 section 15.5.17)."""

    code = "range_not_satisfiable"
    status = HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE
    public = "The part asked for lies beyond the end of the file."

    def __init__(self, length: int) -> None:
        super().__init__(f"length is {length}")
        self.length = length

    @property
    def headers(self) -> dict[str, str]:
        """RFC 9110 section 14.4: a 416 tells the current length."""
        return {"Content-Range": f"bytes */{self.length}"}


class PreconditionFailed(RequestError):
    """``If-Match`` names another version of the file (RFC 9110 sections 13.1.1 and 15.5.13)."""

    code = "precondition_failed"
    status = HTTPStatus.PRECONDITION_FAILED
    public = "The file is another one than If-Match names. Download it from the start, without If-Match."


class PrefetchRefused(RequestError):
    """A browser guessed that the visitor might click; nothing is fetched for a guess."""

    code = "prefetch_refused"
    status = HTTPStatus.SERVICE_UNAVAILABLE
    public = "Downloads are not fetched in advance."
    retry = True


class LoopDetected(RequestError):
    """The gateway was asked to fetch from itself (RFC 5842 section 7.2)."""

    code = "loop_detected"
    status = HTTPStatus.LOOP_DETECTED
    public = "The gateway was asked to fetch a file from itself."


class CallbackConflict(RequestError):
    """A callback tells another result of a task that has succeeded already."""

    code = "callback_conflict"
    status = HTTPStatus.CONFLICT
    public = "This task has succeeded already, with another result. Nothing was changed."


class MalformedRequest(RequestError):
    """The request is not valid HTTP (RFC 9112)."""

    code = "malformed_request"
    status = HTTPStatus.BAD_REQUEST
    public = "The request is not valid HTTP."

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem

    @property
    def detail(self) -> str:
        """Name what is malformed."""
        return f"The request is not valid HTTP: {self.problem}."


class UriTooLong(RequestError):
    """The request line is longer than the server reads (RFC 9110 section 15.5.15)."""

    code = "uri_too_long"
    status = HTTPStatus.REQUEST_URI_TOO_LONG
    public = "The address is too long; method, address and version may have 8,190 bytes together."


class HeadersTooLarge(RequestError):
    """The header fields are larger, or more, than the server reads (RFC 6585 section 5)."""

    code = "headers_too_large"
    status = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
    public = "The header fields are too large: 100 fields of 8,190 bytes, and 32 KB in all, are accepted."


class OtherHttpError(RequestError):
    """A refusal of the web framework that has no class of its own here."""

    code = "request_refused"
    status = HTTPStatus.BAD_REQUEST
    public = "The request cannot be understood."

    def __init__(self, status: int) -> None:
        super().__init__(str(status))
        self.status = HTTPStatus(status)
