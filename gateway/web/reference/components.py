"""Parts that several operations share."""

from typing import Any

from gateway import errors
from gateway.errors import (
    BodyTooLarge,
    DatabaseDown,
    GatewayError,
    InvalidBody,
    KeyInvalid,
    KeyMissing,
    KeyRateLimited,
    OriginError,
    ProviderError,
    QuotaExhausted,
    ScopeMissing,
    StillPreparing,
    StorageDown,
    StorageFull,
    UploadBroken,
)
from gateway.links.link import TASK_ID
from gateway.web.reference.openapi import Parameter
from gateway.web.schemas import TASK_EXAMPLE, URL_EXAMPLE


def family(base: type[GatewayError]) -> list[type[GatewayError]]:
    """All subclasses of an error, and the error itself, that have an error code."""
    members = [base, *(member for child in base.__subclasses__() for member in family(child))]
    return [member for member in members if member in vars(errors).values() and "code" in vars(member)]


def success(data: Any) -> dict[str, Any]:  # noqa: ANN401 (any JSON)
    """The example of a successful envelope."""
    return {"success": {"code": 200, "msg": "success", "data": data}}


KEY_ERRORS = (KeyMissing, KeyInvalid, ScopeMissing, KeyRateLimited, QuotaExhausted, DatabaseDown)
BODY_ERRORS = (InvalidBody, BodyTooLarge, UploadBroken)
STORE_ERRORS = (StorageDown, StorageFull, DatabaseDown)
RESOLVING_ERRORS = (*family(ProviderError), *family(OriginError), StillPreparing, *STORE_ERRORS)

TASK_ID_PARAMETER = Parameter(
    "task_id",
    "path",
    "The task ID associated with the image generation.",
    {"type": "string", "pattern": f"^{TASK_ID.pattern}$"},
    TASK_EXAMPLE,
)
RECORD_EXAMPLE = {
    "taskId": TASK_EXAMPLE,
    "paramJson": "{}",
    "completeTime": 1774788518000,
    "response": {"resultUrls": [URL_EXAMPLE]},
    "successFlag": 1,
    "status": "SUCCESS",
    "errorCode": None,
    "errorMessage": None,
    "createTime": 1774788500000,
    "progress": "1.00",
}
