"""There is no image, for a reason that the provider's contract defines."""

from http import HTTPStatus

from gateway.errors.contract import FETCH_FAILED, VALIDATION_FAILED
from gateway.errors.provider import ProviderError


class ImageNotFound(ProviderError):
    """Contract code 404."""

    contract = (404, "The requested resource or endpoint does not exist")
    code = "image_not_found"
    status = HTTPStatus.NOT_FOUND
    public = "This image does not exist."


class ImageRejected(ProviderError):
    """Contract code 422, "The request parameters failed validation checks"."""

    contract = VALIDATION_FAILED
    code = "image_rejected"
    status = HTTPStatus.NOT_FOUND
    public = "This image does not belong to this task."


class RecordNotFound(ProviderError):
    """Contract code 422, "record is null"."""

    contract = (422, "record is null")
    code = "record_not_found"
    status = HTTPStatus.NOT_FOUND
    public = "This task does not exist."


class RecordTooOld(ProviderError):
    """Contract code 422, "Temporarily supports records within 14 days"."""

    contract = (422, "Temporarily supports records within 14 days")
    code = "record_too_old"
    status = HTTPStatus.GONE
    public = "Images are stored for a limited time, and this one is older."


class ResultBlank(ProviderError):
    """Contract code 422, "record result data is blank"."""

    contract = (422, "record result data is blank")
    code = "result_blank"
    status = HTTPStatus.NOT_FOUND
    public = "The task finished without a usable image."


class RecordNotReady(ProviderError):
    """Contract code 422, "record status is not success"."""

    contract = (422, "record status is not success")
    code = "record_not_ready"
    status = HTTPStatus.NOT_FOUND
    public = "The image is not finished yet, or could not be made."
    retry = True


class ResultMissing(ProviderError):
    """Contract code 422, "record result data not exist"."""

    contract = (422, "record result data not exist")
    code = "result_missing"
    status = HTTPStatus.NOT_FOUND
    public = "The task has no image."


class ResultEmpty(ProviderError):
    """Contract code 422, "record result data is empty"."""

    contract = (422, "record result data is empty")
    code = "result_empty"
    status = HTTPStatus.NOT_FOUND
    public = "The task finished with no image in its result."


class ImageUnavailable(ProviderError):
    """Contract code 451: the provider failed to fetch the image."""

    contract = FETCH_FAILED
    code = "image_unavailable"
    status = HTTPStatus.UNAVAILABLE_FOR_LEGAL_REASONS
    public = "The image could not be fetched; access to it may be limited."


class NotAnImage(ProviderError):
    """The first bytes of a fetched or uploaded file are not an image's."""

    contract = FETCH_FAILED
    code = "not_an_image"
    status = HTTPStatus.UNAVAILABLE_FOR_LEGAL_REASONS
    public = "The file at the image's address is not an image."
