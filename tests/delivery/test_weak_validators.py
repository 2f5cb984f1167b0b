"""Only a strong validator vouches for bytes: under a weak one nothing is spliced, and no resume is offered."""

from collections.abc import Callable
from typing import Any

import pytest

from gateway.delivery.exchange import DownloadRequest
from gateway.sources.validators import if_range_of, is_strong, validator_of
from tests.support.factories import PNG, Gateway
from tests.support.flaky import DATE, Flaky, Spoil, chunked, closed, deliver, taken
from tests.support.servers import Request, ScriptedServer, envelope

OTHER = bytes(reversed(PNG))  # as long
SIGNED = "X-Amz-Signature=0123abcd"
CHECKSUM = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
WEAK = [
    pytest.param({"ETag": 'W/"7"'}, id="weak-tag"),
    pytest.param({"Last-Modified": DATE}, id="last-modified"),
    pytest.param({"ETag": 'W/"7"', "Last-Modified": DATE}, id="both"),
    pytest.param({"ETag": "7"}, id="tag-without-quotes"),
    pytest.param({"ETag": '"7"-gzip', "Last-Modified": DATE}, id="malformed-tag"),
]


def replaced(first: Flaky, then: Flaky) -> Callable[[Request], bytes | None]:
    """A file that another one replaces after its first answer."""

    def route(request: Request) -> bytes | None:
        return then(request) if first.asked else first(request)

    return route


@pytest.mark.parametrize("headers", WEAK)
@pytest.mark.parametrize("spoil", [closed(5000), chunked(5000, b""), chunked(5000, b"zz\r\n")])
def test_two_files_under_one_weak_validator_are_not_spliced(
    gateway: Gateway, origin: ScriptedServer, headers: dict[str, str], spoil: Spoil
) -> None:
    first, then = Flaky(PNG, spoil, headers=headers), Flaky(OTHER, headers=headers)

    delivered = deliver(gateway, origin.route("/v/cat.png", replaced(first, then)))

    assert taken(delivered) == (PNG[:5000], False)
    assert then.asked == []


@pytest.mark.parametrize("headers", WEAK)
def test_no_resume_is_offered_under_a_weak_validator(
    gateway: Gateway, origin: ScriptedServer, headers: dict[str, str]
) -> None:
    url = origin.route("/v/cat.png", Flaky(PNG, headers=headers))

    for ask in (None, {"Range": "bytes=5000-"}):
        response = gateway.get(url, ask)
        assert (response.status_code, response.data) == (200, PNG)
        assert not {"ETag", "Accept-Ranges", "Content-Range"} & {name for name, _ in response.headers}


def test_a_tag_from_when_the_validator_was_strong_does_not_resume_under_a_weak_one(
    gateway: Gateway, origin: ScriptedServer
) -> None:
    url = origin.serve("/v/cat.png", PNG, ETag='"7"')
    tag = gateway.get(url).headers["ETag"]
    origin.serve("/v/cat.png", OTHER, ETag='W/"7"')
    source = gateway.services.resolver.resolve("task12345", url)
    source.forget(source.info)

    response = gateway.get(url, {"Range": "bytes=5000-", "If-Range": tag})

    assert (response.status_code, response.data) == (200, OTHER)


# --- what else vouches

VERSION = {"ETag": 'W/"7"', "x-amz-version-id": "3HL4kqtJlcpXroDTDmJ"}
VOUCHED = [
    pytest.param(VERSION, id="version-of-an-object"),
    pytest.param({"Last-Modified": DATE, "x-amz-checksum-sha256": CHECKSUM}, id="checksum-of-an-object"),
    pytest.param({"Repr-Digest": f"sha-256=:{CHECKSUM}:"}, id="digest"),
]


@pytest.mark.parametrize("headers", VOUCHED)
def test_a_version_or_a_checksum_vouches_at_a_presigned_url(
    gateway: Gateway, origin: ScriptedServer, headers: dict[str, str]
) -> None:
    file = Flaky(PNG, closed(5000), headers=headers)

    delivered = deliver(gateway, f"{origin.route('/v/cat.png', file)}?{SIGNED}")

    assert taken(delivered) == (PNG, True)
    assert "ETag" in dict(delivered.headers)
    assert file.asked[1] == (f"bytes=5000-{len(PNG) - 1}", "")


@pytest.mark.parametrize("headers", VOUCHED)
@pytest.mark.parametrize("change", ["another", "none"])
def test_another_version_or_checksum_is_another_file(
    gateway: Gateway, origin: ScriptedServer, headers: dict[str, Any], change: str
) -> None:
    last = next(reversed(headers))
    other = headers | {last: headers[last].replace("3HL", "4HL").replace("47D", "57D")}
    first = Flaky(PNG, closed(5000), headers=headers)
    then = Flaky(OTHER, headers=other if change == "another" else {"ETag": 'W/"7"'})

    delivered = deliver(gateway, f"{origin.route('/v/cat.png', replaced(first, then))}?{SIGNED}")

    assert taken(delivered) == (PNG[:5000], False)


@pytest.mark.parametrize(("path", "goes_on"), [("/direct/cat.png", True), ("/direct/dog.png", False)])
def test_a_version_vouches_for_the_same_key_alone(
    upstream_gateway: Gateway, provider: ScriptedServer, origin: ScriptedServer, path: str, *, goes_on: bool
) -> None:
    """Of a renewed direct URL the signature is another, and the key may be."""
    first = Flaky(PNG, closed(5000), headers=VERSION)

    def once(request: Request) -> bytes | None:
        if "Signature=1" not in request.target:
            return Flaky(PNG, headers=VERSION)(request)
        return first(request) if not first.asked else b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n"

    urls = [f"{origin.route('/direct/cat.png', once)}?X-Amz-Signature=1", f"{origin.url(path)}?X-Amz-Signature=2"]
    origin.route(path, once)
    provider.route(
        "/api/v1/gpt4o-image/download-url", lambda _request: envelope(data=urls.pop(0) if len(urls) > 1 else urls[0])
    )

    assert taken(deliver(upstream_gateway, origin.url("/v/cat.png"))) == (PNG if goes_on else PNG[:5000], goes_on)


@pytest.mark.parametrize(
    ("headers", "query"),
    [
        pytest.param(VERSION, "", id="version-behind-something"),
        pytest.param(VERSION | {"x-amz-version-id": "null"}, SIGNED, id="bucket-without-versions"),
        pytest.param(VERSION | {"x-amz-version-id": ""}, SIGNED, id="empty-version"),
        pytest.param({"x-amz-checksum-sha256": CHECKSUM}, "", id="checksum-behind-something"),
        pytest.param({"x-amz-checksum-sha256": f"{CHECKSUM}-3"}, SIGNED, id="checksum-of-checksums"),
        pytest.param({"x-amz-checksum-crc32": "AAAAAA=="}, SIGNED, id="a-sum-that-others-share"),
        pytest.param({"Content-MD5": "1B2M2Y8AsgTpgAmY7PhCfg=="}, SIGNED, id="md5-of-a-part"),
        pytest.param({"Content-Digest": f"sha-256=:{CHECKSUM}:"}, SIGNED, id="digest-of-a-part"),
        pytest.param({"Repr-Digest": "sha-256=:short:"}, SIGNED, id="malformed-digest"),
        pytest.param({"Repr-Digest": f"xsha-256=:{CHECKSUM}:"}, SIGNED, id="another-algorithm"),
    ],
)
def test_what_does_not_vouch(headers: dict[str, str], query: str) -> None:
    given = {name.lower(): value for name, value in headers.items()}

    validator = validator_of(lambda name: given.get(name.lower(), ""), f"https://origin.example/v/cat.png?{query}")

    assert not is_strong(validator)
    assert if_range_of(validator) == ""


def test_a_strong_tag_comes_first_and_is_the_only_one_that_is_told_to_the_origin() -> None:
    given = {"ETag": '"7"', "x-amz-version-id": "3HL4", "Repr-Digest": f"sha-256=:{CHECKSUM}:"}

    validator = validator_of(lambda name: given.get(name, ""), f"https://origin.example/v/cat.png?{SIGNED}")

    assert (validator, if_range_of(validator)) == ('"7"', '"7"')


def test_a_part_under_a_weak_validator_is_the_whole_file_for_resumes_too(
    gateway: Gateway, origin: ScriptedServer
) -> None:
    url = origin.serve("/v/cat.png", PNG, ETag='W/"7"')

    delivered = deliver(gateway, url, DownloadRequest(range="bytes=5000-", if_range='W/"7"'))

    assert (delivered.status, taken(delivered)) == (200, (PNG, True))
