"""A download that was begun before its link expired may be gone on with; nothing else may."""

import pytest

from tests.support.factories import PNG, Clock, Gateway, make_settings
from tests.support.servers import ScriptedServer, answer, envelope

PROVIDER_CALL = "/api/v1/gpt4o-image/download-url"
PARTS = {"Range": "bytes=5000-"}


@pytest.fixture
def link(upstream_gateway: Gateway, origin: ScriptedServer) -> str:
    """A link to a cat, good for ten minutes."""
    return upstream_gateway.link(origin.url("/v/cat.png"), lifetime_s=600)


@pytest.fixture
def tag(upstream_gateway: Gateway, provider: ScriptedServer, origin: ScriptedServer, link: str) -> str:
    """What a download that was begun by the link shows."""
    provider.route(PROVIDER_CALL, envelope(data=origin.serve("/direct/cat.png", PNG, ETag='"v1"')))
    begun = upstream_gateway.client.get(link)
    begun.close()
    return str(begun.headers["ETag"])


@pytest.fixture
def another(origin: ScriptedServer, provider: ScriptedServer, clock: Clock, tag: str) -> Gateway:
    """Another worker, which knows nothing yet, after the link has expired."""
    assert tag
    clock.now += 700
    provider.seen.clear()
    settings = make_settings(origin.address, resolver="upstream", upstream_url=provider.url(""))
    return Gateway(settings, clock=clock)


@pytest.mark.parametrize("late_s", [700, 600 + 3599])
@pytest.mark.parametrize("parse_request", ["bytes=5000-", "bytes=5000-10247", "bytes=-5248"])
def test_a_download_begun_before_its_link_expired_goes_on_for_an_hour(
    another: Gateway, link: str, tag: str, late_s: int, parse_request: str
) -> None:
    another.clock.now += late_s - 700

    response = another.client.get(link, headers={"Range": parse_request, "If-Range": tag})

    assert (response.status_code, response.data) == (206, PNG[5000:])
    assert response.headers["ETag"] == tag


def test_after_that_hour_it_does_not(another: Gateway, provider: ScriptedServer, link: str, tag: str) -> None:
    another.clock.now += 3600 - 100 + 1

    response = another.client.get(link, headers=PARTS | {"If-Range": tag})

    assert response.status_code == 410
    assert provider.seen == []


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({}, id="plain"),
        pytest.param(PARTS, id="bare-range"),
        pytest.param({"If-Range": "{tag}"}, id="no-range"),
        pytest.param({"If-None-Match": "{tag}"}, id="another-condition"),
        pytest.param(PARTS | {"If-Range": "W/{tag}"}, id="tag-made-weak"),
        pytest.param(PARTS | {"If-Range": "{tag}, {tag}"}, id="several-tags"),
        pytest.param(PARTS | {"If-Range": "*"}, id="any-tag"),
        pytest.param(PARTS | {"If-Range": '"' + "A" * 30 + '"'}, id="shaped-like-ours"),
        pytest.param(PARTS | {"If-Range": '"v1"'}, id="the-origins-tag"),
        pytest.param(PARTS | {"If-Range": "Mon, 23 Nov 2026 10:00:00 GMT"}, id="date"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_nothing_else_gets_anything_of_an_expired_link_or_costs_a_call(
    another: Gateway, provider: ScriptedServer, link: str, tag: str, headers: dict[str, str], method: str
) -> None:
    shown = {name: value.replace("{tag}", tag) for name, value in headers.items()}

    response = another.client.open(link, method=method, headers=shown)

    assert response.status_code == 410
    assert provider.seen == []


def test_a_head_gets_nothing_of_an_expired_link(another: Gateway, link: str, tag: str) -> None:
    assert another.client.head(link, headers=PARTS | {"If-Range": tag}).status_code == 410


def test_the_tag_of_another_file_is_no_proof(
    another: Gateway, provider: ScriptedServer, origin: ScriptedServer, link: str
) -> None:
    provider.route(PROVIDER_CALL, envelope(data=origin.serve("/direct/cat.png", PNG, ETag='"v1"')))
    of_a_dog = another.get(origin.url("/v/dog.png")).headers["ETag"]
    provider.seen.clear()

    response = another.client.get(link, headers=PARTS | {"If-Range": of_a_dog})

    assert response.status_code == 410
    assert provider.seen == []


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda tag: tag[:-2] + ("A" if tag[-2] != "A" else "B") + '"', id="last-letter"),
        pytest.param(lambda tag: tag[:9] + "A" * 22 + '"', id="all-but-the-mark"),
    ],
)
@pytest.mark.parametrize("more", [{}, {"If-None-Match": "*"}], ids=["alone", "with-another-condition"])
def test_a_tag_that_was_changed_gets_nothing(
    another: Gateway, link: str, tag: str, change: object, more: dict[str, str]
) -> None:
    assert callable(change)

    assert another.client.get(link, headers=PARTS | more | {"If-Range": change(tag)}).status_code == 410


def test_a_file_that_changed_meanwhile_cannot_be_gone_on_with(
    another: Gateway, origin: ScriptedServer, link: str, tag: str
) -> None:
    origin.serve("/direct/cat.png", PNG, ETag='"v2"')

    response = another.client.get(link, headers=PARTS | {"If-Range": tag})

    assert response.status_code == 410
    assert "link_expired" in response.text


@pytest.mark.parametrize("parse_request", ["bytes=0-1,5-8", "items=0-4", "bytes=9-5", "garbage"])
def test_what_would_be_answered_by_the_whole_file_gets_nothing(
    another: Gateway, link: str, tag: str, parse_request: str
) -> None:
    assert another.client.get(link, headers={"Range": parse_request, "If-Range": tag}).status_code == 410


def test_an_origin_that_gives_no_parts_any_more_gives_nothing(
    another: Gateway, origin: ScriptedServer, link: str, tag: str
) -> None:
    def route(request: object) -> bytes:
        span = str(getattr(request, "headers", {}).get("range"))
        if span == "bytes=0-63":
            return answer(206, PNG[:64], {"ETag": '"v1"', "Content-Range": f"bytes 0-63/{len(PNG)}"})
        return answer(200, PNG, {"ETag": '"v1"'})

    origin.route("/direct/cat.png", route)

    assert another.client.get(link, headers=PARTS | {"If-Range": tag}).status_code == 410


def test_a_part_beyond_the_end_is_still_told_so(another: Gateway, link: str, tag: str) -> None:
    response = another.client.get(link, headers={"Range": "bytes=99999-", "If-Range": tag})

    assert response.status_code == 416


@pytest.mark.parametrize("late_s", [0, 700])
def test_a_revoked_link_is_not_gone_on_with(
    upstream_gateway: Gateway, provider: ScriptedServer, origin: ScriptedServer, clock: Clock, late_s: int
) -> None:
    provider.route(PROVIDER_CALL, envelope(data=origin.serve("/direct/cat.png", PNG, ETag='"v1"')))
    link = upstream_gateway.link(origin.url("/v/cat.png"), lifetime_s=600, link_id="revoked")
    begun = upstream_gateway.client.get(link)
    begun.close()
    upstream_gateway.services.ledger.revoke("revoked")
    clock.now += late_s

    response = upstream_gateway.client.get(link, headers=PARTS | {"If-Range": begun.headers["ETag"]})

    assert response.status_code == 410
    assert "link_revoked" in response.text


def test_a_forged_link_is_not_gone_on_with(another: Gateway, link: str, tag: str) -> None:
    forged = link[:-1] + ("A" if link[-1] != "A" else "B")

    assert another.client.get(forged, headers=PARTS | {"If-Range": tag}).status_code == 403


def test_an_attachment_is_gone_on_with_here_and_never_by_a_redirect(
    another: Gateway, origin: ScriptedServer, link: str, tag: str
) -> None:
    origin.serve("/direct/cat.png", PNG, ETag='"v1"', Content_Disposition="attachment")

    response = another.client.get(link, headers=PARTS | {"If-Range": tag})

    assert (response.status_code, response.data) == (206, PNG[5000:])
