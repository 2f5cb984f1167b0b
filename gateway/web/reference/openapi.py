"""The OpenAPI document, built from the table of operations, the pydantic models and the error classes."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, models_json_schema

from gateway.errors import GatewayError, InternalError
from gateway.web.reference.authentication import SECURITY_SCHEMES, Security
from gateway.web.reference.code_samples import code_samples
from gateway.web.reference.error_responses import error_responses
from gateway.web.schemas import SCHEMA_PATH, ContractErrorResponse, ErrorResponse, Problem, reference

Json = dict[str, Any]
JSON = "application/json"
Location = Literal["path", "query", "header"]
# gateway.limits.api_rate sends these for keys with a limit.
RATE_LIMIT_HEADERS = {
    "RateLimit-Limit": "The number of calls that the key may make per minute or per day, whichever ends sooner.",
    "RateLimit-Remaining": "The number of calls left.",
    "RateLimit-Reset": "The number of seconds until the limit resets.",
}
_WITHOUT_RATE_LIMIT = {401, 405}  # these are sent before the key is counted
_ERROR_MODELS = (ErrorResponse, ContractErrorResponse, Problem)


@dataclass(frozen=True, slots=True)
class Content:
    """The content of a request or response.

    Attributes:
        types: content type to model or JSON schema; None for bytes.
        examples: name to JSON value.
    """

    types: Mapping[str, type[BaseModel] | Json | None]
    examples: Mapping[str, Any] = field(default_factory=dict)
    description: str = ""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter in the path, the query or a header."""

    name: str
    location: Location
    description: str
    schema: Json
    example: str | None = None
    required: bool = False

    def moved(self, name: str, location: Location) -> "Parameter":
        """The same value as a required parameter elsewhere in the request."""
        return replace(self, name=name, location=location, required=True)


@dataclass(frozen=True, slots=True)
class Response:
    """A response that is not an error; ``headers`` maps names to descriptions."""

    status: int
    description: str
    content: Content | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Operation:
    """One call of the API.

    Attributes:
        path: a path template: ``/download/{task_id}``.
        security: empty for a public call.
        errors: the errors besides ``InternalError``.
        has_head: whether HEAD is documented as an operation too.
    """

    id: str
    method: Literal["get", "post", "put", "delete"]
    path: str
    tag: str
    summary: str
    description: str
    responses: Sequence[Response]
    security: Security = ()
    errors: Sequence[type[GatewayError]] = ()
    parameters: Sequence[Parameter] = ()
    request_body: Content | None = None
    has_head: bool = False

    @property
    def call(self) -> str:
        """The method and the path: ``GET /download/{task_id}``."""
        return f"{self.method.upper()} {self.path}"

    @property
    def takes_key(self) -> bool:
        """Whether the call needs an API key."""
        return any("BearerAuth" in schemes for schemes in self.security)


def document(info: Json, tags: Mapping[str, str], operations: Sequence[Operation], public_url: str) -> Json:
    """Build the document.

    Args:
        info: the info object.
        tags: tag names and descriptions, in order.
        operations: the table of operations.
        public_url: the gateway's base URL; empty for the host that serves the document.
    """
    samples = code_samples(public_url)
    paths: dict[str, Json] = {}
    for operation in operations:
        methods = paths.setdefault(operation.path, {})
        methods[operation.method] = _operation(operation) | {"x-codeSamples": samples.get(operation.call, [])}
        if operation.has_head:
            methods["head"] = _head(methods[operation.method])
    return {
        "openapi": "3.1.0",
        "info": info,
        "servers": [{"url": public_url or "/", "description": "This gateway"}],
        "tags": [{"name": name, "description": description} for name, description in tags.items()],
        "paths": paths,
        "components": {
            "schemas": _schemas(operations),
            "headers": {
                name: {"description": description, "schema": {"type": "integer", "minimum": 0}}
                for name, description in RATE_LIMIT_HEADERS.items()
            },
            "securitySchemes": SECURITY_SCHEMES,
        },
    }


def _operation(operation: Operation) -> Json:
    result: Json = {
        "operationId": operation.id,
        "tags": [operation.tag],
        "summary": operation.summary,
        "description": operation.description,
        "security": list(operation.security),
    }
    if operation.parameters:
        result["parameters"] = [_parameter(parameter) for parameter in operation.parameters]
    if operation.request_body:
        result["requestBody"] = _request_body(operation.request_body)
    return result | {"responses": _responses(operation)}


def _head(get: Json) -> Json:
    """The HEAD operation of a GET: the same responses without content; never a redirect or a range."""
    responses = {
        status: {name: part for name, part in response.items() if name != "content"}
        for status, response in get["responses"].items()
        if status not in {"206", "302", "416"}
    }
    changes = {"operationId": get["operationId"] + "-head", "summary": get["summary"] + ": headers only"}
    return {name: part for name, part in get.items() if name != "x-codeSamples"} | changes | {"responses": responses}


def _parameter(parameter: Parameter) -> Json:
    result = {
        "name": parameter.name,
        "in": parameter.location,
        "required": parameter.required or parameter.location == "path",
        "description": parameter.description,
        "schema": parameter.schema,
    }
    return result if parameter.example is None else result | {"example": parameter.example}


def _request_body(body: Content) -> Json:
    result = {"required": True, "content": _content(body)}
    return result | {"description": body.description} if body.description else result


def _responses(operation: Operation) -> Json:
    responses = {response.status: _response(response) for response in operation.responses}
    for status, error in error_responses(operation.path, (*operation.errors, InternalError)).items():
        if status in responses:  # the contract's errors are HTTP 200
            responses[status]["content"][JSON]["examples"].update(error["content"][JSON]["examples"])
            responses[status]["headers"] = error["headers"]
        else:
            responses[status] = error
    if operation.takes_key:
        limits = {name: {"$ref": f"#/components/headers/{name}"} for name in RATE_LIMIT_HEADERS}
        for status in responses.keys() - _WITHOUT_RATE_LIMIT:
            responses[status].setdefault("headers", {}).update(limits)
    return {str(status): responses[status] for status in sorted(responses)}


def _response(response: Response) -> Json:
    result: Json = {"description": response.description}
    if response.headers:
        result["headers"] = {
            name: {"description": description, "schema": {"type": "string"}}
            for name, description in response.headers.items()
        }
    return result | {"content": _content(response.content)} if response.content else result


def _content(content: Content) -> Json:
    result: Json = {content_type: _media_type(schema) for content_type, schema in content.types.items()}
    if content.examples:
        result[JSON]["examples"] = {name: {"value": value} for name, value in content.examples.items()}
    return result


def _media_type(schema: type[BaseModel] | Json | None) -> Json:
    if schema is None:
        return {}
    return {"schema": schema if isinstance(schema, dict) else reference(schema)}


def _schemas(operations: Sequence[Operation]) -> Json:
    """The schemas of all models that the table refers to, by name."""
    models = dict.fromkeys([*_models(operations), *((model, "serialization") for model in _ERROR_MODELS)])
    _, schemas = models_json_schema([*models], ref_template=SCHEMA_PATH, schema_generator=_SchemaGenerator)
    return dict(sorted(schemas["$defs"].items()))


def _models(operations: Sequence[Operation]) -> Iterator[tuple[type[BaseModel], JsonSchemaMode]]:
    for operation in operations:
        for content in (operation.request_body, *(response.content for response in operation.responses)):
            for schema in content.types.values() if content else ():
                if isinstance(schema, type):
                    yield schema, "validation" if content is operation.request_body else "serialization"


class _SchemaGenerator(GenerateJsonSchema):
    """Leaves out titles, which only repeat the field names."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ANN401, ARG002 (pydantic's)
        """False for every field."""
        return False
