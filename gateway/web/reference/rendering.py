"""The document, made ready for a page: its prose, its fields, its examples and its errors."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from markupsafe import Markup, escape

Json = dict[str, Any]
_CODE = re.compile(r"`([^`]+)`")
_STRONG = re.compile(r"\*\*([^*]+)\*\*")
_NULL = {"type": "null"}


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a body or an answer, or one parameter.

    Attributes:
        name: with the names of the objects that it is in before it: ``data.link``.
        rules: what a value must be beside its type, each a short text.
    """

    name: str
    type: str
    required: bool
    description: str
    rules: tuple[str, ...]


# --- text


def prose(text: str) -> Markup:
    """Turn the little of CommonMark that the document uses into HTML: paragraphs, lists, code and strong words."""
    return Markup("\n").join(_block(block) for block in text.split("\n\n"))


def inline(text: str) -> Markup:
    """The same for a part of a line: code and strong words."""
    marked = _CODE.sub(r"<code>\1</code>", str(escape(text)))
    return Markup(_STRONG.sub(r"<strong>\1</strong>", marked))  # noqa: S704 (escaped above)


def pretty(value: Any) -> str:  # noqa: ANN401 (any JSON)
    """JSON as people read it."""
    return json.dumps(value, indent=2, ensure_ascii=False)


def _block(block: str) -> Markup:
    if not block.startswith("- "):
        return Markup("<p>{}</p>").format(inline(" ".join(block.split())))
    items = re.split(r"^- ", block, flags=re.MULTILINE)[1:]
    listed = Markup().join(Markup("<li>{}</li>").format(inline(" ".join(item.split()))) for item in items)
    return Markup("<ul>{}</ul>").format(listed)


# --- what opens a call


def proof(operation: Json) -> str:
    """What a call needs, in words."""
    ways = [" and ".join(_shown(name, scopes) for name, scopes in way.items()) for way in operation["security"]]
    return f"Needs {', or '.join(ways)}." if ways else "Needs no key."


def place(scheme: Json) -> str:
    """Where in a request a scheme has its proof."""
    return f"{scheme['in']}, {scheme['name']}" if "in" in scheme else "header, Authorization"


def _shown(scheme: str, scopes: list[str]) -> str:
    return f"`{scheme}`" + "".join(f" with the scope `{scope}`" for scope in scopes)


# --- operations


def operations(document: Json, tag: str) -> Iterator[tuple[str, str, Json]]:
    """The path, the method and the object of each operation of a tag; a HEAD goes without saying."""
    for path, methods in document["paths"].items():
        yield from (
            (path, method, made) for method, made in methods.items() if method != "head" and tag in made["tags"]
        )


def json_of(body: Json | None) -> list[Json]:
    """The JSON that a body has, as a list of one media type object or none."""
    media = (body or {}).get("content", {}).get("application/json")
    return [media] if media else []


def successes(media: Json) -> list[Any]:
    """The examples of what is no error."""
    return [example["value"] for example in media.get("examples", {}).values() if "summary" not in example]


def headers(response: Json) -> list[tuple[str, str]]:
    """The headers of a response with what each says, but for those that the document tells once for many."""
    told = response.get("headers", {})
    return [(name, header["description"]) for name, header in told.items() if "$ref" not in header]


def refusals(response: Json) -> Iterator[tuple[str, str]]:
    """The code and the words of each error that a response may tell."""
    for media in response.get("content", {}).values():
        for example in media.get("examples", {}).values():
            value = example["value"]
            if "summary" in example:
                yield (value["type"].rpartition("/")[2] if "type" in value else str(value["code"])), example["summary"]


# --- fields


def parameters(document: Json, operation: Json) -> Iterator[Field]:
    """The parameters of an operation, each with its place."""
    for parameter in operation["parameters"]:
        schema = parameter["schema"] | {"description": parameter["description"]}
        made = _field(document, parameter["name"], schema, required=parameter["required"])
        yield replace(made, type=f"{made.type}, {parameter['in']}")


def fields(document: Json, schema: Json, within: str = "") -> Iterator[Field]:
    """The fields of an object, and of the objects in it."""
    schema = _resolved(document, schema)
    required = schema.get("required", ())
    for name, of_field in schema.get("properties", {}).items():
        yield _field(document, within + name, of_field, required=name in required)
        yield from fields(document, _without_null(_resolved(document, of_field)), f"{within}{name}.")


def _field(document: Json, name: str, schema: Json, *, required: bool) -> Field:
    whole = _resolved(document, schema)
    rules = (*_rules(_resolved(document, _without_null(whole))), *_default(whole))
    return Field(name, _type(document, whole), required, whole.get("description", ""), rules)


def _resolved(document: Json, schema: Json) -> Json:
    """The schema that a reference leads to; what stands beside the reference goes before it."""
    if "$ref" not in schema:
        return schema
    target: Json = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return target | {name: part for name, part in schema.items() if name != "$ref"}


def _without_null(schema: Json) -> Json:
    return next((each for each in schema.get("anyOf", ()) if each != _NULL), schema)


def _type(document: Json, schema: Json) -> str:
    if "anyOf" in schema:
        return " or ".join(_type(document, each) for each in schema["anyOf"])
    resolved = _resolved(document, schema)
    if resolved["type"] == "array":
        return f"array of {_type(document, resolved['items'])}"
    return str(resolved["type"])


def _rules(value: Json) -> Iterator[str]:
    if "enum" in value:
        yield "one of " + ", ".join(f"`{each}`" for each in value["enum"])
    if "const" in value:
        yield f"always `{value['const']}`"
    if "maximum" in value:
        yield f"{value['minimum']} to {value['maximum']}"
    if "maxLength" in value:
        yield f"{value.get('minLength', 0)} to {value['maxLength']} characters"
    if "maxItems" in value:
        yield f"at most {value['maxItems']}"
    if "pattern" in value:
        yield f"`{value['pattern'].strip('^$')}`"


def _default(schema: Json) -> Iterator[str]:
    if schema.get("default") is not None:
        yield f"default `{schema['default']}`"
