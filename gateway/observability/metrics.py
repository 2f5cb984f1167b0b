"""A metrics recorder that records nothing; ``gateway.observability.prometheus`` has one that does."""


class Metrics:
    """Told of what happens, where it happens; by itself it does nothing, as nobody asks."""

    def answered(self, delivery: str, outcome: str, sent: int, heals: int) -> None:
        """Note a request that is over: ``redirect``, ``stream`` or ``none``, one word, bytes sent, and heals."""

    def stream_began(self) -> None:
        """Note a stream that is open from now on."""

    def stream_ended(self) -> None:
        """Note that it is closed."""

    def resolved(self, result: str) -> None:
        """Note how a source was had: ``hit``, ``miss``, ``stale``, or ``failure`` for one that is remembered."""

    def provider_answered(self, code: str, seconds: float) -> None:
        """Note one call of the provider: its code or a word for the lack of one, and how long it took."""

    def breaker_opened(self, *, is_open: bool) -> None:
        """Note whether the provider is left alone since its failures."""

    def limit_hit(self, kind: str) -> None:
        """Note a request that was turned away by a limit; ``kind`` is the error's code."""

    def exposition(self) -> tuple[bytes, str]:
        """Give what all workers counted, and its content type."""
        return b"", "text/plain"
