"""How one transfer to a visitor went."""

from dataclasses import dataclass


@dataclass(slots=True)
class TransferStats:
    """How a delivery went, for the log line on completion.

    Attributes:
        way: ``redirect`` or ``stream``, or ``none``; and ``reason``, why, in a word.
        outcome: one word; a code of ``gateway.errors`` when the origin failed on the way.
        sent: bytes that the visitor took.
        broke_off: whether bytes were out when the origin failed.
        heals: how often the origin broke off and the stream went on all the same.
    """

    outcome: str = "begun"
    sent: int = 0
    broke_off: bool = False
    heals: int = 0
    way: str = "none"
    reason: str = ""
