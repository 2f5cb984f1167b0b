"""HTTP transport of the provider's API: a ``requests`` session that can reach only the API host."""

import time
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPException
from http.cookiejar import DefaultCookiePolicy
from typing import Literal

import requests
from ssrfguard import SSRFGuardError
from ssrfguard.requests import SafeAdapter, Session
from urllib3 import BaseHTTPResponse
from urllib3.exceptions import DecodeError, HTTPError, ReadTimeoutError

from gateway.egress.client import USER_AGENT, tls_context
from gateway.egress.connection_pool import CONNECT_TIMEOUT_S
from gateway.egress.deadline import deadline
from gateway.egress.dns_lookup import DnsLookup
from gateway.egress.guard import Network, one_host_policy
from gateway.errors import ProviderGarbled, ProviderTimeout, ProviderUnreachable

MAX_BYTES = 64 * 1024
MAX_IDLE = 64  # connections


@dataclass(frozen=True, slots=True)
class ProviderRequest:
    """A request. The path begins with a slash; a GET has a query, a POST a JSON body."""

    method: Literal["GET", "POST"]
    path: str
    query: Mapping[str, str] | None = None
    json: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class ProviderResponse:
    """A response: the HTTP status, the raw ``Retry-After``, and at most 64 KiB of body."""

    status: int
    retry_after: str
    body: bytes


class ProviderSession:
    """Sends requests to one host. Ignores cookies, redirects, and the proxies and netrc of the environment.

    Args:
        base_url: scheme, host and optional path prefix.
        api_key: sent as ``Authorization: Bearer``.
        lookup: resolves names.
        private_networks: networks that may contain the host, beside public addresses.
    """

    def __init__(
        self, base_url: str, api_key: str, lookup: DnsLookup, private_networks: Iterable[Network] = ()
    ) -> None:
        self._base_url = base_url
        policy = one_host_policy(base_url, private_networks)
        self._session = _Session(policy=policy)
        adapter = SafeAdapter(policy=policy, resolver=lookup, pool_maxsize=MAX_IDLE)
        adapter.init_poolmanager(1, MAX_IDLE, ssl_context=tls_context())
        self._session.mount("https://", adapter)
        self._session.mount("http://", adapter)
        self._session.headers.update(
            {
                "Authorization": f"Bearer {api_key}",
                "Accept": "application/json",
                "Accept-Encoding": "gzip, deflate",
                "User-Agent": USER_AGENT,
            }
        )

    def call(self, request: ProviderRequest, *, timeout_s: float) -> ProviderResponse:
        """Send a request and read the whole response.

        Args:
            request: what to send.
            timeout_s: total, in seconds.

        Raises:
            ProviderTimeout: no complete response in time.
            ProviderUnreachable: no connection, or no HTTP response.
            ProviderGarbled: more than 64 KiB, or an invalid content coding.
        """
        until = time.monotonic() + timeout_s
        try:
            with deadline(timeout_s):
                response = self._session.request(
                    request.method,
                    self._base_url + request.path,
                    params=request.query,
                    json=request.json,
                    timeout=(min(CONNECT_TIMEOUT_S, timeout_s), timeout_s),
                    allow_redirects=False,
                    stream=True,
                )
                with closing(response):
                    body = _read(response.raw, until)
        except (requests.Timeout, ReadTimeoutError, TimeoutError) as error:
            raise ProviderTimeout(type(error).__name__) from error
        except DecodeError as error:
            raise ProviderGarbled(type(error).__name__) from error
        except (requests.RequestException, HTTPError, HTTPException, SSRFGuardError, OSError) as error:
            raise ProviderUnreachable(type(error).__name__) from error
        return ProviderResponse(response.status_code, response.headers.get("Retry-After", ""), body)


class _Session(Session):
    """A session that ignores the environment and cookies, and returns redirects without parsing them."""

    def __init__(self, **options: object) -> None:
        super().__init__(**options)  # type: ignore[arg-type]
        self.trust_env = False
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))

    def get_redirect_target(self, resp: requests.Response) -> None:  # noqa: ARG002 (requests' signature)
        return None


def _read(raw: BaseHTTPResponse, until: float) -> bytes:
    body = bytearray()
    while part := raw.read1(8192, decode_content=True):
        body += part
        if len(body) > MAX_BYTES:
            raise ProviderGarbled("the response is larger than 64 KiB")
        if time.monotonic() > until:
            raise ProviderTimeout("the response took too long")
    return bytes(body)
