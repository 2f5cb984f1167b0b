"""Statistics of one transfer to a client."""

from dataclasses import dataclass


@dataclass(slots=True)
class TransferStats:
    """Statistics of one transfer, for its log line and metrics.

    Attributes:
        delivery: ``redirect``, ``stream`` or ``none``.
        reason: why, in one word.
        outcome: one word; an error code when the origin failed after the first byte.
        sent: bytes that were sent to the client.
        aborted: whether the origin failed after bytes were sent.
        resumes: how often the origin was opened again after it broke off.
    """

    outcome: str = "begun"
    sent: int = 0
    aborted: bool = False
    resumes: int = 0
    delivery: str = "none"
    reason: str = ""
