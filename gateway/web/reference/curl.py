"""A curl command for a call, made from its description."""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from gateway.web.reference.authentication import SCHEMES

EXAMPLE_URL = "https://dl.example.com"
_UPLOADED = "cat.png"


def curl(method: str, path: str, operation: dict[str, Any], base_url: str) -> str:
    """Write the command, with the examples of the operation's parameters and body.

    ``$KEY`` is the API key, and ``$TOKEN`` the token of a callback.

    Args:
        method: of the call, in lower case.
        path: of the call, with its parameters in braces.
        operation: an operation object of OpenAPI.
        base_url: where the gateway is; empty for an example.
    """
    saves = "302" in operation["responses"] or "206" in operation["responses"]
    lines = ["curl" + (" -OJL" if saves else "") + f' "{_url(path, operation, base_url)}"']
    if any(scheme["type"] == "http" for scheme in _schemes(operation)):
        lines.append('-H "Authorization: Bearer $KEY"')
    for content_type, content in operation.get("requestBody", {"content": {}})["content"].items():
        body, *_ = content.get("examples", {}).values() or [None]
        lines.append(f'-H "Content-Type: {content_type}"')
        lines.append(f"-d '{json.dumps(body['value'])}'" if body else f"--data-binary @{_UPLOADED}")
    if method != _usual_method(operation):
        lines[0] = lines[0].replace("curl", f"curl -X {method.upper()}", 1)
    return " \\\n     ".join(lines)


def _schemes(operation: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The first way that there is to be let in."""
    return (SCHEMES[name] for proof in operation["security"][:1] for name in proof)


def _usual_method(operation: dict[str, Any]) -> str:
    return "post" if "requestBody" in operation else "get"


def _url(path: str, operation: dict[str, Any], base_url: str) -> str:
    query = [f"{each['name']}=${each['name'].upper()}" for each in _schemes(operation) if each.get("in") == "query"]
    for parameter in operation.get("parameters", ()):
        value = quote(str(parameter.get("example", "")), safe="")
        if parameter["in"] == "path":
            path = path.replace("{" + parameter["name"] + "}", value)
        elif parameter["in"] == "query" and parameter["required"]:
            query.append(f"{parameter['name']}={value}")
    return (base_url or EXAMPLE_URL) + path + ("?" + "&".join(query) if query else "")
