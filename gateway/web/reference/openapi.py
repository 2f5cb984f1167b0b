"""The OpenAPI document: made from a table of operations, the models that validate, and the errors that are raised."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, models_json_schema

from gateway.errors import GatewayError, InternalError
from gateway.web.reference.authentication import SCHEMES, Proofs
from gateway.web.reference.curl import curl
from gateway.web.reference.error_responses import refusals
from gateway.web.schemas import PLACE, ContractRefusal, Problem, Refusal, reference

Json = dict[str, Any]
JSON = "application/json"
# Told in every answer to a key that has a limit (gateway.limits.api_rate), so in every one that comes after the key.
LIMITS = {
    "RateLimit-Limit": "How many calls the key may make, in the minute or in the day, whichever ends sooner.",
    "RateLimit-Remaining": "How many of them are left.",
    "RateLimit-Reset": "After how many seconds there are more.",
}
_BEFORE_THE_KEY = {401, 405}


@dataclass(frozen=True, slots=True)
class Content:
    """What is in a body.

    Attributes:
        types: by content type, the model of it, or a JSON schema; None for bytes.
        examples: by name; of the JSON.
        description: what the fields do not say.
    """

    types: Mapping[str, type[BaseModel] | Json | None]
    examples: Mapping[str, Any] = field(default_factory=dict)
    description: str = ""


@dataclass(frozen=True, slots=True)
class Parameter:
    """What a request carries beside its body."""

    name: str
    place: Literal["path", "query", "header"]
    description: str
    schema: Json
    example: str | None = None
    required: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that is no error; ``headers`` tells what each of them says."""

    status: int
    description: str
    content: Content | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Operation:
    """One call: a row of the table.

    Attributes:
        path: as OpenAPI writes it: ``/download/{task_id}``.
        proofs: what opens it; nothing for a call that is open to all.
        errors: what may be raised beside the unforeseen.
        has_head: whether HEAD, which answers without a body, is worth a call of its own.
    """

    id: str
    method: Literal["get", "post", "put", "delete"]
    path: str
    tag: str
    summary: str
    description: str
    answers: Sequence[Answer]
    proofs: Proofs = ()
    errors: Sequence[type[GatewayError]] = ()
    parameters: Sequence[Parameter] = ()
    body: Content | None = None
    has_head: bool = False

    @property
    def takes_key(self) -> bool:
        """Whether an API key opens it."""
        return any("BearerAuth" in proof for proof in self.proofs)


def document(info: Json, tags: Mapping[str, str], operations: Sequence[Operation], public_url: str) -> Json:
    """Build the document.

    Args:
        info: title, version and description.
        tags: the description of each tag, in their order.
        operations: the table.
        public_url: where the gateway is; empty for wherever the document was read.
    """
    paths: dict[str, Json] = {}
    for operation in operations:
        methods = paths.setdefault(operation.path, {})
        methods[operation.method] = _operation(operation, public_url)
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
                name: {"description": says, "schema": {"type": "integer", "minimum": 0}}
                for name, says in LIMITS.items()
            },
            "securitySchemes": SCHEMES,
        },
    }


def _operation(operation: Operation, public_url: str) -> Json:
    made: Json = {
        "operationId": operation.id,
        "tags": [operation.tag],
        "summary": operation.summary,
        "description": operation.description,
        "security": list(operation.proofs),
    }
    if operation.parameters:
        made["parameters"] = [_parameter(parameter) for parameter in operation.parameters]
    if operation.body:
        made["requestBody"] = _body(operation.body)
    made["responses"] = _responses(operation)
    command = curl(operation.method, operation.path, made, public_url)
    return made | {"x-codeSamples": [{"lang": "Shell", "label": "curl", "source": command}]}


def _head(get: Json) -> Json:
    """The HEAD of a GET: the same answers without their bodies; of the whole file, and never a redirect."""
    responses = {
        status: {name: part for name, part in response.items() if name != "content"}
        for status, response in get["responses"].items()
        if status not in {"206", "302", "416"}
    }
    own = {"operationId": get["operationId"] + "-head", "summary": get["summary"] + ": the headers alone"}
    return {name: part for name, part in get.items() if name != "x-codeSamples"} | own | {"responses": responses}


def _parameter(parameter: Parameter) -> Json:
    made = {
        "name": parameter.name,
        "in": parameter.place,
        "required": parameter.required or parameter.place == "path",
        "description": parameter.description,
        "schema": parameter.schema,
    }
    return made if parameter.example is None else made | {"example": parameter.example}


def _body(body: Content) -> Json:
    made = {"required": True, "content": _content(body)}
    return made | {"description": body.description} if body.description else made


def _responses(operation: Operation) -> Json:
    made = {answer.status: _answer(answer) for answer in operation.answers}
    for status, refusal in refusals(operation.path, (*operation.errors, InternalError)).items():
        if status in made:  # the contract's 200
            made[status]["content"][JSON]["examples"].update(refusal["content"][JSON]["examples"])
            made[status]["headers"] = refusal["headers"]
        else:
            made[status] = refusal
    if operation.takes_key:
        for status in made.keys() - _BEFORE_THE_KEY:
            made[status].setdefault("headers", {}).update(_LIMITS)
    return {str(status): made[status] for status in sorted(made)}


_LIMITS = {name: {"$ref": f"#/components/headers/{name}"} for name in LIMITS}


def _answer(answer: Answer) -> Json:
    made: Json = {"description": answer.description}
    if answer.headers:
        made["headers"] = {
            name: {"description": says, "schema": {"type": "string"}} for name, says in answer.headers.items()
        }
    return made | {"content": _content(answer.content)} if answer.content else made


def _content(content: Content) -> Json:
    made: Json = {media_type: _media(what) for media_type, what in content.types.items()}
    if content.examples:
        made[JSON]["examples"] = {name: {"value": value} for name, value in content.examples.items()}
    return made


def _media(what: type[BaseModel] | Json | None) -> Json:
    if what is None:
        return {}
    return {"schema": what if isinstance(what, dict) else reference(what)}


def _schemas(operations: Sequence[Operation]) -> Json:
    """The schemas of every model that the table names, and of the errors' own."""
    models = dict.fromkeys([*_models(operations), *((refusal, "serialization") for refusal in _REFUSALS)])
    _, made = models_json_schema([*models], ref_template=PLACE, schema_generator=_Schemas)
    return dict(sorted(made["$defs"].items()))


_REFUSALS = (Refusal, ContractRefusal, Problem)


def _models(operations: Sequence[Operation]) -> Iterator[tuple[type[BaseModel], JsonSchemaMode]]:
    for operation in operations:
        for content in (operation.body, *(answer.content for answer in operation.answers)):
            for what in content.types.values() if content else ():
                if isinstance(what, type):
                    yield what, "validation" if content is operation.body else "serialization"


class _Schemas(GenerateJsonSchema):
    """Without the titles that only repeat the names of fields."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ANN401, ARG002 (pydantic's)
        """No."""
        return False
