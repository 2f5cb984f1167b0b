"""A record: the status of a task and the images it made, and what the contract says of them."""

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
    """What is known of one task. Times are Unix milliseconds.

    Attributes:
        result_urls: the images' origin URLs; None when the task has no result at all.
        swept: whether this is a tombstone: too old, its urls and objects gone.
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
        """The provider's form of a record, as ``record-info`` answers it.

        Args:
            result_urls: the URLs to show in place of the record's own.
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
    """Check that the image at ``url`` may be added to a record.

    Raises:
        InvalidBody: the task has as many results as one may have; says the remedy.
    """
    urls = record.result_urls or () if record else ()
    if len(urls) >= MAX_RESULTS and url not in urls:
        raise InvalidBody(f"the task has {MAX_RESULTS} results already; use another task id")


def check_result(record: Record | None, url: str, *, now_ms: int, days: int) -> Record:
    """Check that a record permits the image at ``url``, in the contract's order.

    Raises:
        RecordNotFound, RecordTooOld, ResultBlank, RecordNotReady, ResultMissing, ResultEmpty: the record does not.
        ImageRejected: it does, but not this image.
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
        raise ImageRejected("the url is not among the task's results")
    return record


def check_age(record: Record | None, *, now_ms: int, days: int) -> Record:
    """Check that there is a record, and that it is not too old.

    Raises:
        RecordNotFound, RecordTooOld: what it says.
    """
    if record is None:
        raise RecordNotFound("no record")
    if record.swept or now_ms - record.created_at > days * DAY_MS:
        raise RecordTooOld("older than the records that are kept")
    return record
