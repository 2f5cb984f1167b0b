"""``If-Match`` (RFC 9110 section 13.1.1): a file's own tag or ``*`` lets a request pass, anything else is 412."""

from pathlib import Path
from typing import Any

import pytest

from tests.support.factories import API_KEY, PNG, Clock, Gateway, make_settings, store_gateway
from tests.support.servers import ScriptedServer, envelope

PROVIDER_CALL = "/api/v1/gpt4o-image/download-url"
MATCHING = ["{tag}", "*", '"nope", {tag}', ' {tag} , "nope"']
NOT_MATCHING = ['"nope"', "W/{tag}", "nope", "", ",", '"v1"', '"n\u00f6pe"', '"a,b"', "{tag}x"]
PART = {"Range": "bytes=5000-"}


@pytest.fixture
def link(gateway: Gateway, origin: ScriptedServer) -> str:
    return gateway.link(origin.serve("/v/cat.png", PNG, ETag='"v1"'))


def tag_of(gateway: Gateway, link: str) -> str:
    with gateway.client.get(link) as begun:
        return str(begun.headers["ETag"])


@pytest.mark.parametrize("condition", MATCHING)
@pytest.mark.parametrize(("headers", "status"), [({}, 200), (PART, 206)], ids=["whole", "part"])
def test_the_tag_of_the_file_lets_a_request_pass(
    gateway: Gateway, link: str, condition: str, headers: dict[str, str], status: int
) -> None:
    if_match = condition.replace("{tag}", tag_of(gateway, link))

    response = gateway.client.get(link, headers=headers | {"If-Match": if_match})

    assert (response.status_code, response.data) == (status, PNG[5000:] if headers else PNG)


@pytest.mark.parametrize("condition", NOT_MATCHING, ids=ascii)
@pytest.mark.parametrize("headers", [{}, PART, PART | {"If-Range": "{tag}"}, {"If-None-Match": "{tag}"}], ids=str)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_any_other_tag_is_412(
    gateway: Gateway, link: str, condition: str, headers: dict[str, str], method: str
) -> None:
    tag = tag_of(gateway, link)
    shown = {name: value.replace("{tag}", tag) for name, value in (headers | {"If-Match": condition}).items()}

    response = gateway.client.open(link, method=method, headers=shown)

    assert response.status_code == 412
    assert response.headers["Cache-Control"] == "no-store"
    assert "Content-Disposition" not in response.headers


def test_a_file_without_a_tag_matches_only_the_asterisk(gateway: Gateway, origin: ScriptedServer) -> None:
    link = gateway.link(origin.serve("/v/untagged.png", PNG))

    statuses = [gateway.client.get(link, headers={"If-Match": value}).status_code for value in ('"nope"', "*")]

    assert statuses == [412, 200]


def test_a_redirect_ignores_the_condition(gateway: Gateway, origin: ScriptedServer) -> None:
    """RFC 9110 section 13.2.1: conditions count only where the answer without them is a success."""
    link = gateway.link(origin.serve("/v/sent.png", PNG, ETag='"v1"'), mode="redirect")

    assert gateway.client.get(link, headers={"If-Match": '"nope"'}).status_code == 302


def test_files_of_our_own_are_held_to_it_too(tmp_path: Path) -> None:
    gateway = store_gateway(tmp_path)
    authorized = {"Authorization": f"Bearer {API_KEY}"}
    gateway.client.put("/api/v1/records/task12345/files/cat.png", data=PNG, headers=authorized)
    parse_request = {"taskId": "task12345", "url": "gateway:cat.png"}
    told: Any = gateway.client.post("/api/v1/gpt4o-image/download-url", json=parse_request, headers=authorized)
    url = told.json["data"]
    tag = tag_of(gateway, url)

    statuses = [gateway.client.get(url, headers=PART | {"If-Match": value}).status_code for value in ('"nope"', tag)]

    assert statuses == [412, 206]


@pytest.fixture
def expired(
    upstream_gateway: Gateway, provider: ScriptedServer, origin: ScriptedServer, clock: Clock
) -> tuple[str, str]:
    """A link that has expired since a download by it began, and the tag that the download was given."""
    provider.route(PROVIDER_CALL, envelope(data=origin.serve("/direct/cat.png", PNG, ETag='"v1"')))
    link = upstream_gateway.link(origin.url("/v/cat.png"), lifetime_s=600)
    tag = tag_of(upstream_gateway, link)
    clock.now += 700
    return link, tag


def another_worker(origin: ScriptedServer, provider: ScriptedServer, clock: Clock) -> Gateway:
    settings = make_settings(origin.address, resolver="upstream", upstream_url=provider.url(""))
    return Gateway(settings, clock=clock)


def test_a_download_begun_before_its_link_expired_is_resumed_by_if_match(
    expired: tuple[str, str], origin: ScriptedServer, provider: ScriptedServer, clock: Clock
) -> None:
    link, tag = expired

    response = another_worker(origin, provider, clock).client.get(link, headers=PART | {"If-Match": tag})

    assert (response.status_code, response.data, response.headers["ETag"]) == (206, PNG[5000:], tag)


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"If-Match": "{tag}"}, id="no-range"),
        pytest.param(PART | {"If-Match": "*"}, id="any-tag"),
        pytest.param(PART | {"If-Match": "W/{tag}"}, id="tag-made-weak"),
        pytest.param(PART | {"If-Match": "{tag}, {tag}"}, id="several-tags"),
        pytest.param(PART | {"If-Match": '"v1"'}, id="the-origins-tag"),
        pytest.param(PART | {"If-Match": "{tag}", "If-Range": '"v1"'}, id="another-tag-in-if-range"),
    ],
)
def test_nothing_less_than_our_tag_resumes_an_expired_link(
    expired: tuple[str, str],
    origin: ScriptedServer,
    provider: ScriptedServer,
    clock: Clock,
    headers: dict[str, str],
) -> None:
    link, tag = expired
    shown = {name: value.replace("{tag}", tag) for name, value in headers.items()}

    assert another_worker(origin, provider, clock).client.get(link, headers=shown).status_code == 410
