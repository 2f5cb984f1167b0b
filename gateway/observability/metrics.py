"""The interface of metrics recorders."""


class Metrics:
    """A no-op recorder; ``gateway.observability.prometheus`` has one that counts."""

    def request_finished(self, delivery: str, outcome: str, sent: int, resumes: int) -> None:
        """Count a finished request.

        Args:
            delivery: ``redirect``, ``stream`` or ``none``.
            outcome: one word.
            sent: bytes of the file.
            resumes: how often the origin was opened again.
        """

    def stream_started(self) -> None:
        """Count a stream as open."""

    def stream_finished(self) -> None:
        """Count a stream as closed."""

    def resolved(self, result: str) -> None:
        """Count a resolved source: ``hit``, ``miss``, ``stale``, or ``failure`` for a cached failure."""

    def provider_called(self, code: str, seconds: float) -> None:
        """Record a call to the provider: its code, or a word when there is none, and its duration."""

    def set_breaker(self, *, is_open: bool) -> None:
        """Record whether the circuit breaker is open."""

    def limit_hit(self, kind: str) -> None:
        """Count a request over a limit; ``kind`` is the error code."""

    def exposition(self) -> tuple[bytes, str]:
        """The metrics of all workers in Prometheus' text format, and its content type."""
        return b"", "text/plain"
