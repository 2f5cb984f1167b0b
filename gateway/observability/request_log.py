"""The log line and metrics of a request, written when its response is finished."""

import random
import re
import sys
import time
from typing import Any

import structlog

from gateway.observability.metrics import Metrics
from gateway.observability.transfer_stats import TransferStats

_ENVIRON_KEY = "gateway.request_log"
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_log = structlog.get_logger("gateway.access")


class RequestLog:
    """Per-request log fields; any layer may set them.

    Attributes:
        request_id: from ``X-Request-Id``, or a new one.
        task, link: the task id and the link id; empty for none.
        outcome, reason: one word each; those of a delivery's stats take precedence.
    """

    __slots__ = (
        "_is_stream",
        "_method",
        "_metrics",
        "_path",
        "_started_at",
        "_stats",
        "_status",
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
        self._started_at = time.monotonic()
        self._method = environ["REQUEST_METHOD"]
        self._path = environ["PATH_INFO"]  # without the query string, which has the signature
        if self._path.startswith("/download/"):
            self._path = "/".join(self._path.split("/", 3)[:3])  # without the file name
        self._status = 0
        self._stats: TransferStats | None = None
        self._is_stream = False
        self._metrics = Metrics()

    @classmethod
    def of(cls, environ: dict[str, Any]) -> "RequestLog":
        """The request's log, created at the first call."""
        request_log: RequestLog | None = environ.get(_ENVIRON_KEY)
        if request_log is None:
            request_log = environ[_ENVIRON_KEY] = cls(environ)
        return request_log

    def start_response(self, status: int, metrics: Metrics, stats: TransferStats | None = None) -> None:
        """Note the response that starts now; :meth:`close` must follow.

        Args:
            status: the HTTP status.
            metrics: the recorder.
            stats: of a delivery; read by :meth:`close`.
        """
        self._status, self._metrics, self._stats = status, metrics, stats
        self._is_stream = stats is not None and stats.outcome == "begun"
        if self._is_stream:
            metrics.stream_started()

    def close(self) -> None:
        """Write the log line and count the finished request."""
        stats = self._stats or TransferStats(self.outcome)
        outcome = _final_outcome(stats.outcome)
        line = {
            "method": self._method,
            "path": self._path,
            "status": self._status,
            "request_id": self.request_id,
            "delivery": stats.delivery,
            "outcome": outcome,
            "ms": round((time.monotonic() - self._started_at) * 1000, 1),
        }
        if self._stats is not None:
            line["sent"], line["heals"] = stats.sent, stats.resumes
        known = {"reason": stats.reason or self.reason, "task": self.task, "link": self.link}
        line |= {name: value for name, value in known.items() if value}
        if self._is_stream:
            self._metrics.stream_finished()
        self._metrics.request_finished(stats.delivery, outcome, stats.sent, stats.resumes)
        _log.info("request", **line)


def _final_outcome(outcome: str) -> str:
    """Distinguish a client that left from one that was aborted, by the exception that closes the response."""
    raised = sys.exc_info()[0]
    if outcome not in {"left", "answered"} or raised is None:
        return outcome
    if issubclass(raised, TimeoutError):
        return "cut"  # the client timed out
    if issubclass(raised, OSError):
        return "left"
    return outcome if issubclass(raised, Exception) else "stopped"  # the worker exits
