"""Who may not call."""

from http import HTTPStatus

from gateway.errors.base import GatewayError
from gateway.errors.contract import NO_PERMISSION


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

    contract = NO_PERMISSION
    code = "key_missing"
    public = "Send your API key in the header: Authorization: Bearer <key>."


class KeyInvalid(AccessError):
    """The API key is not one of ours."""

    contract = NO_PERMISSION
    code = "key_invalid"
    public = "This API key is not known here."


class CallbackRefused(AccessError):
    """A callback bears neither a good signature nor the token of our callback URL."""

    challenge = "Callback"  # no API key would help
    code = "callback_refused"
    public = "Send the provider's signature, or call the URL that `flask --app wsgi callback-url` prints."


class ScopeMissing(AccessError):
    """The API key is ours, but not for this call."""

    contract = NO_PERMISSION
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
