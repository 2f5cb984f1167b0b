"""Error responses in the OpenAPI document; ``gateway.web.error_handlers`` renders the real ones."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from gateway.errors import AccessError, GatewayError, MethodNotAllowed, RangeNotSatisfiable, RetryLater
from gateway.web.request_parsing import CONTRACT_PATHS
from gateway.web.responses import contract_status
from gateway.web.schemas import ContractErrorResponse, ErrorResponse, Problem, reference

Json = dict[str, Any]
Errors = Sequence[type[GatewayError]]
_REQUEST_ID = "3f1c0a9be2d47c58"
_HEADERS: tuple[tuple[type[GatewayError], str, str], ...] = (
    (AccessError, "WWW-Authenticate", "The authentication scheme that is required."),
    (MethodNotAllowed, "Allow", "The supported methods."),
    (RangeNotSatisfiable, "Content-Range", "The length of the file: `bytes */<length>`."),
    (RetryLater, "Retry-After", "The number of seconds to wait before a retry."),
)


def error_responses(path: str, errors: Errors) -> dict[int, Json]:
    """Response objects for the errors of a call, by HTTP status."""
    in_contract = path in CONTRACT_PATHS
    content = _contract if in_contract else _envelope if path.startswith("/api/") else _negotiated
    by_status: dict[int, list[type[GatewayError]]] = {}
    for error in errors:
        status = contract_status(error.contract[0]) if in_contract else int(error.status)
        by_status.setdefault(status, []).append(error)
    return {
        status: {"description": HTTPStatus(status).phrase, "content": content(group)} | _headers(group)
        for status, group in by_status.items()
    }


def _headers(errors: Errors) -> Json:
    headers = {
        name: {"description": description, "schema": {"type": "string"}}
        for base, name, description in _HEADERS
        if any(issubclass(error, base) for error in errors)
    }
    return {"headers": headers} if headers else {}


def _contract(errors: Errors) -> Json:
    """One example for each pair of code and message, which several errors may share."""
    examples: dict[tuple[int, str], tuple[str, Json]] = {}
    for error in sorted(errors, key=lambda error: error.contract[0]):
        code, msg = error.contract
        value = {"code": code, "msg": msg, "data": None}
        examples.setdefault(error.contract, (error.code, {"summary": msg, "value": value}))
    return {"application/json": {"schema": reference(ContractErrorResponse), "examples": dict(examples.values())}}


def _envelope(errors: Errors) -> Json:
    examples = {
        error.code: _example(error, {"code": int(error.status), "msg": error.public, "data": None}) for error in errors
    }
    return {"application/json": {"schema": reference(ErrorResponse), "examples": examples}}


def _negotiated(errors: Errors) -> Json:
    return {
        "application/problem+json": {
            "schema": reference(Problem),
            "examples": {error.code: _example(error, _problem(error)) for error in errors},
        },
        "text/html": {"schema": {"type": "string"}},
        "text/plain": {"schema": {"type": "string"}},
    }


def _problem(error: type[GatewayError]) -> Json:
    return {
        "type": f"/problems/{error.code}",
        "title": error.status.phrase,
        "status": int(error.status),
        "detail": error.public,
        "requestId": _REQUEST_ID,
    }


def _example(error: type[GatewayError], value: Json) -> Json:
    return {"summary": error.public, "value": value}
