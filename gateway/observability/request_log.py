"""What is told of a request when its answer is over: one line in the log, and a count."""

import random
import re
import sys
import time
from typing import Any

import structlog

from gateway.observability.metrics import Metrics
from gateway.observability.transfer_stats import TransferStats

_KEY = "gateway.account"
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_log = structlog.get_logger("gateway.access")


class RequestLog:
    """One request's. Whoever learns something of it writes it down here.

    Attributes:
        request_id: the one that came with the request, or a new one.
        task, link: which task, and the id of which link; empty for none.
        outcome, reason: a word, and why; what a delivery says of itself counts more.
    """

    __slots__ = (
        "_begun_at",
        "_method",
        "_metrics",
        "_path",
        "_stats",
        "_status",
        "_streams",
        "link",
        "outcome",
        "reason",
        "request_id",
        "task",
    )

    def __init__(self, environ: dict[str, Any]) -> None:
        raw = environ.get("HTTP_X_REQUEST_ID", "")
        self.request_id: str = raw if _REQUEST_ID.fullmatch(raw) else f"{random.getrandbits(64):016x}"
        self.task, self.link = "", ""
        self.outcome, self.reason = "answered", ""
        self._begun_at = time.monotonic()
        self._method, self._path = environ["REQUEST_METHOD"], environ["PATH_INFO"]  # without the query: it is signed
        if self._path.startswith("/download/"):
            self._path = "/".join(self._path.split("/", 3)[:3])  # without the file's name
        self._status = 0
        self._stats: TransferStats | None = None
        self._streams = False
        self._metrics = Metrics()

    @classmethod
    def of(cls, environ: dict[str, Any]) -> "RequestLog":
        """Give the request's account; begin it when there is none."""
        request_log: RequestLog | None = environ.get(_KEY)
        if request_log is None:
            request_log = environ[_KEY] = cls(environ)
        return request_log

    def answer(self, status: int, metrics: Metrics, stats: TransferStats | None = None) -> None:
        """Note the answer that begins now, and what will know how it went; :meth:`close` must follow."""
        self._status, self._metrics, self._stats = status, metrics, stats
        self._streams = stats is not None and stats.outcome == "begun"
        if self._streams:
            metrics.stream_began()

    def close(self) -> None:
        """Write the line, and count: the answer is over."""
        stats = self._stats or TransferStats(self.outcome)
        outcome = _how_it_ended(stats.outcome)
        line = {
            "method": self._method,
            "path": self._path,
            "status": self._status,
            "request_id": self.request_id,
            "delivery": stats.delivery,
            "outcome": outcome,
            "ms": round((time.monotonic() - self._begun_at) * 1000, 1),
        }
        if self._stats is not None:
            line["sent"], line["heals"] = stats.sent, stats.resumes
        known = {"reason": stats.reason or self.reason, "task": self.task, "link": self.link}
        line |= {name: value for name, value in known.items() if value}
        if self._streams:
            self._metrics.stream_ended()
        self._metrics.answered(stats.delivery, outcome, stats.sent, stats.resumes)
        _log.info("request", **line)


def _how_it_ended(outcome: str) -> str:
    """Tell a visitor who left from one who was cut; the server closes the answer while that is being raised."""
    raised = sys.exc_info()[0]
    if outcome not in {"left", "answered"} or raised is None:
        return outcome
    if issubclass(raised, TimeoutError):
        return "cut"  # it took nothing for too long
    if issubclass(raised, OSError):
        return "left"
    return outcome if issubclass(raised, Exception) else "stopped"  # the server ends
