"""Holds real answers to the OpenAPI document: status, content type, body, headers, and that nothing else is in them."""

import copy
import fnmatch
import json
from typing import Any

from openapi_schema_validator import OAS31Validator
from werkzeug.test import TestResponse

Json = dict[str, Any]
# How an answer is sent, and by whom it may be kept or shown: no call has to tell of that.
EVERYWHERE = {
    "Cache-Control",
    "Content-Length",
    "Content-Security-Policy",
    "Content-Type",
    "Cross-Origin-Resource-Policy",
    "Referrer-Policy",
    "Vary",
    "X-Content-Type-Options",
    "X-Frame-Options",
    "X-Request-Id",
    "X-Robots-Tag",
}


class Documented:
    """The document as a measure."""

    def __init__(self, document: Json) -> None:
        self.document = document
        self._components = copy.deepcopy(document["components"])
        for schema in self._components["schemas"].values():
            if schema["type"] == "object":
                schema.setdefault("additionalProperties", False)

    def operation(self, operation_id: str) -> Json:
        """One operation by its id."""
        (found,) = (
            made
            for methods in self.document["paths"].values()
            for made in methods.values()
            if made["operationId"] == operation_id
        )
        return dict(found)

    def hold(self, operation_id: str, response: TestResponse) -> None:
        """Assert that the document has what an operation answered."""
        responses = self.operation(operation_id)["responses"]
        assert str(response.status_code) in responses, response.text
        told = responses[str(response.status_code)]
        untold = set(dict(response.headers)) - EVERYWHERE - set(told.get("headers", ()))
        assert not untold, f"{operation_id} {response.status_code}: {untold}"
        if "content" not in told:
            assert response.data == b""
            return
        media_type = next(known for known in told["content"] if fnmatch.fnmatch(response.mimetype, known))
        if media_type.endswith("json"):
            self._hold_json(told["content"][media_type], json.loads(response.data))

    def fits(self, schema: Json, value: object) -> bool:
        """Tell whether a value is what a schema says."""
        return bool(OAS31Validator(schema | {"components": self._components}).is_valid(value))

    def _hold_json(self, media: Json, body: Json) -> None:
        assert self.fits(media["schema"], body), body
        refused = [example["value"] for example in media["examples"].values() if "summary" in example]
        if "type" in body:
            assert body["type"] in {value["type"] for value in refused}
        elif body.get("code", 200) != 200:
            assert body["code"] in {value["code"] for value in refused}
