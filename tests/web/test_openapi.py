"""``/openapi.json`` says what the gateway does: every route, body and answer, in the contract's own words."""

import json
import re
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import validate

from gateway import errors
from gateway.keys.key import SCOPES, Key, Scope, new_token
from gateway.provider.client import DOWNLOAD_URL as CONTRACT, RECORD_INFO
from gateway.records.completion_callback import PATH as CALLBACK
from gateway.web.reference.authentication import CALLBACK as CALLBACK_SECURITY
from gateway.web.reference.components import family
from gateway.web.reference.operations import OPERATIONS
from tests.support.documented import Documented, Json
from tests.support.factories import API_KEY, PNG, PROVIDER_KEY, SECRET, Gateway, make_settings, store_gateway
from tests.support.live_gateway import happens
from tests.support.servers import ScriptedServer, answer, envelope

AUTHORIZED = {"Authorization": f"Bearer {API_KEY}"}
# Routes that are no calls of anybody's program, each with its reason.
UNDOCUMENTED = {
    "/download/<task_id>/<name>": "the same call, with a name in its path",
    "/": "a page for whoever comes by",
    "/problems/<code>": "a page on an error, which problems lead to",
    "/static/<name>": "what pages are made of",
    "/static/<version>/<name>": "what pages are made of",
    "/favicon.ico": "for browsers",
    "/robots.txt": "for crawlers",
    "/docs": "the document as pages",
    "/docs/<name>": "the document as pages",
    "/docs/<name>.md": "guides, told in llms.txt",
    "/llms.txt": "the index for language models",
    "/openapi.json": "the document itself",
    "/metrics": "for Prometheus, in its own format",
}


@pytest.fixture
def store(origin: ScriptedServer, tmp_path: Path) -> Gateway:
    return store_gateway(tmp_path, origin.address)


@pytest.fixture
def documented(gateway: Gateway) -> Documented:
    return Documented(document_of(gateway))


def document_of(gateway: Gateway, prefix: str = "") -> Json:
    response = gateway.client.get(f"{prefix}/openapi.json")
    assert response.status_code == 200
    return dict(json.loads(response.data))


def operations(document: Json) -> Iterator[tuple[str, str, Json]]:
    """The path, the method and the object of every operation."""
    for path, methods in document["paths"].items():
        yield from ((path, method, made) for method, made in methods.items())


# --- the document itself


def test_the_document_is_valid_openapi(gateway: Gateway) -> None:
    validate(document_of(gateway))


def test_every_example_is_what_its_schema_says(documented: Documented) -> None:
    wrong = [
        (path, method, name)
        for path, method, made in operations(documented.document)
        for body in (made.get("requestBody", {}), *made["responses"].values())
        for media in body.get("content", {}).values()
        for name, example in media.get("examples", {}).items()
        if not documented.fits(media["schema"], example["value"])
    ]

    assert wrong == []


def test_every_operation_has_an_id_of_its_own_and_says_what_it_does(gateway: Gateway) -> None:
    made = [operation for _, _, operation in operations(document_of(gateway))]

    assert len({operation["operationId"] for operation in made}) == len(made)
    assert all(operation["summary"] and operation["description"] for operation in made)


def test_the_servers_are_where_the_gateway_is_told_to_be(gateway: Gateway) -> None:
    public = Gateway(make_settings(public_url="https://files.example/get"))

    assert document_of(public, "/get")["servers"][0]["url"] == "https://files.example/get"
    assert document_of(gateway)["servers"][0]["url"] == "/"


def test_everybody_may_have_it_for_some_minutes(gateway: Gateway) -> None:
    headers = gateway.client.get("/openapi.json", headers={"Origin": "https://anywhere.example"}).headers

    assert headers["Access-Control-Allow-Origin"] == "*"
    assert headers["Cache-Control"] == "public, max-age=300"
    assert headers["Content-Type"] == "application/json"
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_there_is_nothing_secret_in_it(gateway: Gateway) -> None:
    text = gateway.client.get("/openapi.json").text

    assert [secret for secret in (SECRET, API_KEY, PROVIDER_KEY) if secret in text] == []


# --- every route


def test_every_route_is_in_the_document_and_every_operation_is_a_route(gateway: Gateway) -> None:
    told = {(path, method.upper()) for path, method, _ in operations(document_of(gateway)) if method != "head"}
    served = {
        (re.sub(r"<([a-z_]+)>", r"{\1}", rule.rule), method)
        for rule in gateway.app.url_map.iter_rules()
        if rule.rule not in UNDOCUMENTED
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }

    assert told == served


def test_a_head_in_the_document_is_the_head_of_a_get(gateway: Gateway) -> None:
    heads = [path for path, method, _ in operations(document_of(gateway)) if method == "head"]

    assert heads == ["/download/{task_id}", "/files/{digest}/{name}", "/d/{code}"]


def test_no_reason_is_given_for_a_route_that_is_not_there(gateway: Gateway) -> None:
    assert set(UNDOCUMENTED) <= {rule.rule for rule in gateway.app.url_map.iter_rules()}


def test_only_calls_below_api_need_a_key_and_the_callback_a_proof_of_its_own(gateway: Gateway) -> None:
    for path, _, made in operations(document_of(gateway)):
        if path == CALLBACK:
            assert made["security"] == CALLBACK_SECURITY
        else:
            assert [list(way) for way in made["security"]] == ([["BearerAuth"]] if path.startswith("/api/") else [])


def test_every_proof_that_a_call_needs_is_described(gateway: Gateway) -> None:
    document = document_of(gateway)

    needed = {scheme for _, _, made in operations(document) for way in made["security"] for scheme in way}

    assert needed == set(document["components"]["securitySchemes"])


def test_every_error_is_told_of_some_call() -> None:
    told = {error for operation in OPERATIONS for error in operation.errors}

    assert set(family(errors.GatewayError)) - told == {
        errors.GatewayError,  # told of all
        errors.OtherHttpError,  # what the framework refuses, before any call
        errors.MalformedRequest,  # and what the server refuses before the framework
        errors.UriTooLong,
        errors.HeadersTooLarge,
    }


# --- the contract, in its own words

MESSAGES = [
    (401, "You do not have access permissions"),
    (404, "The requested resource or endpoint does not exist"),
    (422, "The request parameters failed validation checks"),
    (422, "record is null"),
    (422, "Temporarily supports records within 14 days"),
    (422, "record result data is blank"),
    (422, "record status is not success"),
    (422, "record result data not exist"),
    (422, "record result data is empty"),
    (
        451,
        "Failed to fetch the image. Kindly verify any access limits set by you or your service provider",
    ),
    (455, "System is currently undergoing maintenance"),
]


def test_the_contracts_call_has_the_contracts_name_and_words(documented: Documented) -> None:
    made = documented.document["paths"][CONTRACT]["post"]

    assert made["operationId"] == "get-4o-image-download-url"
    assert made["summary"] == "Get Direct Download URL"
    assert made["description"] == (
        "Convert an image URL to a direct download URL. This helps solve cross-domain issues when downloading images "
        "directly. The returned URL is valid for 20 minutes."
    )


def test_the_contracts_body_has_the_contracts_fields_and_examples(documented: Documented) -> None:
    media = documented.document["paths"][CONTRACT]["post"]["requestBody"]["content"]["application/json"]
    schema = documented.document["components"]["schemas"]["DownloadUrlBody"]

    assert schema["required"] == ["taskId", "url"]
    assert schema["properties"]["taskId"]["description"] == "The task ID associated with the image generation"
    assert schema["properties"]["url"]["description"] == (
        "The original image URL that needs to be converted to a direct download URL"
    )
    assert schema["properties"]["url"]["format"] == "uri"
    assert media["examples"]["request"]["value"] == {
        "taskId": "task12345",
        "url": "https://tempfile.aiquickdraw.com/v/xxxxxxx.png",
    }


def test_the_contracts_answer_has_the_contracts_codes_and_messages(documented: Documented) -> None:
    responses = documented.document["paths"][CONTRACT]["post"]["responses"]
    examples = responses["200"]["content"]["application/json"]["examples"]
    told = sorted((example["value"]["code"], example["value"]["msg"]) for example in examples.values())
    schema = documented.document["components"]["schemas"]["DirectUrlResponse"]

    assert set(responses) == {"200", "405", "429", "500"}
    assert responses["200"]["description"] == "Request successful"
    assert told == sorted([(200, "success"), *MESSAGES])
    assert schema["properties"]["code"]["enum"] == [200, 401, 404, 422, 451, 455, 500]
    assert schema["properties"]["msg"]["description"] == "Error message when code != 200"
    assert schema["properties"]["data"]["description"].startswith("Direct download URL valid for 20 minutes")


# --- every answer

Call = Callable[[Gateway, ScriptedServer], Any]


def put(gateway: Gateway, body: object, task_id: str = "task12345") -> Any:
    return gateway.client.put(f"/api/v1/records/{task_id}", data=json.dumps(body), headers=AUTHORIZED)


def kept(gateway: Gateway, origin: ScriptedServer) -> str:
    """Tell the gateway of a task with an image; give the image's URL."""
    url = origin.serve("/v/cat.png", PNG)
    assert put(gateway, {"status": "SUCCESS", "resultUrls": [url]}).status_code == 200
    return url


def follow(
    gateway: Gateway, url: str, method: str = "GET", headers: dict[str, str] | None = None, **fields: Any
) -> Any:
    return gateway.client.open(gateway.link(url, **fields), method=method, headers=headers, buffered=True)


def convert(gateway: Gateway, body: object, headers: dict[str, str] | None = None) -> Any:
    return gateway.client.post(CONTRACT, data=json.dumps(body), headers=AUTHORIZED if headers is None else headers)


def info(gateway: Gateway, task_id: str) -> Any:
    return gateway.client.get(f"{RECORD_INFO}?taskId={task_id}", headers=AUTHORIZED)


def relayed(provider: ScriptedServer, record: object) -> Any:
    """What a gateway with a provider answers of a record of the provider's."""
    provider.route(RECORD_INFO, envelope(data=record))
    return info(Gateway(make_settings(resolver="upstream", upstream_url=provider.url(""))), "task12345")


def put_file(gateway: Gateway, body: bytes = PNG, name: str = "cat.png", **sent: Any) -> Any:
    return gateway.client.put(
        f"/api/v1/records/task12345/files/{name}", **({"data": body, "headers": AUTHORIZED} | sent)
    )


def announced(gateway: Gateway, length: int) -> Any:
    """Put an image in, and say that it is so long."""
    return put_file(gateway, environ_overrides={"CONTENT_LENGTH": str(length)})


def tell(gateway: Gateway, body: object, token: str | None = None) -> Any:
    assert gateway.services.store is not None
    path = gateway.services.store.callbacks.url if token is None else f"{CALLBACK}?token={token}"
    return gateway.client.post(path, data=json.dumps(body))


def done(*urls: str) -> Json:
    return {"code": 200, "msg": "success", "data": {"taskId": "task12345", "info": {"result_urls": list(urls)}}}


def stranger() -> dict[str, str]:
    """The headers of a caller whose key may be one of the database's."""
    return {"Authorization": f"Bearer {new_token()}"}


def without_store(gateway: Gateway) -> Gateway:
    """The same gateway, its folder of images gone."""
    shutil.rmtree(str(gateway.settings.store))
    return gateway


def limited(gateway: Gateway, *scopes: Scope, **limits: int) -> dict[str, str]:
    """The headers of a caller with a new key."""
    token = gateway.services.key_store.create(Key("shop", frozenset(scopes or SCOPES), **limits))
    return {"Authorization": f"Bearer {token}"}


def order(gateway: Gateway, body: object, headers: dict[str, str] | None = None) -> Any:
    return gateway.client.post("/api/v1/links", json=body, headers=AUTHORIZED if headers is None else headers)


def converted(gateway: Gateway, origin: ScriptedServer) -> str:
    """A direct URL of an image that is kept."""
    return str(convert(gateway, {"taskId": "task12345", "url": kept(gateway, origin)}).json["data"])


def redirected(origin: ScriptedServer) -> Any:
    """What a gateway without a store answers where it need not look at the file."""
    return follow(Gateway(make_settings(origin.address)), origin.url("/v/cat.png"), mode="redirect")


def without_database(gateway: Gateway) -> Gateway:
    """The same gateway, its database gone."""
    assert gateway.services.store is not None
    engine = gateway.services.database.engine
    engine.dispose()
    Path(str(engine.url.database)).unlink()
    Path(str(engine.url.database)).mkdir()
    return gateway


ANSWERS: dict[str, tuple[str, int, Call]] = {
    "a link": ("create-link", 200, lambda g, o: order(g, {"taskId": "task12345", "url": o.url("/v/cat.png")})),
    "a link without a key": ("create-link", 401, lambda g, _: order(g, {}, headers={})),
    "a link with a wrong key": ("create-link", 401, lambda g, _: order(g, {}, {"Authorization": "Bearer x"})),
    "a link to nowhere": ("create-link", 422, lambda g, _: order(g, {"taskId": "a", "url": "https://else.example/"})),
    "a link too large": ("create-link", 413, lambda g, _: order(g, {"url": "x" * 70_000})),
    "a link, told what is left": ("create-link", 422, lambda g, _: order(g, {}, limited(g, per_day=9))),
    "a link without a database": ("create-link", 503, lambda g, _: order(without_database(g), {}, stranger())),
    "a record kept": ("put-record", 200, lambda g, _: put(g, {"status": "GENERATING"})),
    "a record with results": (
        "put-record",
        200,
        lambda g, o: put(g, {"status": "SUCCESS", "resultUrls": [o.url("/")], "createdAt": 1}),
    ),
    "a record that is none": ("put-record", 422, lambda g, _: put(g, {"status": "LOST"})),
    "a record of no task": ("put-record", 404, lambda g, _: put(g, {"status": "SUCCESS"}, ".hidden")),
    "a record got": (
        "get-record",
        200,
        lambda g, o: kept(g, o) and g.client.get("/api/v1/records/task12345", headers=AUTHORIZED),
    ),
    "a record not there": ("get-record", 404, lambda g, _: g.client.get("/api/v1/records/none", headers=AUTHORIZED)),
    "a record forgotten": (
        "delete-record",
        200,
        lambda g, o: kept(g, o) and g.client.delete("/api/v1/records/task12345", headers=AUTHORIZED),
    ),
    "a record without a key": ("delete-record", 401, lambda g, _: g.client.delete("/api/v1/records/none")),
    "a record without a database": (
        "get-record",
        503,
        lambda g, _: without_database(g).client.get("/api/v1/records/none", headers=AUTHORIZED),
    ),
    "an image put in": ("upload-image", 200, lambda g, _: put_file(g)),
    "an image put in again": ("upload-image", 200, lambda g, _: put_file(g) and put_file(g, PNG + b"!")),
    "an image that broke off": ("upload-image", 400, lambda g, _: announced(g, 2 * len(PNG))),
    "an image without a key": ("upload-image", 401, lambda g, _: put_file(g, headers={})),
    "an image that is too large": ("upload-image", 413, lambda g, _: announced(g, 2 * g.settings.max_bytes)),
    "an image that is none": ("upload-image", 422, lambda g, _: put_file(g, b"a text")),
    "an image with an odd name": ("upload-image", 422, lambda g, _: put_file(g, name="%00")),
    "an image without a store": ("upload-image", 503, lambda g, _: put_file(without_store(g))),
    "an image where none are kept": ("upload-image", 404, lambda _, o: put_file(Gateway(make_settings(o.address)))),
    "a callback": ("report-completed-task", 200, lambda g, o: tell(g, done(o.url("/v/cat.png")))),
    "a callback of a failure": (
        "report-completed-task",
        200,
        lambda g, _: tell(g, {"code": 400, "msg": "No.", "data": {"taskId": "task12345", "info": None}}),
    ),
    "a callback without its token": ("report-completed-task", 401, lambda g, _: tell(g, done(), token="")),
    "a callback where nothing is kept": (
        "report-completed-task",
        404,
        lambda _, o: Gateway(make_settings(o.address)).client.post(CALLBACK),
    ),
    "a callback that contradicts": ("report-completed-task", 409, lambda g, o: kept(g, o) and tell(g, done())),
    "a callback too large": ("report-completed-task", 413, lambda g, _: tell(g, "x" * 70_000)),
    "a callback that is not understood": ("report-completed-task", 422, lambda g, _: tell(g, [])),
    "a callback without a database": ("report-completed-task", 503, lambda g, _: tell(without_database(g), done())),
    "a direct URL": (
        "get-4o-image-download-url",
        200,
        lambda g, o: convert(g, {"taskId": "task12345", "url": kept(g, o)}),
    ),
    "no such task": ("get-4o-image-download-url", 200, lambda g, _: convert(g, {"taskId": "none", "url": "x"})),
    "not understood": ("get-4o-image-download-url", 200, lambda g, _: convert(g, [])),
    "no access": ("get-4o-image-download-url", 200, lambda g, _: convert(g, {}, headers={})),
    "no image": (
        "get-4o-image-download-url",
        200,
        lambda g, o: (
            (url := kept(g, o))
            and o.route("/v/cat.png", answer(404))
            and convert(g, {"taskId": "task12345", "url": url})
        ),
    ),
    "the wrong method": ("get-4o-image-download-url", 405, lambda g, _: g.client.get(CONTRACT)),
    "no database": (
        "get-4o-image-download-url",
        500,
        lambda g, _: convert(without_database(g), {"taskId": "none", "url": "x"}),
    ),
    "a record in wire form": ("get-4o-image-record-info", 200, lambda g, o: kept(g, o) and info(g, "task12345")),
    "no record": ("get-4o-image-record-info", 200, lambda g, _: info(g, "none")),
    "a record of the provider's": (
        "get-4o-image-record-info",
        200,
        lambda _, o: relayed(o, {"status": "DONE", "createTime": "2025-11-24 16:00:00", "response": {}}),
    ),
    "no record of the provider's": ("get-4o-image-record-info", 200, lambda _, o: relayed(o, None)),
    "a provider that fails": ("get-4o-image-record-info", 500, lambda _, o: relayed(o, {"x": "x" * 70_000})),
    "no task": ("get-4o-image-record-info", 200, lambda g, _: info(g, "")),
    "a file": ("download", 200, lambda g, o: follow(g, kept(g, o))),
    "a file's headers": ("download-head", 200, lambda g, o: follow(g, kept(g, o), "HEAD")),
    "a part": ("download", 206, lambda g, o: follow(g, kept(g, o), headers={"Range": "bytes=1-2"})),
    "a part beyond": ("download", 416, lambda g, o: follow(g, kept(g, o), headers={"Range": "bytes=99999-"})),
    "a file that is there": (
        "download",
        304,
        lambda g, o: (url := kept(g, o)) and follow(g, url, headers={"If-None-Match": follow(g, url).headers["ETag"]}),
    ),
    "a redirect": ("download", 302, lambda _, o: redirected(o)),
    "a help page": ("download", 200, lambda g, _: g.client.get("/download/task12345")),
    "a forged link": ("download", 403, lambda g, _: g.client.get("/download/a?sig=x")),
    "a forged link, headers": ("download-head", 403, lambda g, _: g.client.head("/download/a?sig=x")),
    "an expired link": ("download", 410, lambda g, o: follow(g, o.url("/"), lifetime_s=-60)),
    "an expired link, for a script": (
        "download",
        410,
        lambda g, o: follow(g, o.url("/"), lifetime_s=-60, headers={"Accept": "application/json"}),
    ),
    "an expired link, for people": (
        "download",
        410,
        lambda g, o: follow(g, o.url("/"), lifetime_s=-60, headers={"Accept": "text/html"}),
    ),
    "a link to no record": (
        "download",
        404,
        lambda g, o: follow(g, o.url("/"), headers={"Accept": "application/problem+json"}),
    ),
    "an object": ("download-stored-file", 200, lambda g, o: g.client.get(converted(g, o), buffered=True)),
    "an object's headers": ("download-stored-file-head", 200, lambda g, o: g.client.head(converted(g, o))),
    "an object, forged": ("download-stored-file", 403, lambda g, o: g.client.get(converted(g, o) + "x")),
    "the links of a task": ("list-links", 200, lambda g, o: email_link(g, o) and links(g, "?taskId=task12345")),
    "the links of no task": ("list-links", 422, lambda g, _: links(g)),
    "an e-mail link": ("get-link", 200, lambda g, o: links(g, "/" + email_link(g, o)["id"])),
    "an unknown link": ("get-link", 404, lambda g, _: links(g, "/k3v9qmt2az5x")),
    "a revocation": ("revoke-link", 200, lambda g, _: links(g, "/k3v9qmt2az5x", "DELETE")),
    "the page of a link": ("show-short-link", 200, lambda g, o: g.client.get(email_link(g, o)["link"])),
    "the page of a link, headers": ("show-short-link-head", 200, lambda g, o: g.client.head(email_link(g, o)["link"])),
    "a forged short link": ("show-short-link", 403, lambda g, _: g.client.get("/d/x")),
    "the page again": ("press-short-link", 200, lambda g, o: g.client.post(email_link(g, o)["link"])),
    "the button": ("press-short-link", 303, lambda g, o: press(g, email_link(g, o)["link"])),
    "the button of a link in use": (
        "press-short-link",
        409,
        lambda g, o: (link := email_link(g, o, maxDownloads=1)["link"]) and press(g, link) and press(g, link, "b"),
    ),
    "alive": ("healthz", 200, lambda g, _: g.client.get("/healthz")),
    "ready": ("readyz", 200, lambda g, _: g.client.get("/readyz")),
    "degraded": (
        "readyz",
        200,
        lambda _, o: Gateway(make_settings(o.address, database_url="sqlite:////proc/none")).client.get("/readyz"),
    ),
    "not ready": ("readyz", 503, lambda g, _: without_database(g).client.get("/readyz")),
}


def email_link(gateway: Gateway, origin: ScriptedServer, **fields: object) -> Json:
    """A new e-mail link, as the API returns it."""
    body = {"taskId": "task12345", "url": origin.url("/v/cat.png"), "kind": "email"} | fields
    data: Json = gateway.client.post("/api/v1/links", json=body, headers=AUTHORIZED).json["data"]  # type: ignore[index]
    return data


def links(gateway: Gateway, path: str = "", method: str = "GET") -> Any:
    return gateway.client.open(f"/api/v1/links{path}", method=method, headers=AUTHORIZED)


def press(gateway: Gateway, link: str, key: str = "a") -> Any:
    return gateway.client.post(link, data={"download": key * 16})


@pytest.mark.parametrize(("operation_id", "status", "call"), ANSWERS.values(), ids=ANSWERS)
def test_what_is_answered_is_documented(
    store: Gateway, origin: ScriptedServer, operation_id: str, status: int, call: Call
) -> None:
    documented = Documented(document_of(store))

    response = call(store, origin)

    assert response.status_code == status
    documented.hold(operation_id, response)


def callback(code: object = 200, task_id: object = "task12345", **info: object) -> Json:
    return {"code": code, "data": {"taskId": task_id, "info": info or None}}


@pytest.mark.parametrize(
    ("body", "understood"),
    [
        (callback(), True),
        (callback(0), True),
        (callback(400) | {"msg": None}, True),
        (callback(99_999) | {"msg": "No."}, True),
        (callback(result_urls=None), True),
        (callback(result_urls=[]), True),
        (callback(result_urls=[" "] * 100), True),
        ({"code": 200, "data": {"taskId": "task12345"}}, True),
        ([], False),
        ({}, False),
        ({"code": 200}, False),
        ({"code": 200, "data": {}}, False),
        ({"data": {"taskId": "task12345"}}, False),
        (callback("200"), False),
        (callback(-1), False),
        (callback(100_000), False),
        (callback(task_id="../x"), False),
        (callback(task_id=5), False),
        (callback(result_urls="x"), False),
        (callback(result_urls=[1]), False),
        (callback(result_urls=[" "] * 101), False),
    ],
)
def test_a_callback_is_understood_where_the_document_says_so(store: Gateway, body: object, understood: bool) -> None:  # noqa: FBT001
    documented = Documented(document_of(store))
    told = documented.operation("report-completed-task")["requestBody"]["content"]["application/json"]["schema"]

    assert documented.fits(told, body) == understood
    assert tell(store, body).status_code == (200 if understood else 422)


KEYED = {operation.id: operation for operation in OPERATIONS if operation.takes_key}


def call(gateway: Gateway, operation_id: str, headers: dict[str, str]) -> Any:
    operation = KEYED[operation_id]
    path = operation.path.format(task_id="task12345", name="cat.png", link_id="k3v9qmt2az5x")
    return gateway.client.open(path, method=operation.method.upper(), data="{}", headers=headers)


@pytest.mark.parametrize("operation_id", KEYED)
def test_the_scope_that_a_call_needs_is_documented(store: Gateway, operation_id: str) -> None:
    documented = Documented(document_of(store))
    ((needed,),) = (way["BearerAuth"] for way in documented.operation(operation_id)["security"])

    response = call(store, operation_id, limited(store, *(scope for scope in SCOPES if scope != needed), per_day=9))

    assert "WWW-Authenticate" in response.headers
    assert response.json["code"] in {401, 403}
    documented.hold(operation_id, response)


@pytest.mark.parametrize("limit", ["per_minute", "per_day"])
@pytest.mark.parametrize("operation_id", KEYED)
def test_the_limits_of_keys_are_documented_of_every_call(store: Gateway, operation_id: str, limit: str) -> None:
    documented = Documented(document_of(store))
    headers = limited(store, **{limit: 1})

    last, beyond = call(store, operation_id, headers), call(store, operation_id, headers)

    assert last.headers["RateLimit-Remaining"] == beyond.headers["RateLimit-Remaining"] == "0"
    assert beyond.status_code == beyond.json["code"] == 429
    assert "Retry-After" in beyond.headers
    documented.hold(operation_id, last)
    documented.hold(operation_id, beyond)


def test_an_image_that_is_still_being_fetched_is_documented(
    store: Gateway, origin: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    documented, go_on = Documented(document_of(store)), threading.Event()
    url = kept(store, origin)
    origin.route("/v/cat.png", lambda _: answer(200, PNG) if go_on.wait(20) else None)
    monkeypatch.setattr("gateway.resolving.caching_resolver.TIMEOUT_S", 0.1)

    for_caller = convert(store, {"taskId": "task12345", "url": url})
    for_visitor = follow(store, url, headers={"Accept": "application/json"})
    go_on.set()
    assert happens(lambda: convert(store, {"taskId": "task12345", "url": url}).json["code"] == 200)

    assert (for_caller.status_code, for_visitor.status_code) == (500, 503)
    assert "Retry-After" in for_caller.headers
    documented.hold("get-4o-image-download-url", for_caller)
    documented.hold("download", for_visitor)


def test_every_operation_was_asked(documented: Documented) -> None:
    told = {made["operationId"] for _, _, made in operations(documented.document)}

    assert {operation_id for operation_id, _, _ in ANSWERS.values()} == told
