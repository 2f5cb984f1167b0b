"""How the provider's API is called: JSON over a guarded ``requests`` session that reaches that one host."""

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

from gateway.egress.client import USER_AGENT, tls_roots
from gateway.egress.connection_pool import CONNECT_TIMEOUT_S
from gateway.egress.deadline import deadline
from gateway.egress.dns_lookup import Lookup
from gateway.egress.guard import Network, one_host_policy
from gateway.errors import ProviderGarbled, ProviderTimeout, ProviderUnreachable

MOST_BYTES = 64 * 1024
MOST_IDLE = 64  # connections


@dataclass(frozen=True, slots=True)
class Call:
    """One call of the API. The path begins with a slash; a GET has a query, and a POST a body."""

    method: Literal["GET", "POST"]
    path: str
    query: Mapping[str, str] | None = None
    json: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """A complete answer of the provider: the HTTP status, ``Retry-After`` as it came, and at most 64 KiB of body."""

    status: int
    retry_after: str
    body: bytes


class ProviderSession:
    """Calls one API host. Sends no cookies back, reads no proxy or netrc from the environment, follows no redirect.

    Args:
        base_url: scheme, host and perhaps a path prefix.
        api_key: sent as ``Authorization: Bearer``.
        lookup: resolves names.
        private_networks: where the host may lie when it is not public.
    """

    def __init__(self, base_url: str, api_key: str, lookup: Lookup, private_networks: Iterable[Network] = ()) -> None:
        self._base_url = base_url
        policy = one_host_policy(base_url, private_networks)
        self._session = _Session(policy=policy)
        adapter = SafeAdapter(policy=policy, resolver=lookup, pool_maxsize=MOST_IDLE)
        adapter.init_poolmanager(1, MOST_IDLE, ssl_context=tls_roots())
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

    def call(self, call: Call, *, timeout_s: float) -> Reply:
        """Send one call and read its whole answer.

        Args:
            call: what to send.
            timeout_s: for everything together, in seconds.

        Raises:
            ProviderTimeout: no complete answer in time.
            ProviderUnreachable: no connection, or one that does not speak HTTP.
            ProviderGarbled: more than 64 KiB, or a broken content coding.
        """
        until = time.monotonic() + timeout_s
        try:
            with deadline(timeout_s):
                answer = self._session.request(
                    call.method,
                    self._base_url + call.path,
                    params=call.query,
                    json=call.json,
                    timeout=(min(CONNECT_TIMEOUT_S, timeout_s), timeout_s),
                    allow_redirects=False,
                    stream=True,
                )
                with closing(answer):
                    body = _read(answer.raw, until)
        except (requests.Timeout, ReadTimeoutError, TimeoutError) as slow:
            raise ProviderTimeout(type(slow).__name__) from slow
        except DecodeError as garbled:
            raise ProviderGarbled(type(garbled).__name__) from garbled
        except (requests.RequestException, HTTPError, HTTPException, SSRFGuardError, OSError) as broken:
            raise ProviderUnreachable(type(broken).__name__) from broken
        return Reply(answer.status_code, answer.headers.get("Retry-After", ""), body)


class _Session(Session):
    """A session without anything of the environment; redirects are answers, never read and never followed."""

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
        if len(body) > MOST_BYTES:
            raise ProviderGarbled("the answer is larger than 64 KiB")
        if time.monotonic() > until:
            raise ProviderTimeout("the answer took too long")
    return bytes(body)
