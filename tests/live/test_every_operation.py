"""Every operation of the document under generated requests, good ones and bad ones: nothing answers otherwise."""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings, strategies as st
from schemathesis import Case, CheckFunction
from schemathesis.specs.openapi.checks import (
    ignored_auth,
    missing_required_header,
    negative_data_rejection,
    positive_data_acceptance,
)

from gateway.links.link import FieldFault
from gateway.provider.client import DOWNLOAD_URL
from gateway.records.completion_callback import PATH as CALLBACK
from gateway.storage.database import Database
from gateway.web.reference.operations import openapi_document
from gateway.web.request_parsing import CONTRACT_PATHS
from gateway.web.schemas import TASK_EXAMPLE, URL_EXAMPLE
from tests.support.databases import ENGINES, emptied
from tests.support.factories import API_KEY, PNG
from tests.support.live_gateway import LiveGateway, callback_url, live_gateway
from tests.support.servers import ScriptedServer

pytestmark = pytest.mark.slow

AUTHORIZED = {"Authorization": f"Bearer {API_KEY}"}
FILE = "/api/v1/records/{task_id}/files/{name}"
IMAGE_PATH = urlsplit(URL_EXAMPLE).path
SIGNED = {"mode": "mode", "filename": "filename", "id": "link_id"}

schema = schemathesis.openapi.from_dict(openapi_document(""))
bounded = settings(
    max_examples=15,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module", params=ENGINES)
def live(
    request: pytest.FixtureRequest, files: ScriptedServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LiveGateway]:
    """A gateway without a provider, on each kind of database."""
    folder = tmp_path_factory.mktemp("gateway")
    settings = {"resolver": "store", "upstream_api_key": ""}
    if request.param == "postgresql":
        settings["database_url"] = request.getfixturevalue("postgresql")
        emptied(Database(settings["database_url"])).engine.dispose()
    with live_gateway(folder, files.address, **settings) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def callback(live: LiveGateway) -> str:
    """The callback URL, with its token."""
    return callback_url(live)


@pytest.fixture
def image(live: LiveGateway, files: ScriptedServer) -> str:
    """The image of the document's examples, on an origin of ours; the gateway has a record of it."""
    url = files.serve(IMAGE_PATH, PNG)
    record = {"status": "SUCCESS", "resultUrls": [url]}
    kept = requests.put(f"{live.url}/api/v1/records/{TASK_EXAMPLE}", json=record, headers=AUTHORIZED, timeout=10)
    assert kept.status_code == 200
    return url


@pytest.fixture
def direct_url(live: LiveGateway, image: str) -> str:
    """A direct URL of the image."""
    order = {"taskId": TASK_EXAMPLE, "url": image}
    return str(requests.post(live.url + DOWNLOAD_URL, json=order, headers=AUTHORIZED, timeout=10).json()["data"])


def test_no_two_tests_have_one_name(request: pytest.FixtureRequest) -> None:
    """Of those that do, pytest-xdist runs one, and an operation is not asked."""
    names = [item.nodeid for item in request.session.items]

    assert len(set(names)) == len(names)


def test_the_document_is_the_one_that_a_gateway_gives(live: LiveGateway) -> None:
    assert requests.get(f"{live.url}/openapi.json", timeout=10).json() == openapi_document("")


@schema.parametrize()
@bounded
def test_whatever_is_sent_is_answered_as_the_document_says(
    live: LiveGateway, image: str, callback: str, case: Case[Any]
) -> None:
    excluded: list[CheckFunction] = [positive_data_acceptance]  # which hosts a url may name is no matter of the schema
    proof: dict[str, Any] = {"headers": AUTHORIZED}
    if case.path in CONTRACT_PATHS:
        excluded += [ignored_auth, missing_required_header, negative_data_rejection]  # refusals are HTTP 200
    if case.path.startswith("/download/"):
        excluded.append(negative_data_rejection)  # without any parameter it is a help page
    if case.path == CALLBACK:
        excluded.append(negative_data_rejection)  # more is understood than is told
        proof = {"params": dict(parse_qsl(urlsplit(callback).query))}
    if case.path == FILE and isinstance(case.body, bytes):
        excluded.remove(positive_data_acceptance)
        case.body = PNG[:64] + case.body

    body = json.dumps(case.body, default=str)
    if URL_EXAMPLE in body:
        case.body = json.loads(body.replace(URL_EXAMPLE, image))
    case.call_and_validate(base_url=live.url, excluded_checks=excluded, **proof)


@schema.include(tag="Downloads").exclude(path_regex="^/d/").parametrize()
@bounded
def test_what_is_signed_is_given_as_the_document_says(
    live: LiveGateway, image: str, direct_url: str, case: Case[Any]
) -> None:
    permitted = urlsplit(link_to(live, image, case) if case.path.startswith("/download/") else direct_url)
    names = ("task_id", "name") if case.path.startswith("/download/") else ("digest", "name")
    parts = dict(zip(names, permitted.path.split("/")[2:], strict=True))
    case.path_parameters = {name: part for name, part in parts.items() if f"{{{name}}}" in case.path}
    case.query = dict(parse_qsl(permitted.query))

    response = case.call_and_validate(
        base_url=live.url, excluded_checks=[positive_data_acceptance, negative_data_rejection]
    )

    assert response.status_code in {200, 206, 304, 412, 416} or case.method not in {"GET", "HEAD"}


@bounded
@given(said=st.recursive(st.text(st.characters(codec=None)), lambda parts: st.lists(parts, max_size=3)))
def test_odd_letters_in_a_callback_are_kept_or_refused(live: LiveGateway, callback: str, said: object) -> None:
    for body in (
        {"code": 400, "msg": said, "data": {"taskId": "odd"}},
        {"code": 200, "data": {"taskId": "odd", "info": {"result_urls": said}}},
        {"code": 200, "data": {"taskId": said, "info": said}},
    ):
        assert requests.post(callback, json=body, timeout=10).status_code in {200, 409, 422}
    found = requests.get(f"{live.url}/api/v1/records/odd", headers=AUTHORIZED, timeout=10)
    assert found.status_code == 200


def link_to(live: LiveGateway, image: str, case: Case[Any]) -> str:
    """A signed link, with what the case has for it where that can be signed."""
    fields = {argument: case.query[name] for name, argument in SIGNED.items() if name in case.query}
    if "link_id" in fields:  # generated ids are also revoked
        fields["link_id"] = f"signed-{fields['link_id']}"
    try:
        return live.link(image, TASK_EXAMPLE, **fields)
    except FieldFault:
        return live.link(image, TASK_EXAMPLE)
