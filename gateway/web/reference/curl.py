"""A curl command for a call, made from its description."""

import json
from typing import Any
from urllib.parse import quote

EXAMPLE_URL = "https://dl.example.com"


def curl(method: str, path: str, operation: dict[str, Any], base_url: str) -> str:
    """Write the command, with the examples of the operation's parameters and body; ``$KEY`` is the API key.

    Args:
        method: of the call, in lower case.
        path: of the call, with its parameters in braces.
        operation: an operation object of OpenAPI.
        base_url: where the gateway is; empty for an example.
    """
    saves = "302" in operation["responses"] or "206" in operation["responses"]
    lines = ["curl" + (" -OJL" if saves else "") + f' "{_url(path, operation, base_url)}"']
    if "security" not in operation:
        lines.append('-H "Authorization: Bearer $KEY"')
    for content_type, content in operation.get("requestBody", {"content": {}})["content"].items():
        body, *_ = content.get("examples", {}).values() or [None]
        lines.append(f'-H "Content-Type: {content_type}"')
        lines.append(f"-d '{json.dumps(body['value'])}'" if body else "--data-binary @cat.png")
    if method != _usual_method(operation):
        lines[0] = lines[0].replace("curl", f"curl -X {method.upper()}", 1)
    return " \\\n     ".join(lines)


def _usual_method(operation: dict[str, Any]) -> str:
    return "post" if "requestBody" in operation else "get"


def _url(path: str, operation: dict[str, Any], base_url: str) -> str:
    query = []
    for parameter in operation.get("parameters", ()):
        value = quote(str(parameter.get("example", "")), safe="")
        if parameter["in"] == "path":
            path = path.replace("{" + parameter["name"] + "}", value)
        elif parameter["in"] == "query" and parameter["required"]:
            query.append(f"{parameter['name']}={value}")
    return (base_url or EXAMPLE_URL) + path + ("?" + "&".join(query) if query else "")
