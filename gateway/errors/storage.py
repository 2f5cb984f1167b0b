"""What stands against what the gateway keeps."""

from http import HTTPStatus

from gateway.errors.base import GatewayError


class DatabaseDown(GatewayError):
    """The database does not answer."""

    code = "database_down"
    status = HTTPStatus.SERVICE_UNAVAILABLE
    public = "The gateway cannot reach its records right now. Please try again in a moment."
    server_fault = True


class StorageDown(GatewayError):
    """The place where the objects are kept does not answer, does not let us in, or broke off."""

    code = "storage_down"
    status = HTTPStatus.SERVICE_UNAVAILABLE
    public = "The gateway cannot reach its store of images right now. Please try again in a moment."
    server_fault = True


class StorageFull(GatewayError):
    """The disk that holds the objects is full."""

    code = "storage_full"
    status = HTTPStatus.INSUFFICIENT_STORAGE
    public = "The gateway has no room left for more images. Its operator has to make some."
    server_fault = True
