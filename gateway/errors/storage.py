"""Failures of the database and of the object store."""

from http import HTTPStatus

from gateway.errors.base import GatewayError


class DatabaseDown(GatewayError):
    """The database does not respond."""

    code = "database_down"
    status = HTTPStatus.SERVICE_UNAVAILABLE
    public = "The gateway cannot reach its database right now. Please try again in a moment."
    server_fault = True


class StorageDown(GatewayError):
    """The object store does not respond, denies access, or broke the transfer off."""

    code = "storage_down"
    status = HTTPStatus.SERVICE_UNAVAILABLE
    public = "The gateway cannot reach its image store right now. Please try again in a moment."
    server_fault = True


class StorageFull(GatewayError):
    """The disk of the object store is full."""

    code = "storage_full"
    status = HTTPStatus.INSUFFICIENT_STORAGE
    public = "The gateway has no space left for images. Its operator has to free some."
    server_fault = True
