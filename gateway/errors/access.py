"""API calls without permission."""

from http import HTTPStatus

from gateway.errors.base import GatewayError
from gateway.errors.contract import NO_PERMISSION


class AccessError(GatewayError):
    """The call is not authenticated, or not authorized.

    Class attributes:
        challenge: the authentication scheme that the call needs.
    """

    challenge = "Bearer"
    status = HTTPStatus.UNAUTHORIZED
    retry = False

    @property
    def headers(self) -> dict[str, str]:
        """A 401 names the scheme (RFC 9110 section 15.5.2)."""
        return {"WWW-Authenticate": self.challenge} if self.status == HTTPStatus.UNAUTHORIZED else {}


class KeyMissing(AccessError):
    """The call has no API key."""

    contract = NO_PERMISSION
    code = "key_missing"
    public = "Send your API key in the header: Authorization: Bearer <key>."


class KeyInvalid(AccessError):
    """The API key is unknown, revoked or expired."""

    contract = NO_PERMISSION
    code = "key_invalid"
    public = "This API key is not valid."


class CallbackRefused(AccessError):
    """A callback has neither a valid signature nor the token of the callback URL."""

    challenge = "Callback"  # an API key is not accepted
    code = "callback_refused"
    public = "Send the provider's signature, or call the URL that `flask --app wsgi callback-url` prints."


class ScopeMissing(AccessError):
    """The API key is valid, but lacks the scope of the call."""

    contract = NO_PERMISSION
    code = "scope_missing"
    status = HTTPStatus.FORBIDDEN
    public = "This API key does not permit this call."

    def __init__(self, scope: str) -> None:
        super().__init__(f"lacks the scope {scope}")
        self.scope = scope

    @property
    def detail(self) -> str:
        """Name the scope."""
        return f"{self.public} It lacks the scope {self.scope}."

    @property
    def headers(self) -> dict[str, str]:
        """The challenge names the missing scope (RFC 6750 section 3)."""
        return {"WWW-Authenticate": f'Bearer error="insufficient_scope", scope="{self.scope}"'}
