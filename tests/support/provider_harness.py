"""An upstream resolver in front of a scripted provider, with pauses that cost no time."""

import json
import socket
from typing import Any

import pytest

from gateway import errors
from gateway.egress.client import Client
from gateway.egress.dns_lookup import DnsLookup
from gateway.egress.guard import Guard
from gateway.origins.allowlist import HostPattern
from gateway.provider.circuit_breaker import CircuitBreaker
from gateway.provider.client import DOWNLOAD_URL, ProviderClient
from gateway.provider.transport import ProviderSession
from gateway.resolving.upstream_resolver import UpstreamResolver
from tests.support.factories import PROVIDER_KEY, Clock
from tests.support.servers import ScriptedServer, answer

TASK, URL = "task12345", "https://tempfile.aiquickdraw.com/v/xxxxxxx.png"


class NoNames(DnsLookup):
    """No name has an address."""

    def __call__(self, host: str, *_args: object) -> Any:
        """Raise the error of an unknown name."""
        raise socket.gaierror(socket.EAI_NONAME, host)


class ProviderHarness:
    """A resolver, the provider that it calls, and the pauses that it made."""

    def __init__(self, server: ScriptedServer, clock: Clock) -> None:
        self.server = server
        self.clock = clock
        self.guard = Guard([HostPattern.parse("tempfile.aiquickdraw.com")])
        self.client = Client(self.guard, NoNames())
        self.session = ProviderSession(server.url(""), PROVIDER_KEY, DnsLookup())
        self.reset()

    def reset(self) -> None:
        """Begin anew: a closed circuit breaker, no pauses, no calls."""
        self.pauses: list[float] = []
        self.breaker = CircuitBreaker(self.clock)
        self.provider = ProviderClient(self.session, self.breaker, self.clock, self.pause)
        self.resolver = UpstreamResolver(self.provider, self.client, self.guard, self.clock)
        self.server.seen.clear()

    def pause(self, seconds: float) -> None:
        """Advance the clock."""
        self.pauses.append(seconds)
        self.clock.now += seconds

    def answer(self, *answers: bytes) -> None:
        """Set the provider's answers: one per call, the last repeated."""
        left = list(answers)
        self.server.route(DOWNLOAD_URL, lambda _request: left.pop(0) if len(left) > 1 else left[0])

    def resolve(self) -> Any:
        """Ask for the direct URL."""
        return self.resolver.resolve(TASK, URL)

    def failure(self) -> errors.GatewayError:
        """Ask for the direct URL and return the error."""
        with pytest.raises(errors.GatewayError) as failure:
            self.resolve()
        return failure.value

    def failure_of(self, *answers: bytes) -> errors.GatewayError:
        """The error that these answers cause, with no memory of earlier calls."""
        self.reset()
        self.answer(*answers)
        return self.failure()

    @property
    def calls(self) -> int:
        """How many calls the provider got."""
        return len(self.server.seen)


def reply(body: object, status: int = 200, **headers: str) -> bytes:
    """An answer of the provider with this body: bytes, or what becomes JSON."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return answer(status, raw, {"Content-Type": "application/json", **headers})
