"""Prometheus metrics. Each worker writes its own files, which are read together.

Label values are bounded: codes of ``gateway.errors`` and words of ``gateway.delivery``, never a task, a host or a path.
"""

import os
from functools import cache

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest, values
from prometheus_client.multiprocess import MultiProcessCollector

from gateway.observability.metrics import Metrics

_pid = cache(os.getpid)
os.register_at_fork(after_in_child=_pid.cache_clear)
if values.ValueClass is not values.MutexValue:
    values.ValueClass = values.MultiProcessValue(_pid)  # type: ignore[no-untyped-call]  # the default calls getpid at each count
PROVIDER_BUCKETS_S = (0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 16)


class PrometheusMetrics(Metrics):
    """Counts in this process, and reports the counts of all workers.

    Create it after the fork. ``PROMETHEUS_MULTIPROC_DIR`` must be set before this module is imported; without it, only
    this process is reported.
    """

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        requests = Counter("gateway_requests", "Finished requests.", ["delivery", "outcome"], registry=registry)
        sources = Counter("gateway_sources", "Resolved sources.", ["result"], registry=registry)
        limits = Counter("gateway_limits_hit", "Requests over a limit.", ["kind"], registry=registry)
        calls = Histogram(
            "gateway_provider_call_seconds",
            "Calls to the provider, including retries.",
            ["code"],
            buckets=PROVIDER_BUCKETS_S,
            registry=registry,
        )
        # Looking up labels takes longer than counting.
        self._requests, self._sources = cache(requests.labels), cache(sources.labels)
        self._limits, self._calls = cache(limits.labels), cache(calls.labels)
        self._bytes = Counter("gateway_sent_bytes", "Bytes of files sent to clients.", registry=registry)
        self._resumes = Counter("gateway_heals", "Transfers resumed after the origin broke off.", registry=registry)
        self._streams = _gauge("gateway_open_streams", "Streams that are open.", registry)
        self._breaker = _gauge("gateway_breaker_open", "Workers whose circuit breaker is open.", registry)

    def request_finished(self, delivery: str, outcome: str, sent: int, resumes: int) -> None:
        """Count a finished request, its bytes and its resumes."""
        self._requests(delivery, outcome).inc()
        if sent:
            self._bytes.inc(sent)
        if resumes:
            self._resumes.inc(resumes)

    def stream_started(self) -> None:
        """Increment the open streams."""
        self._streams.inc()

    def stream_finished(self) -> None:
        """Decrement the open streams."""
        self._streams.dec()

    def resolved(self, result: str) -> None:
        """Count a resolved source."""
        self._sources(result).inc()

    def provider_called(self, code: str, seconds: float) -> None:
        """Record a call to the provider."""
        self._calls(code).observe(seconds)

    def set_breaker(self, *, is_open: bool) -> None:
        """Set the circuit breaker of this worker."""
        self._breaker.set(is_open)

    def limit_hit(self, kind: str) -> None:
        """Count a request over a limit."""
        self._limits(kind).inc()

    def exposition(self) -> tuple[bytes, str]:
        """The metrics of all workers in the text format."""
        combined = CollectorRegistry()
        try:
            MultiProcessCollector(combined)  # type: ignore[no-untyped-call]
        except ValueError:  # no folder: report this process only
            combined = self._registry
        return generate_latest(combined), CONTENT_TYPE_LATEST


def _gauge(name: str, text: str, registry: CollectorRegistry) -> Gauge:
    """A gauge that is summed over the live workers."""
    return Gauge(name, text, multiprocess_mode="livesum", registry=registry)
