"""What is counted, for Prometheus: every worker in files of its own, and all of them read together.

No label grows without bound: outcomes and limits are codes of ``gateway.errors`` and words of ``gateway.delivery``, and
never a task, a host or a path.
"""

import os
from functools import cache

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest, values
from prometheus_client.multiprocess import MultiProcessCollector

from gateway.observability.metrics import Metrics

_pid = cache(os.getpid)
os.register_at_fork(after_in_child=_pid.cache_clear)
if values.ValueClass is not values.MutexValue:
    values.ValueClass = values.MultiProcessValue(_pid)  # type: ignore[no-untyped-call]  # it asks at each count, to know of a fork
PROVIDER_BUCKETS_S = (0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 16)


class PrometheusMetrics(Metrics):
    """Counts for this process, and tells for all of them.

    Build it after the worker was forked. Where ``PROMETHEUS_MULTIPROC_DIR`` was set before this module was imported,
    the folder has what every worker counted; otherwise there is this process alone.
    """

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        requests = Counter("gateway_requests", "Requests that are over.", ["delivery", "outcome"], registry=registry)
        sources = Counter("gateway_sources", "How sources were had.", ["result"], registry=registry)
        limits = Counter("gateway_limits_hit", "Requests turned away by a limit.", ["kind"], registry=registry)
        calls = Histogram(
            "gateway_provider_call_seconds",
            "Calls of the provider, each try for itself.",
            ["code"],
            buckets=PROVIDER_BUCKETS_S,
            registry=registry,
        )
        # Finding what stands for some labels costs more than counting.
        self._requests, self._sources = cache(requests.labels), cache(sources.labels)
        self._limits, self._calls = cache(limits.labels), cache(calls.labels)
        self._bytes = Counter("gateway_sent_bytes", "Bytes of files that visitors took.", registry=registry)
        self._heals = Counter("gateway_heals", "Origins that broke off, unnoticed by the visitor.", registry=registry)
        self._streams = _gauge("gateway_open_streams", "Streams that are open.", registry)
        self._breaker = _gauge("gateway_breaker_open", "Workers that leave a failing provider alone.", registry)

    def answered(self, delivery: str, outcome: str, sent: int, heals: int) -> None:
        """Count a request, what was sent, and what was healed."""
        self._requests(delivery, outcome).inc()
        if sent:
            self._bytes.inc(sent)
        if heals:
            self._heals.inc(heals)

    def stream_began(self) -> None:
        """Count one stream more."""
        self._streams.inc()

    def stream_ended(self) -> None:
        """Count one stream less."""
        self._streams.dec()

    def resolved(self, result: str) -> None:
        """Count a source."""
        self._sources(result).inc()

    def provider_answered(self, code: str, seconds: float) -> None:
        """Count a call and its time."""
        self._calls(code).observe(seconds)

    def breaker_opened(self, *, is_open: bool) -> None:
        """Set the breaker of this worker."""
        self._breaker.set(is_open)

    def limit_hit(self, kind: str) -> None:
        """Count a refusal."""
        self._limits(kind).inc()

    def exposition(self) -> tuple[bytes, str]:
        """Give what all workers counted, in the text format."""
        everybody = CollectorRegistry()
        try:
            MultiProcessCollector(everybody)  # type: ignore[no-untyped-call]
        except ValueError:  # there is no folder: this process is alone
            everybody = self._registry
        return generate_latest(everybody), CONTENT_TYPE_LATEST


def _gauge(name: str, text: str, registry: CollectorRegistry) -> Gauge:
    """One of which the sum over the workers that live is told."""
    return Gauge(name, text, multiprocess_mode="livesum", registry=registry)
