"""Special-use names (RFC 6761, .internal, .local, .home.arpa) are refused like ``localhost``, unless listed exactly."""

from ipaddress import ip_network

import pytest

from gateway.egress.guard import Guard, Zone
from gateway.errors import OriginNotAllowed, OriginUnsafe
from gateway.origins.allowlist import HostPattern
from tests.support.factories import Gateway, make_settings
from tests.support.servers import ScriptedServer, answer, envelope

SPECIAL_USE = [
    "localhost",
    "foo.localhost",
    "FOO.LocalHost",
    "a.b.localhost",
    "localhost.localdomain",
    "printer.local",
    "metadata.google.internal",
    "router.home.arpa",
    "1.0.0.127.in-addr.arpa",
    "router.lan",
    "nas.home",
    "wiki.corp",
    "wiki.intranet",
    "db.private",
    "x.test",
    "x.invalid",
    "x.onion",
    "x.alt",
    "\N{FULLWIDTH LATIN SMALL LETTER F}oo.localhost",
]
PUBLIC = [
    "cdn.example",
    "localhost.example",
    "internal.example",
    "local.example",
    "mylocalhost.example",
    "arpa.example",
]


def guard_of(*hosts: str) -> Guard:
    return Guard(map(HostPattern.parse, hosts), [ip_network("10.0.0.0/8")], allow_http=True)


def test_a_special_use_name_is_neither_fetched_nor_allowed_in_a_link() -> None:
    guard = guard_of("*", "*.google.internal", "*.localhost")
    for name in SPECIAL_USE:
        for redirected_from in (None, "http://cdn.example/"):
            with pytest.raises(OriginUnsafe, match="special-use name"):
                guard.check_fetch(f"http://{name}/x.png", redirected_from=redirected_from)
        with pytest.raises(OriginNotAllowed, match="names a host of a private network"):
            guard.check_link_url(f"https://{name}/x.png")


def test_a_public_name_that_only_contains_a_special_one_is_reached() -> None:
    zones = {name: guard_of("*").check_fetch(f"https://{name}/x.png") for name in PUBLIC}

    assert zones == dict.fromkeys(PUBLIC, Zone.PUBLIC)


def test_a_special_use_name_that_the_operator_listed_exactly_is_reached() -> None:
    guard = guard_of("minio.internal:9000", "cdn.local")

    assert guard.check_fetch("http://minio.internal:9000/x.png") is Zone.PRIVATE
    assert guard.check_fetch("https://cdn.local/x.png") is Zone.PUBLIC


def test_redirect_mode_sends_no_browser_to_a_special_use_name(
    upstream_gateway: Gateway, provider: ScriptedServer, origin: ScriptedServer
) -> None:
    for host in ("foo.localhost", "localhost.localdomain", "metadata.google.internal", "nas.home.arpa"):
        provider.route("/api/v1/gpt4o-image/download-url", envelope(data=f"http://{host}/cat.png"))

        response = upstream_gateway.get(origin.url(f"/v/{host}.png"), mode="redirect")

        assert response.status_code == 502
        assert "Location" not in response.headers


def test_a_redirect_of_the_origin_to_a_special_use_name_is_not_followed(origin: ScriptedServer) -> None:
    origin.route("/v/cat.png", answer(302, b"", {"Location": "http://metadata.google.internal/"}))
    gateway = Gateway(make_settings(origin.address, origin_hosts=f"{origin.address},*"))

    response = gateway.get(origin.url("/v/cat.png"))

    assert (response.status_code, response.text.split(":")[0]) == (502, "502 origin_unsafe")
