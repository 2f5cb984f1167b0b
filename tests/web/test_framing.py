"""Who may show our error pages in a frame, and who may embed what we stream."""

from tests.support.factories import PNG, Gateway, make_settings
from tests.support.servers import ScriptedServer

FRAME = {"Sec-Fetch-Dest": "iframe", "Sec-Fetch-Mode": "navigate", "Accept": "text/html"}
REFUSED = "/download/task12345?url=https%3A%2F%2Forigin.example%2Fcat.png&expires=1&sig=x"


def frame_ancestors(policy: str) -> str:
    (directive,) = [part.strip() for part in policy.split(";") if "frame-ancestors" in part]
    return directive.removeprefix("frame-ancestors ")


def test_nobody_may_frame_an_error_page_by_default() -> None:
    refused = Gateway(make_settings()).client.get(REFUSED, headers=FRAME)

    assert refused.status_code == 403
    assert frame_ancestors(refused.headers["Content-Security-Policy"]) == "'none'"
    assert refused.headers["X-Frame-Options"] == "DENY"


def test_the_listed_origins_may_frame_an_error_page() -> None:
    gateway = Gateway(make_settings(frame_ancestors="https://shop.example, https://*.shop.example:8443, self"))

    refused = gateway.client.get(REFUSED, headers=FRAME)

    policy = refused.headers["Content-Security-Policy"]
    assert frame_ancestors(policy) == "https://shop.example https://*.shop.example:8443 'self'"
    assert "default-src 'none'" in policy
    assert "X-Frame-Options" not in refused.headers


def test_no_other_page_may_be_framed_by_the_listed_origins() -> None:
    gateway = Gateway(make_settings(frame_ancestors="https://shop.example"))

    for path in ("/", "/docs", "/download/task12345"):
        shown = gateway.client.get(path, headers=FRAME)
        assert frame_ancestors(shown.headers["Content-Security-Policy"]) == "'none'", path
        assert shown.headers["X-Frame-Options"] == "DENY", path


def test_a_stream_has_the_resource_policy_that_is_set(origin: ScriptedServer) -> None:
    gateway = Gateway(make_settings(origin.address, cross_origin_resource_policy="cross-origin"))
    url = origin.serve("/v/cat.png", PNG, ETag='"v1"')

    answers = [gateway.get(url), gateway.get(url, {"Range": "bytes=1-5"}), gateway.client.head(gateway.link(url))]

    assert [answer.status_code for answer in answers] == [200, 206, 200]
    assert {answer.headers["Cross-Origin-Resource-Policy"] for answer in answers} == {"cross-origin"}
    assert all(len(answer.headers.getlist("Cross-Origin-Resource-Policy")) == 1 for answer in answers)
