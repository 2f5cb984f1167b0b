"""Authentication and authorization of API calls by key."""

from flask import g, request

from gateway.keys.key import Key, Scope
from gateway.web.app_context import services


def authorize(scope: Scope) -> Key:
    """The key of the caller, which needs ``scope``. The call counts against its limits even when it fails later.

    Raises:
        KeyMissing, KeyInvalid: 401; the call was not counted.
        KeyRateLimited, QuotaExhausted: 429.
        ScopeMissing: 403.
        DatabaseDown: the key could not be looked up.
    """
    gateway = services()
    key = gateway.key_authenticator.authenticate(request.headers.get("Authorization", ""))
    g.rate_limit = gateway.api_rate.spend(key)  # every envelope has it in its headers
    g.rate_limit.check()
    key.require_scope(scope)
    return key
