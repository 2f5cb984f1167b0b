"""Parts of the OpenAPI document and Markdown, prepared for the templates of the API reference."""

import json
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

Json = dict[str, Any]
_MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable("table")
_NULL = {"type": "null"}
_PROBLEM_JSON = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a body, or a parameter.

    Attributes:
        name: with the names of the objects around it: ``data.link``.
        rules: constraints on the value, as Markdown.
    """

    name: str
    type: str
    required: bool
    description: str
    rules: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Error:
    """An error that an operation returns; ``code`` is the code in the body, or empty if it equals ``status``."""

    status: str
    code: str
    message: str
    problem: bool


# --- text


def prose(text: str) -> Markup:
    """Convert CommonMark with tables to HTML. Raw HTML is escaped."""
    return Markup(_MARKDOWN.render(text).strip())  # noqa: S704 (markdown-it escapes it)


def inline(text: str) -> Markup:
    """Convert one line of CommonMark to HTML without a paragraph."""
    return Markup(_MARKDOWN.renderInline(text))  # noqa: S704 (markdown-it escapes it)


def format_json(value: Any) -> str:  # noqa: ANN401 (any JSON)
    """Format JSON with indentation."""
    return json.dumps(value, indent=2, ensure_ascii=False)


def section_id(heading: str) -> str:
    """The fragment of a heading, as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


# --- operations


def operations(document: Json, tag: str = "") -> Iterator[tuple[str, str, Json]]:
    """The path, method and object of each operation, except HEAD; only those of a tag if one is given."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if method != "head" and (not tag or tag in operation["tags"]):
                yield path, method, operation


def authentication(operation: Json) -> str:
    """The security requirements of an operation, as Markdown."""
    alternatives = [
        " and ".join(
            f"`{name}`" + "".join(f" with the scope `{scope}`" for scope in scopes) for name, scopes in each.items()
        )
        for each in operation["security"]
    ]
    return ", or ".join(alternatives) or "None. The call needs no API key."


def scheme_location(scheme: Json) -> str:
    """Where a request carries the credentials of a security scheme."""
    return f"{scheme['in']} `{scheme['name']}`" if "in" in scheme else "header `Authorization`"


def json_content(body: Json | None) -> Json:
    """The media type object of the JSON content of a body or response; empty if there is none."""
    content: Json = (body or {}).get("content", {}).get("application/json", {})
    return content


def success_examples(media_type: Json) -> list[Any]:
    """The examples that are not errors."""
    return [example["value"] for example in media_type.get("examples", {}).values() if "summary" not in example]


def headers(response: Json) -> list[tuple[str, str]]:
    """The names and descriptions of a response's headers, except the rate limit headers, which all calls share."""
    return [(name, each["description"]) for name, each in response.get("headers", {}).items() if "$ref" not in each]


def errors(operation: Json) -> Iterator[Error]:
    """The errors of an operation, by HTTP status."""
    for status, response in operation["responses"].items():
        for content_type, media_type in response.get("content", {}).items():
            for code, example in media_type.get("examples", {}).items():
                if "summary" in example:
                    problem = content_type == _PROBLEM_JSON
                    shown = code if problem else str(example["value"]["code"])
                    yield Error(status, shown if shown != status else "", example["summary"], problem)


# --- fields


def parameters(document: Json, operation: Json, location: str) -> list[Field]:
    """The parameters of an operation in the path, the query or the headers."""
    return [
        _field(
            document,
            parameter["name"],
            parameter["schema"] | {"description": parameter["description"]},
            required=parameter["required"],
        )
        for parameter in operation.get("parameters", ())
        if parameter["in"] == location
    ]


def fields(document: Json, schema: Json, prefix: str = "") -> Iterator[Field]:
    """The fields of an object schema, each followed by the fields of nested objects."""
    schema = _resolve(document, schema)
    required = schema.get("required", ())
    for name, value in schema.get("properties", {}).items():
        yield _field(document, prefix + name, value, required=name in required)
        yield from fields(document, _without_null(_resolve(document, value)), f"{prefix}{name}.")


def _field(document: Json, name: str, schema: Json, *, required: bool) -> Field:
    schema = _resolve(document, schema)
    rules = (*_rules(_resolve(document, _without_null(schema))), *_default(schema))
    return Field(name, _type(document, schema), required, schema.get("description", ""), rules)


def _resolve(document: Json, schema: Json) -> Json:
    """Replace a reference by its target; keywords beside the reference take precedence."""
    if "$ref" not in schema:
        return schema
    target: Json = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return target | {name: value for name, value in schema.items() if name != "$ref"}


def _without_null(schema: Json) -> Json:
    return next((each for each in schema.get("anyOf", ()) if each != _NULL), schema)


def _type(document: Json, schema: Json) -> str:
    if "anyOf" in schema:
        return " or ".join(_type(document, each) for each in schema["anyOf"])
    schema = _resolve(document, schema)
    if schema["type"] == "array":
        return f"array of {_type(document, schema['items'])}"
    return str(schema["type"])


def _rules(schema: Json) -> Iterator[str]:
    if "enum" in schema:
        yield "One of " + ", ".join(f"`{value}`" for value in schema["enum"])
    if "const" in schema:
        yield f"Always `{schema['const']}`"
    if "maximum" in schema:
        yield f"{schema['minimum']} to {schema['maximum']}"
    if "maxLength" in schema:
        yield f"At most {schema['maxLength']} characters"
    if "maxItems" in schema:
        yield f"At most {schema['maxItems']} items"
    if "pattern" in schema:
        yield f"`{schema['pattern']}`"


def _default(schema: Json) -> Iterator[str]:
    if schema.get("default") and "const" not in schema:
        yield f"Default `{schema['default']}`"


# --- guides


def guide(markdown: str, guides: Collection[str]) -> Markup:
    """Convert a guide to HTML.

    Headings get IDs. Links between guides lead to their pages; links to other files, and images, are removed.
    """
    tokens = _MARKDOWN.parse(markdown)
    for token, content in pairwise(tokens):
        if token.type == "heading_open":
            token.attrSet("id", section_id(content.content))
        if content.type == "inline":
            content.children = list(_served(content.children or [], guides))
    return Markup(_MARKDOWN.renderer.render(tokens, _MARKDOWN.options, {}))  # noqa: S704 (markdown-it escapes it)


def _served(tokens: list[Token], guides: Collection[str]) -> Iterator[Token]:
    removed = False
    for token in tokens:
        if token.type == "link_open":
            target, _, fragment = str(token.attrGet("href")).partition("#")
            name = target.removesuffix(".md")
            removed = bool(target) and name not in guides and "://" not in target
            if name in guides:
                token.attrSet("href", name + (f"#{fragment}" if fragment else ""))
        if token.type != "image" and not (removed and token.type.startswith("link_")):
            yield token
