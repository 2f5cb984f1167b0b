"""The provider fails, or refuses the gateway."""

from http import HTTPStatus

from gateway.errors.base import GatewayError
from gateway.errors.contract import TOO_MANY_REQUESTS, UNDER_MAINTENANCE
from gateway.errors.retry_later import RetryLater


class ProviderError(GatewayError):
    """The provider returned no direct URL."""

    retry = False


class TransientProviderError(ProviderError):
    """The same call may succeed soon."""

    retry = True
    auto_refresh = True


class ProviderUnauthorized(ProviderError):
    """Contract code 401: the provider refused the gateway's key."""

    code = "provider_unauthorized"
    status = HTTPStatus.BAD_GATEWAY
    public = "The image provider does not accept this gateway's account."
    server_fault = True


class ProviderMaintenance(TransientProviderError, RetryLater):
    """Contract code 455."""

    contract = UNDER_MAINTENANCE
    code = "provider_maintenance"
    status = HTTPStatus.SERVICE_UNAVAILABLE
    public = "The image provider is closed for maintenance. Please try again later."


class ProviderFailed(TransientProviderError):
    """Contract code 500, or an HTTP 5xx."""

    code = "provider_failed"
    status = HTTPStatus.BAD_GATEWAY
    public = "The image provider has a problem. Please try again."


class ProviderBusy(TransientProviderError, RetryLater):
    """Contract code 429, or HTTP 429."""

    contract = TOO_MANY_REQUESTS
    code = "provider_busy"
    status = HTTPStatus.SERVICE_UNAVAILABLE
    public = "The image provider is busy. Please try again in a moment."


class ProviderTimeout(TransientProviderError):
    """No complete response within the deadline."""

    code = "provider_timeout"
    status = HTTPStatus.GATEWAY_TIMEOUT
    public = "The image provider did not answer in time. Please try again."


class ProviderUnreachable(TransientProviderError):
    """No connection to the provider."""

    code = "provider_unreachable"
    status = HTTPStatus.BAD_GATEWAY
    public = "The image provider cannot be reached. Please try again."


class ProviderGarbled(ProviderError):
    """The response violates the contract: a page, a redirect, no data, too much data, or an unknown code."""

    code = "provider_garbled"
    status = HTTPStatus.BAD_GATEWAY
    public = "The image provider sent an invalid response. Please try again."
    retry = True
    server_fault = True


class ProviderPaused(TransientProviderError, RetryLater):
    """The circuit breaker is open: the provider failed several times in a row."""

    code = "provider_paused"
    status = HTTPStatus.SERVICE_UNAVAILABLE
    public = "The image provider has failed several times. Please try again shortly."


class DirectUrlRefused(ProviderError):
    """The egress guard refused the provider's direct URL."""

    code = "direct_url_refused"
    status = HTTPStatus.BAD_GATEWAY
    public = "The image provider returned an address that the gateway does not fetch from."
    server_fault = True
