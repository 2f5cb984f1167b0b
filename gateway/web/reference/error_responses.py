"""Error responses in the OpenAPI document: the forms of ``gateway.web.error_handlers``, each code with its text."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from gateway.errors import AccessError, GatewayError, MethodNotAllowed, RangeNotSatisfiable, RetryLater
from gateway.web.request_parsing import CONTRACT_PATHS
from gateway.web.responses import contract_status
from gateway.web.schemas import ContractRefusal, Problem, Refusal, reference

Json = dict[str, Any]
Errors = Sequence[type[GatewayError]]
_REQUEST_EXAMPLE = "3f1c0a9be2d47c58"
_HEADERS: tuple[tuple[type[GatewayError], str, str], ...] = (
    (AccessError, "WWW-Authenticate", "What would open the call."),
    (MethodNotAllowed, "Allow", "The methods that this address takes."),
    (RangeNotSatisfiable, "Content-Range", "The length of the file: `bytes */<length>`."),
    (RetryLater, "Retry-After", "After how many seconds to come again."),
)


def refusals(path: str, errors: Errors) -> dict[int, Json]:
    """The responses of the errors that a call at ``path`` may answer with, by HTTP status."""
    in_contract = path in CONTRACT_PATHS
    tell = _as_contract if in_contract else _as_envelope if path.startswith("/api/") else _as_negotiated
    by_status: dict[int, list[type[GatewayError]]] = {}
    for error in errors:
        status = contract_status(error.contract[0]) if in_contract else int(error.status)
        by_status.setdefault(status, []).append(error)
    return {
        status: {"description": HTTPStatus(status).phrase, "content": tell(told)} | _headers(told)
        for status, told in by_status.items()
    }


def _headers(errors: Errors) -> Json:
    made = {
        name: {"description": says, "schema": {"type": "string"}}
        for base, name, says in _HEADERS
        if any(issubclass(error, base) for error in errors)
    }
    return {"headers": made} if made else {}


def _as_contract(errors: Errors) -> Json:
    """Each pair of code and message once: the contract has fewer of them than we have errors."""
    examples: dict[tuple[int, str], tuple[str, Json]] = {}
    for error in sorted(errors, key=lambda error: error.contract[0]):
        code, msg = error.contract
        value = {"code": code, "msg": msg, "data": None}
        examples.setdefault(error.contract, (error.code, {"summary": msg, "value": value}))
    return {"application/json": {"schema": reference(ContractRefusal), "examples": dict(examples.values())}}


def _as_envelope(errors: Errors) -> Json:
    examples = {
        error.code: _example(error, {"code": int(error.status), "msg": error.public, "data": None}) for error in errors
    }
    return {"application/json": {"schema": reference(Refusal), "examples": examples}}


def _as_negotiated(errors: Errors) -> Json:
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
        "requestId": _REQUEST_EXAMPLE,
    }


def _example(error: type[GatewayError], value: Json) -> Json:
    return {"summary": error.public, "value": value}
