"""What several rows of the table share."""

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
    """The errors of a family, each that has a code of its own."""
    members = [base, *(member for child in base.__subclasses__() for member in family(child))]
    return [member for member in members if member in vars(errors).values() and "code" in vars(member)]


def success(data: Any) -> dict[str, Any]:  # noqa: ANN401 (any JSON)
    """The example of an envelope."""
    return {"success": {"code": 200, "msg": "success", "data": data}}


KEY_ERRORS = (KeyMissing, KeyInvalid, ScopeMissing, KeyRateLimited, QuotaExhausted, DatabaseDown)
BODY_ERRORS = (InvalidBody, BodyTooLarge, UploadBroken)
STORE_ERRORS = (StorageDown, StorageFull, DatabaseDown)
RESOLVING_ERRORS = (*family(ProviderError), *family(OriginError), StillPreparing, *STORE_ERRORS)

TASK = Parameter(
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
