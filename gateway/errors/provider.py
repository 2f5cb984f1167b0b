"""The provider itself: what it has against us, or we against it, and what happens on the wire."""

from http import HTTPStatus

from gateway.errors.base import GatewayError
from gateway.errors.contract import TOO_MANY_REQUESTS, UNDER_MAINTENANCE
from gateway.errors.retry_later import RetryLater


class ProviderError(GatewayError):
    """The provider did not give a direct URL."""

    retry = False


class ProviderUnauthorized(ProviderError):
    """Contract code 401: our key was refused."""

    code = "provider_unauthorized"
    status = HTTPStatus.BAD_GATEWAY
    public = "The image provider does not accept this gateway's account."
    server_fault = True


class ProviderMaintenance(ProviderError, RetryLater):
    """Contract code 455."""

    contract = UNDER_MAINTENANCE
    code = "provider_maintenance"
    status = HTTPStatus.SERVICE_UNAVAILABLE
    public = "The image provider is closed for maintenance. Please try again later."
    retry = True
    auto_refresh = True


class ProviderFailed(ProviderError):
    """Contract code 500, or an HTTP 5xx."""

    code = "provider_failed"
    status = HTTPStatus.BAD_GATEWAY
    public = "The image provider has a problem. Please try again."
    retry = True
    auto_refresh = True


class ProviderBusy(ProviderError, RetryLater):
    """Code or status 429."""

    contract = TOO_MANY_REQUESTS
    code = "provider_busy"
    status = HTTPStatus.SERVICE_UNAVAILABLE
    public = "The image provider is busy. Please try again in a moment."
    retry = True
    auto_refresh = True


class ProviderTimeout(ProviderError):
    """No complete answer within the deadline."""

    code = "provider_timeout"
    status = HTTPStatus.GATEWAY_TIMEOUT
    public = "The image provider did not answer in time. Please try again."
    retry = True
    auto_refresh = True


class ProviderUnreachable(ProviderError):
    """No connection to the provider."""

    code = "provider_unreachable"
    status = HTTPStatus.BAD_GATEWAY
    public = "The image provider cannot be reached. Please try again."
    retry = True
    auto_refresh = True


class ProviderGarbled(ProviderError):
    """The provider's answer is not the contract's: a page, a redirect, no data, too much data, an unknown code."""

    code = "provider_garbled"
    status = HTTPStatus.BAD_GATEWAY
    public = "The image provider gave an answer that cannot be understood. Please try again."
    retry = True
    server_fault = True


class ProviderPaused(ProviderError, RetryLater):
    """The provider failed several times in a row and is left alone for a moment."""

    code = "provider_paused"
    status = HTTPStatus.SERVICE_UNAVAILABLE
    public = "The image provider has been failing and is given a moment. Please try again shortly."
    retry = True
    auto_refresh = True


class DirectUrlRefused(ProviderError):
    """The provider's direct URL points where the gateway must not go."""

    code = "direct_url_refused"
    status = HTTPStatus.BAD_GATEWAY
    public = "The image provider pointed to a place the gateway does not fetch from."
    server_fault = True
