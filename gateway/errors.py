"""Every error the gateway turns into a response: its code, its status, and what may be said in public.

The text passed to ``raise`` is for the log; ``public`` is for whoever asked. Neither may hold a secret, a signature or
a direct URL. The longer texts that people read are in ``templates/texts/<language>.toml``, one entry per ``code``.
"""

from http import HTTPStatus

VALIDATION_FAILED = "The request parameters failed validation checks"
FETCH_FAILED = "Failed to fetch the image. Kindly verify any access limits set by you or your service provider"


class GatewayError(Exception):
    """Base of every error the gateway turns into a response.

    Class attributes:
        code: short stable name, the last part of the problem's ``type`` (RFC 9457 section 3.1.1).
        status: the HTTP status of the answer.
        public: one English sentence for machines and tools.
        retry: whether doing exactly the same again may help the visitor.
        ours: whether this is a fault of ours, to be logged as an error.
        waits: whether the page for people asks again by itself.
        contract: what the provider's contract says in such a case: its code, and its message verbatim.
    """

    contract: tuple[int, str] = (500, "Server exception, please try again later or contact customer service")
    code = "internal"
    status = HTTPStatus.INTERNAL_SERVER_ERROR
    public = "Something went wrong on our side. Please try again."
    retry = True
    ours = False
    waits = False

    @property
    def detail(self) -> str:
        """What to tell a program or a tool; subclasses may name the field and the remedy."""
        return self.public

    @property
    def headers(self) -> dict[str, str]:
        """Response headers that belong to this error."""
        return {}


class InternalError(GatewayError):
    """An exception nobody foresaw."""

    ours = True


class ConfigError(Exception):
    """The settings are unusable; boot stops. ``faults`` has one line for each, naming the variable and the remedy."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(["The gateway cannot start with these settings:", *(f"  - {f}" for f in faults)]))
        self.faults = faults


# --- the request itself


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

    contract = (422, VALIDATION_FAILED)
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

    contract = (422, VALIDATION_FAILED)
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

    contract = (422, VALIDATION_FAILED)
    code = "upload_broken"
    status = HTTPStatus.BAD_REQUEST
    public = "The body of the request broke off. Nothing of it was kept; send it again."
    retry = True


class NotFound(RequestError):
    """No page or call has this address."""

    code = "not_found"
    status = HTTPStatus.NOT_FOUND
    public = "There is nothing at this address."


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


class OtherHttpError(RequestError):
    """A refusal of the web framework that has no class of its own here."""

    code = "request_refused"
    status = HTTPStatus.BAD_REQUEST
    public = "The request cannot be understood."

    def __init__(self, status: int) -> None:
        super().__init__(str(status))
        self.status = HTTPStatus(status)


# --- links


class LinkError(GatewayError):
    """The link does not give permission to download."""

    retry = False


class LinkInvalid(LinkError):
    """Forged or malformed: the two look the same from outside. The reason is for the log and for ``links verify``."""

    code = "link_invalid"
    status = HTTPStatus.FORBIDDEN
    public = "This link is incomplete or was changed. Use the complete link exactly as it was given to you."


class LinkExpired(LinkError):
    """The link is authentic and its time is over."""

    code = "link_expired"
    status = HTTPStatus.GONE
    public = "This link has expired. Ask for a new one where you got it."


class LinkRevoked(LinkError):
    """The link is authentic and was withdrawn."""

    code = "link_revoked"
    status = HTTPStatus.GONE
    public = "This link was withdrawn. Ask for a new one where you got it."


class LinkUsedUp(LinkError):
    """The link is authentic and no downloads are left on it."""

    code = "link_used_up"
    status = HTTPStatus.GONE
    public = "This link has been used as often as it allows. Ask for a new one where you got it."


class OriginNotAllowed(LinkError):
    """The url of an authentic link is not one that this gateway serves from."""

    code = "origin_not_allowed"
    status = HTTPStatus.FORBIDDEN
    public = "This gateway does not serve files from there."

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    @property
    def detail(self) -> str:
        """Name the rule that the url breaks."""
        return f"{self.public} url: {self.reason}"


# --- who may


class AccessError(GatewayError):
    """Whoever calls has not shown that they may.

    Class attributes:
        challenge: the scheme by which they could.
    """

    challenge = "Bearer"
    status = HTTPStatus.UNAUTHORIZED
    retry = False

    @property
    def headers(self) -> dict[str, str]:
        """RFC 9110 section 15.5.2: a 401 names the scheme."""
        return {"WWW-Authenticate": self.challenge} if self.status == HTTPStatus.UNAUTHORIZED else {}


class KeyMissing(AccessError):
    """No API key came with the call."""

    contract = (401, "You do not have access permissions")
    code = "key_missing"
    public = "Send your API key in the header: Authorization: Bearer <key>."


class KeyInvalid(AccessError):
    """The API key is not one of ours."""

    contract = (401, "You do not have access permissions")
    code = "key_invalid"
    public = "This API key is not known here."


class CallbackRefused(AccessError):
    """A callback bears neither a good signature nor the token of our callback URL."""

    challenge = "Callback"  # no API key would help
    code = "callback_refused"
    public = "Send the provider's signature, or call the URL that `flask --app wsgi callback-url` prints."


class ScopeMissing(AccessError):
    """The API key is ours, but not for this call."""

    contract = (401, "You do not have access permissions")
    code = "scope_missing"
    status = HTTPStatus.FORBIDDEN
    public = "This API key does not open this call."

    def __init__(self, scope: str) -> None:
        super().__init__(f"lacks the scope {scope}")
        self.scope = scope

    @property
    def detail(self) -> str:
        """Name the scope."""
        return f"{self.public} It lacks the scope {self.scope}."

    @property
    def headers(self) -> dict[str, str]:
        """RFC 6750 section 3: say what would be enough."""
        return {"WWW-Authenticate": f'Bearer error="insufficient_scope", scope="{self.scope}"'}


class Hasty(GatewayError):
    """Base of the refusals that say when to come again (RFC 9110 section 10.2.3)."""

    def __init__(self, reason: str = "", retry_after_s: int = 10) -> None:
        super().__init__(reason or self.public)
        self.retry_after_s = retry_after_s

    @property
    def headers(self) -> dict[str, str]:
        """When to come again, in seconds."""
        return {"Retry-After": str(self.retry_after_s)}


class RateLimited(Hasty):
    """This visitor began too many downloads in the last minute."""

    contract = (429, "Too many requests, please try again later")
    code = "rate_limited"
    status = HTTPStatus.TOO_MANY_REQUESTS
    public = "Too many downloads in a short time. Please wait a moment."


class KeyRateLimited(RateLimited):
    """This API key made too many calls in the last minute."""

    code = "key_rate_limited"
    public = "This API key made too many calls in a short time. Please wait a moment."


class QuotaExhausted(RateLimited):
    """This API key made all the calls of its day."""

    code = "quota_exhausted"
    public = "This API key has no calls left today. The next day begins at midnight UTC."
    retry = False


class TooManyStreams(Hasty):
    """This visitor has as many downloads running as one may have, in all or of one file."""

    contract = (429, "Too many requests, please try again later")
    code = "too_many_streams"
    status = HTTPStatus.TOO_MANY_REQUESTS
    public = "Too many downloads are running at once. Please wait until one of them has ended."


class GatewayBusy(Hasty):
    """All places for running downloads are taken."""

    code = "gateway_busy"
    status = HTTPStatus.SERVICE_UNAVAILABLE
    public = "Many downloads are running right now. Please try again in a moment."


class StillPreparing(Hasty):
    """The image is being fetched for the first time and takes its time; whoever comes again finds it further on."""

    code = "still_preparing"
    status = HTTPStatus.SERVICE_UNAVAILABLE
    public = "The image is still being prepared. Please try again in a moment."
    waits = True


class Maintenance(Hasty):
    """The operator has closed the gateway for maintenance."""

    contract = (455, "System is currently undergoing maintenance")
    code = "maintenance"
    status = HTTPStatus.SERVICE_UNAVAILABLE
    public = "Downloads are closed for maintenance. Please try again later."


# --- the provider: each documented code of the contract, then what happens on the wire


class ProviderError(GatewayError):
    """The provider did not give a direct URL."""

    retry = False


class ProviderUnauthorized(ProviderError):
    """Contract code 401: our key was refused."""

    code = "provider_unauthorized"
    status = HTTPStatus.BAD_GATEWAY
    public = "The image provider does not accept this gateway's account."
    ours = True


class ImageNotFound(ProviderError):
    """Contract code 404."""

    contract = (404, "The requested resource or endpoint does not exist")
    code = "image_not_found"
    status = HTTPStatus.NOT_FOUND
    public = "The image provider does not have this image."


class ImageRejected(ProviderError):
    """Contract code 422, "The request parameters failed validation checks"."""

    contract = (422, VALIDATION_FAILED)
    code = "image_rejected"
    status = HTTPStatus.NOT_FOUND
    public = "The image provider does not accept this image for this task."


class RecordNotFound(ProviderError):
    """Contract code 422, "record is null"."""

    contract = (422, "record is null")
    code = "record_not_found"
    status = HTTPStatus.NOT_FOUND
    public = "The image provider does not know this task."


class RecordTooOld(ProviderError):
    """Contract code 422, "Temporarily supports records within 14 days"."""

    contract = (422, "Temporarily supports records within 14 days")
    code = "record_too_old"
    status = HTTPStatus.GONE
    public = "Images are kept for 14 days, and this one is older."


class ResultBlank(ProviderError):
    """Contract code 422, "record result data is blank"."""

    contract = (422, "record result data is blank")
    code = "result_blank"
    status = HTTPStatus.NOT_FOUND
    public = "The task finished without a usable image."


class RecordNotReady(ProviderError):
    """Contract code 422, "record status is not success"."""

    contract = (422, "record status is not success")
    code = "record_not_ready"
    status = HTTPStatus.NOT_FOUND
    public = "The image is not finished yet, or could not be made."
    retry = True


class ResultMissing(ProviderError):
    """Contract code 422, "record result data not exist"."""

    contract = (422, "record result data not exist")
    code = "result_missing"
    status = HTTPStatus.NOT_FOUND
    public = "The task has no image."


class ResultEmpty(ProviderError):
    """Contract code 422, "record result data is empty"."""

    contract = (422, "record result data is empty")
    code = "result_empty"
    status = HTTPStatus.NOT_FOUND
    public = "The task finished with no image in its result."


class ImageUnavailable(ProviderError):
    """Contract code 451: the provider failed to fetch the image."""

    contract = (451, FETCH_FAILED)
    code = "image_unavailable"
    status = HTTPStatus.UNAVAILABLE_FOR_LEGAL_REASONS
    public = "The image provider could not fetch the image; access to it may be limited."


class ProviderMaintenance(ProviderError, Hasty):
    """Contract code 455."""

    contract = (455, "System is currently undergoing maintenance")
    code = "provider_maintenance"
    status = HTTPStatus.SERVICE_UNAVAILABLE
    public = "The image provider is closed for maintenance. Please try again later."
    retry = True
    waits = True


class ProviderFailed(ProviderError):
    """Contract code 500, or an HTTP 5xx."""

    code = "provider_failed"
    status = HTTPStatus.BAD_GATEWAY
    public = "The image provider has a problem. Please try again."
    retry = True
    waits = True


class ProviderBusy(ProviderError, Hasty):
    """Code or status 429."""

    contract = (429, "Too many requests, please try again later")
    code = "provider_busy"
    status = HTTPStatus.SERVICE_UNAVAILABLE
    public = "The image provider is busy. Please try again in a moment."
    retry = True
    waits = True


class ProviderTimeout(ProviderError):
    """No complete answer within the deadline."""

    code = "provider_timeout"
    status = HTTPStatus.GATEWAY_TIMEOUT
    public = "The image provider did not answer in time. Please try again."
    retry = True
    waits = True


class ProviderUnreachable(ProviderError):
    """No connection to the provider."""

    code = "provider_unreachable"
    status = HTTPStatus.BAD_GATEWAY
    public = "The image provider cannot be reached. Please try again."
    retry = True
    waits = True


class ProviderGarbled(ProviderError):
    """The provider's answer is not the contract's: a page, a redirect, no data, too much data, an unknown code."""

    code = "provider_garbled"
    status = HTTPStatus.BAD_GATEWAY
    public = "The image provider gave an answer that cannot be understood. Please try again."
    retry = True
    ours = True


class ProviderPaused(ProviderError, Hasty):
    """The provider failed several times in a row and is left alone for a moment."""

    code = "provider_paused"
    status = HTTPStatus.SERVICE_UNAVAILABLE
    public = "The image provider has been failing and is given a moment. Please try again shortly."
    retry = True
    waits = True


class DirectUrlRefused(ProviderError):
    """The provider's direct URL points where the gateway must not go."""

    code = "direct_url_refused"
    status = HTTPStatus.BAD_GATEWAY
    public = "The image provider pointed to a place the gateway does not fetch from."
    ours = True


# --- the origin: whoever holds the bytes


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


class OriginBusy(OriginError, Hasty):
    """The origin answers 429 or 503."""

    code = "origin_busy"
    status = HTTPStatus.SERVICE_UNAVAILABLE
    public = "The server that holds the file is busy. Please try again in a moment."


class OriginFailed(OriginError):
    """The origin answers with a 5xx, or with something HTTP does not allow."""

    code = "origin_failed"
    public = "The server that holds the file has a problem. Please try again."


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

    contract = (451, FETCH_FAILED)
    code = "file_too_large"
    public = "The file is larger than this gateway passes on."
    retry = False


# --- what the gateway keeps


class DatabaseDown(GatewayError):
    """The database does not answer."""

    code = "database_down"
    status = HTTPStatus.SERVICE_UNAVAILABLE
    public = "The gateway cannot reach its records right now. Please try again in a moment."
    ours = True


class StorageDown(GatewayError):
    """The place where the objects are kept does not answer, does not let us in, or broke off."""

    code = "storage_down"
    status = HTTPStatus.SERVICE_UNAVAILABLE
    public = "The gateway cannot reach its store of images right now. Please try again in a moment."
    ours = True


class StorageFull(GatewayError):
    """The disk that holds the objects is full."""

    code = "storage_full"
    status = HTTPStatus.INSUFFICIENT_STORAGE
    public = "The gateway has no room left for more images. Its operator has to make some."
    ours = True


class NotAnImage(ProviderError):
    """What lies at the image's URL, or was sent as one, is no image by its first bytes."""

    contract = (451, FETCH_FAILED)
    code = "not_an_image"
    status = HTTPStatus.UNAVAILABLE_FOR_LEGAL_REASONS
    public = "What lies at the image's address is not an image."
