"""A record: the status and results of a task, and the contract's checks on them."""

from dataclasses import dataclass
from typing import Any, Literal, get_args

from gateway.errors import (
    ImageRejected,
    InvalidBody,
    RecordNotFound,
    RecordNotReady,
    RecordTooOld,
    ResultBlank,
    ResultEmpty,
    ResultMissing,
)

Status = Literal["GENERATING", "SUCCESS", "CREATE_TASK_FAILED", "GENERATE_FAILED"]
STATUSES: tuple[str, ...] = get_args(Status)
MAX_RESULTS = 100
DAY_MS = 86_400_000
_FLAGS = {"GENERATING": 0, "SUCCESS": 1, "CREATE_TASK_FAILED": 2, "GENERATE_FAILED": 3}


@dataclass(frozen=True, slots=True)
class Record:
    """A task's record. Times are Unix milliseconds.

    Attributes:
        result_urls: the images' origin URLs; None if the task has no result.
        swept: whether this is a tombstone: expired, its URLs and images deleted.
    """

    task_id: str
    status: Status
    result_urls: tuple[str, ...] | None
    created_at: int
    completed_at: int | None = None
    error_code: int | None = None
    error_message: str | None = None
    swept: bool = False

    def to_wire(self, result_urls: list[str] | None = None) -> dict[str, Any]:
        """The record as in the provider's ``record-info`` response.

        Args:
            result_urls: replaces the record's URLs.
        """
        urls = list(self.result_urls or ()) if result_urls is None else result_urls
        done = self.status == "SUCCESS"
        return {
            "taskId": self.task_id,
            "paramJson": "{}",
            "completeTime": self.completed_at,
            "response": None if self.result_urls is None else {"resultUrls": urls},
            "successFlag": _FLAGS[self.status],
            "status": self.status,
            "errorCode": self.error_code,
            "errorMessage": self.error_message,
            "createTime": self.created_at,
            "progress": "1.00" if done else "0.00",
        }


def check_result_limit(record: Record | None, url: str) -> None:
    """Check that a record can take another result with this URL.

    Raises:
        InvalidBody: the record has the maximum number of results.
    """
    urls = record.result_urls or () if record else ()
    if len(urls) >= MAX_RESULTS and url not in urls:
        raise InvalidBody(f"the task has {MAX_RESULTS} results already; use another task id")


def check_result(record: Record | None, url: str, *, now_ms: int, days: int) -> Record:
    """Check that a record has a result with this URL, in the contract's order.

    Raises:
        RecordNotFound, RecordTooOld, ResultBlank, RecordNotReady, ResultMissing, ResultEmpty: it has no results.
        ImageRejected: the URL is not among the results.
    """
    record = check_age(record, now_ms=now_ms, days=days)
    urls = record.result_urls
    if urls and not any(each.strip() for each in urls):
        raise ResultBlank("only blank results")
    if record.status != "SUCCESS":
        raise RecordNotReady(record.status)
    if urls is None:
        raise ResultMissing("no result")
    if not urls:
        raise ResultEmpty("no images in the result")
    if url not in urls:
        raise ImageRejected("the URL is not among the results of the task")
    return record


def check_age(record: Record | None, *, now_ms: int, days: int) -> Record:
    """Check that a record exists and is not older than ``days``.

    Raises:
        RecordNotFound, RecordTooOld: it does not, or is.
    """
    if record is None:
        raise RecordNotFound("no record")
    if record.swept or now_ms - record.created_at > days * DAY_MS:
        raise RecordTooOld("older than GATEWAY_RECORD_DAYS")
    return record
