"""Who may call: every route of the API names the scope that it needs."""

from flask import g, request

from gateway.keys.key import Key, Scope
from gateway.web.app_context import services


def admitted(scope: Scope) -> Key:
    """The key of the caller, who pays for the call with one of the minute and one of the day, whatever comes of it.

    Raises:
        KeyMissing, KeyInvalid: 401; nothing was spent.
        KeyRateLimited, QuotaExhausted: 429.
        ScopeMissing: 403.
        DatabaseDown: the key could not be looked up.
    """
    gateway = services()
    key = gateway.keys.authenticate(request.headers.get("Authorization", ""))
    g.allowance = gateway.api_rate.spend(key)  # told in the headers of every answer
    g.allowance.check()
    key.check(scope)
    return key
