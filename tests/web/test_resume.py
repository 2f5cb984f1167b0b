"""Conditions that name our entity tag: ``If-Match``, and downloads that are resumed after their link expired."""

from pathlib import Path
from typing import Any

import pytest

from tests.support.downloads import PROVIDER_CALL, direct
from tests.support.factories import API_KEY, PNG, Clock, Gateway, make_settings, store_gateway
from tests.support.servers import ScriptedServer, answer, envelope

PART = {"Range": "bytes=5000-"}


def tag_of(gateway: Gateway, link: str) -> str:
    """The entity tag of a download that begins and is interrupted."""
    with gateway.client.get(link) as begun:
        return str(begun.headers["ETag"])


def filled(headers: dict[str, str], tag: str) -> dict[str, str]:
    """Headers with the tag where they say ``{tag}``."""
    return {name: value.replace("{tag}", tag) for name, value in headers.items()}


# --- If-Match (RFC 9110 section 13.1.1)


def test_if_match_with_the_files_tag_permits_a_request_and_any_other_tag_is_412(
    gateway: Gateway, origin: ScriptedServer
) -> None:
    link = gateway.link(origin.serve("/v/cat.png", PNG, ETag='"v1"'))
    tag = tag_of(gateway, link)

    for condition in ("{tag}", "*", '"nope", {tag}', ' {tag} , "nope"'):
        whole = gateway.client.get(link, headers=filled({"If-Match": condition}, tag))
        part = gateway.client.get(link, headers=filled(PART | {"If-Match": condition}, tag))
        assert (whole.status_code, whole.data, part.status_code, part.data) == (200, PNG, 206, PNG[5000:]), condition

    for condition in ('"nope"', "W/{tag}", "nope", "", ",", '"v1"', '"n\u00f6pe"', '"a,b"', "{tag}x"):
        for headers in ({}, PART, PART | {"If-Range": "{tag}"}, {"If-None-Match": "{tag}"}):
            shown = filled(headers | {"If-Match": condition}, tag)
            response, head = gateway.client.get(link, headers=shown), gateway.client.head(link, headers=shown)
            assert (response.status_code, head.status_code) == (412, 412), shown
            assert response.headers["Cache-Control"] == "no-store"
            assert "Content-Disposition" not in response.headers


def test_a_file_without_a_tag_matches_only_the_asterisk(gateway: Gateway, origin: ScriptedServer) -> None:
    link = gateway.link(origin.serve("/v/untagged.png", PNG))

    statuses = [gateway.client.get(link, headers={"If-Match": value}).status_code for value in ('"nope"', "*")]

    assert statuses == [412, 200]


def test_uploaded_files_obey_if_match(tmp_path: Path) -> None:
    gateway = store_gateway(tmp_path)
    authorized = {"Authorization": f"Bearer {API_KEY}"}
    gateway.client.put("/api/v1/records/task12345/files/cat.png", data=PNG, headers=authorized)
    body = {"taskId": "task12345", "url": "gateway:cat.png"}
    converted: Any = gateway.client.post(PROVIDER_CALL, json=body, headers=authorized)
    url = converted.json["data"]
    tag = tag_of(gateway, url)

    statuses = [gateway.client.get(url, headers=PART | {"If-Match": value}).status_code for value in ('"nope"', tag)]

    assert statuses == [412, 206]


# --- a link that expired since the download began


@pytest.fixture
def link(upstream_gateway: Gateway, origin: ScriptedServer) -> str:
    """A link to an image, valid for ten minutes."""
    return upstream_gateway.link(origin.url("/v/cat.png"), lifetime_s=600)


@pytest.fixture
def tag(upstream_gateway: Gateway, provider: ScriptedServer, origin: ScriptedServer, link: str) -> str:
    """The entity tag that a download by this link was given."""
    direct(provider, origin)
    return tag_of(upstream_gateway, link)


@pytest.fixture
def another(origin: ScriptedServer, provider: ScriptedServer, clock: Clock, tag: str) -> Gateway:
    """Another worker with empty caches, after the link has expired."""
    assert tag
    clock.now += 700
    provider.seen.clear()
    settings = make_settings(origin.address, resolver="upstream", upstream_url=provider.url(""))
    return Gateway(settings, clock=clock)


@pytest.mark.parametrize("condition", ["If-Range", "If-Match"])
@pytest.mark.parametrize("late_s", [100, 3599])
def test_a_download_begun_before_its_link_expired_can_be_resumed_for_an_hour(
    another: Gateway, link: str, tag: str, late_s: int, condition: str
) -> None:
    another.clock.now += late_s - 100

    for range_header in ("bytes=5000-", "bytes=5000-10247", "bytes=-5248"):
        response = another.client.get(link, headers={"Range": range_header, condition: tag})
        assert (response.status_code, response.data) == (206, PNG[5000:])
        assert response.headers["ETag"] == tag
    assert another.client.get(link, headers={"Range": "bytes=99999-", condition: tag}).status_code == 416


def test_after_that_hour_it_is_refused(another: Gateway, provider: ScriptedServer, link: str, tag: str) -> None:
    another.clock.now += 3600 - 100 + 1

    assert another.client.get(link, headers=PART | {"If-Range": tag}).status_code == 410
    assert provider.seen == []


def test_without_our_tag_and_a_range_an_expired_link_gives_nothing_and_calls_nobody(
    another: Gateway, provider: ScriptedServer, link: str, tag: str
) -> None:
    refused: list[dict[str, str]] = [
        {},
        PART,
        {"If-Range": "{tag}"},
        {"If-Match": "{tag}"},
        {"If-None-Match": "{tag}"},
        PART | {"If-Match": "*"},
        PART | {"If-Match": "{tag}", "If-Range": '"v1"'},
        PART | {"If-Range": '"' + "A" * 30 + '"'},
        PART | {"If-Range": "Mon, 23 Nov 2026 10:00:00 GMT"},
        *[
            PART | {name: value}
            for name in ("If-Range", "If-Match")
            for value in ("W/{tag}", "{tag}, {tag}", "*", '"v1"')
        ],
    ]

    for headers in refused:
        for method in ("GET", "HEAD"):
            response = another.client.open(link, method=method, headers=filled(headers, tag))
            assert response.status_code == 410, (method, headers)
    assert another.client.head(link, headers=PART | {"If-Range": tag}).status_code == 410
    assert provider.seen == []


def test_ranges_that_would_be_answered_with_the_whole_file_give_nothing(another: Gateway, link: str, tag: str) -> None:
    for range_header in ("bytes=0-1,5-8", "items=0-4", "bytes=9-5", "garbage"):
        assert another.client.get(link, headers={"Range": range_header, "If-Range": tag}).status_code == 410


def test_the_tag_of_another_file_and_an_altered_tag_are_no_proof(
    another: Gateway, provider: ScriptedServer, origin: ScriptedServer, link: str, tag: str
) -> None:
    of_another_file = another.get(origin.url("/v/dog.png")).headers["ETag"]
    provider.seen.clear()

    assert another.client.get(link, headers=PART | {"If-Range": of_another_file}).status_code == 410
    assert provider.seen == []
    for altered in (tag[:-2] + ("A" if tag[-2] != "A" else "B") + '"', tag[:9] + "A" * 22 + '"'):
        for more in ({}, {"If-None-Match": "*"}):
            assert another.client.get(link, headers=PART | more | {"If-Range": altered}).status_code == 410


def test_a_file_that_changed_since_cannot_be_resumed(
    another: Gateway, origin: ScriptedServer, link: str, tag: str
) -> None:
    origin.serve("/direct/cat.png", PNG, ETag='"v2"')

    response = another.client.get(link, headers=PART | {"If-Range": tag})

    assert response.text.startswith("410 link_expired: ")


def test_an_origin_that_gives_no_parts_any_more_gives_nothing(
    another: Gateway, origin: ScriptedServer, link: str, tag: str
) -> None:
    def route(request: object) -> bytes:
        range_header = str(getattr(request, "headers", {}).get("range"))
        if range_header == "bytes=0-63":
            return answer(206, PNG[:64], {"ETag": '"v1"', "Content-Range": f"bytes 0-63/{len(PNG)}"})
        return answer(200, PNG, {"ETag": '"v1"'})

    origin.route("/direct/cat.png", route)

    assert another.client.get(link, headers=PART | {"If-Range": tag}).status_code == 410


@pytest.mark.parametrize("late_s", [0, 700])
def test_a_revoked_link_cannot_be_resumed(
    upstream_gateway: Gateway, provider: ScriptedServer, origin: ScriptedServer, clock: Clock, late_s: int
) -> None:
    provider.route(PROVIDER_CALL, envelope(data=origin.serve("/direct/cat.png", PNG, ETag='"v1"')))
    link = upstream_gateway.link(origin.url("/v/cat.png"), lifetime_s=600, link_id="revoked")
    tag = tag_of(upstream_gateway, link)
    upstream_gateway.revoke("revoked")
    clock.now += late_s

    response = upstream_gateway.client.get(link, headers=PART | {"If-Range": tag})

    assert response.text.startswith("410 link_revoked: ")


def test_a_forged_link_cannot_be_resumed(another: Gateway, link: str, tag: str) -> None:
    forged = link[:-1] + ("A" if link[-1] != "A" else "B")

    assert another.client.get(forged, headers=PART | {"If-Range": tag}).status_code == 403


def test_an_attachment_is_resumed_by_a_stream_and_never_by_a_redirect(
    another: Gateway, origin: ScriptedServer, link: str, tag: str
) -> None:
    origin.serve("/direct/cat.png", PNG, ETag='"v1"', Content_Disposition="attachment")

    response = another.client.get(link, headers=PART | {"If-Range": tag})

    assert (response.status_code, response.data) == (206, PNG[5000:])
