"""Links that permit no download."""

from http import HTTPStatus

from gateway.errors.base import GatewayError


class LinkError(GatewayError):
    """The link does not permit a download."""

    retry = False


class LinkInvalid(LinkError):
    """Forged or malformed, which the response does not distinguish; the log and ``links verify`` have the reason."""

    code = "link_invalid"
    status = HTTPStatus.FORBIDDEN
    public = "This link is incomplete or was changed. Use the complete link exactly as it was given to you."


class LinkDamaged(LinkInvalid):
    """Not authentic, because a mail program or copying altered it in a known way."""

    code = "link_damaged"
    public = "This link was damaged on the way, by a mail program or by copying. Copy the whole link again."


class LinkExpired(LinkError):
    """The link is authentic and has expired."""

    code = "link_expired"
    status = HTTPStatus.GONE
    public = "This link has expired. Ask for a new one where you got it."


class LinkRevoked(LinkError):
    """The link is authentic and was revoked."""

    code = "link_revoked"
    status = HTTPStatus.GONE
    public = "This link was withdrawn. Ask for a new one where you got it."


class LinkUsedUp(LinkError):
    """The link is authentic and no downloads are left on it."""

    code = "link_used_up"
    status = HTTPStatus.GONE
    public = "This link has been used as often as it allows. Ask for a new one where you got it."


class LinkUnknown(LinkError):
    """No link is stored under the id of an API call."""

    code = "link_unknown"
    status = HTTPStatus.NOT_FOUND
    public = "No link has this id. Only links of kind email are stored."


class OriginNotAllowed(LinkError):
    """The origin of the link's URL is not on the allowlist."""

    code = "origin_not_allowed"
    status = HTTPStatus.FORBIDDEN
    public = "This gateway does not serve files from there."

    def __init__(self, reason: str, remedy: str = "") -> None:
        super().__init__(reason)
        self.reason, self.remedy = reason, remedy

    @property
    def advice(self) -> str:
        """The reason and the remedy, for API callers and the command line."""
        return f"{self.reason}; {self.remedy}" if self.remedy else self.reason

    @property
    def detail(self) -> str:
        """Also the rule that the URL violates."""
        return f"{self.public} url: {self.reason}"
