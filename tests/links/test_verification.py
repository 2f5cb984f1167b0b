"""Which refusal a link gets: the first that applies, and no forged link learns more than that it is not good."""

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from gateway.errors import (
    BadParameter,
    GatewayError,
    LinkExpired,
    LinkInvalid,
    LinkRevoked,
    LinkUsedUp,
    OriginNotAllowed,
)
from gateway.links import Link, LinkSigner
from gateway.links.verification import LinkVerifier
from tests.support.factories import SECRET, Clock, Gateway, make_link, make_settings
from tests.support.ledgers import MemoryLedger
from tests.support.servers import ScriptedServer

NOW = 1_763_999_100
ANOTHER_SECRET = "another-secret-that-is-32-bytes-long"
LISTED, UNLISTED = "https://origin.example/v/cat.png", "https://elsewhere.example/v/cat.png"
QUOTED = "https%3A%2F%2Forigin.example%2Fv%2Fcat.png"
OVER = {"expires": NOW - 1, "id": "over", "url": UNLISTED}


@dataclass
class Gate:
    """What decides about links, at a time that a test sets, for an origin list of one."""

    require_signature: bool = True
    now: float = NOW
    ledger: MemoryLedger = field(default_factory=MemoryLedger)

    def links(self) -> LinkVerifier:
        return LinkVerifier(
            LinkSigner([SECRET]),
            self.ledger,
            admit,
            lambda: self.now,
            require_signature=self.require_signature,
        )

    def verify(self, query: bytes, task_id: str = "task12345") -> Link:
        return self.links().verify(task_id, query)

    def follow(self, link: Link, secret: str = SECRET) -> Link:
        path, _, query = LinkSigner([secret]).href(link).partition("?")
        return self.verify(query.encode(), path.split("/")[2])


def admit(url: str) -> None:
    if url != LISTED:
        raise OriginNotAllowed("names a host that is not on the list of origins")


def make(**changes: object) -> Link:
    return make_link(**{"url": LISTED, "expires": NOW + 600} | changes)


@pytest.fixture
def gate() -> Gate:
    """Requires signatures, as is the default."""
    return Gate()


@pytest.fixture
def open_gate() -> Gate:
    """Takes unsigned requests too."""
    return Gate(require_signature=False)


def test_an_authentic_link_is_admitted(gate: Gate) -> None:
    link = make(mode="stream", filename="cat.png", id="a-1")

    assert gate.follow(link) == link


def test_a_link_is_good_in_the_second_it_names_and_expired_after_it(gate: Gate) -> None:
    link = make(expires=NOW)

    assert gate.follow(link) == link

    gate.now = NOW + 0.001
    with pytest.raises(LinkExpired):
        gate.follow(link)


def test_a_forged_link_gets_no_other_answer_than_that_it_is_invalid(gate: Gate) -> None:
    gate.ledger.revoke("a-1")
    for changes in ({"expires": NOW - 1}, {"id": "a-1"}, {"url": UNLISTED}):
        with pytest.raises(LinkInvalid):
            gate.follow(make(**changes), ANOTHER_SECRET)


def test_a_revoked_link_is_refused_and_no_other_link_to_its_file(gate: Gate) -> None:
    gate.ledger.revoke("a-1")

    with pytest.raises(LinkRevoked):
        gate.follow(make(id="a-1"))
    assert gate.follow(make(id="a-2")).id == "a-2"
    assert gate.follow(make()).id is None


def test_a_link_with_no_downloads_left_is_refused(gate: Gate) -> None:
    gate.ledger.limit("a-1", 1)
    gate.follow(make(id="a-1"))
    gate.ledger.count("a-1", "192.0.2.1")

    with pytest.raises(LinkUsedUp):
        gate.follow(make(id="a-1"))


@pytest.fixture
def kept(gate: Gate) -> Callable[[Link], Link]:
    """Follows a link at a gate that stays the same, and so may know it from the time before."""
    links = gate.links()

    def follow(link: Link) -> Link:
        path, _, query = LinkSigner([SECRET]).href(link).partition("?")
        return links.verify(path.split("/")[2], query.encode())

    return follow


def test_a_link_that_was_good_before_is_expired_in_time(gate: Gate, kept: Callable[[Link], Link]) -> None:
    link = make(expires=NOW + 1)
    assert [kept(link), kept(link)] == [link, link]

    gate.now = NOW + 2

    with pytest.raises(LinkExpired):
        kept(link)


def test_a_link_that_was_good_before_can_be_revoked(gate: Gate, kept: Callable[[Link], Link]) -> None:
    link = make(id="known")
    assert [kept(link), kept(link)] == [link, link]

    gate.ledger.revoke("known")

    with pytest.raises(LinkRevoked):
        kept(link)


def test_a_link_that_was_good_before_can_be_used_up(gate: Gate, kept: Callable[[Link], Link]) -> None:
    link = make(id="known")
    assert kept(link) == link

    gate.ledger.limit("known", 1)
    gate.ledger.count("known", "somebody")

    with pytest.raises(LinkUsedUp):
        kept(link)


def test_a_link_that_was_good_before_is_good_for_its_own_task_and_query_alone(gate: Gate) -> None:
    links, (path, _, query) = gate.links(), LinkSigner([SECRET]).href(make()).partition("?")
    task_id = path.split("/")[2]
    links.verify(task_id, query.encode())

    for other_task, other_query in [("another", query), (task_id, query[:-1]), (task_id, query + "x")]:
        with pytest.raises(LinkInvalid):
            links.verify(other_task, other_query.encode())


def test_an_authentic_link_to_an_origin_that_is_not_listed_is_told_so(gate: Gate) -> None:
    with pytest.raises(OriginNotAllowed):
        gate.follow(make(url=UNLISTED))


@pytest.mark.parametrize(
    ("mended", "refusal"),
    [
        ({}, LinkExpired),
        ({"expires": NOW}, LinkRevoked),
        ({"expires": NOW, "id": "used-up"}, LinkUsedUp),
        ({"expires": NOW, "id": "fresh"}, OriginNotAllowed),
    ],
    ids=["expired", "revoked", "used-up", "origin-not-listed"],
)
def test_of_several_refusals_the_first_in_order_is_told(
    gate: Gate, mended: dict[str, object], refusal: type[GatewayError]
) -> None:
    gate.ledger.revoke("over")
    for link_id in ("over", "used-up"):
        gate.ledger.limit(link_id, 0)

    with pytest.raises(refusal):
        gate.follow(make(**OVER | mended))


def test_a_malformed_link_is_refused_like_a_forged_one(gate: Gate) -> None:
    for query, name in {
        "expires=1&sig=x": "url",
        "url=%FF&expires=1&sig=x": "url",
        f"url={QUOTED}&sig=x": "expires",
        f"url={QUOTED}&expires=1": "sig",
        f"url={QUOTED}&expires=1&sig=x&sig=x": "sig",
        f"url={QUOTED}&expires=1&sig=": "sig",
        f"url={QUOTED}&expires=1&sig=x": "sig",
        "utm_source=mail": "expires",
    }.items():
        with pytest.raises(LinkInvalid, match=rf"^{name}: "):
            gate.verify(query.encode())


def test_an_unsigned_request_is_refused_by_default(gate: Gate) -> None:
    with pytest.raises(LinkInvalid):
        gate.verify(f"url={QUOTED}".encode())


def test_an_unsigned_request_where_it_is_allowed_chooses_nothing_but_the_file(open_gate: Gate) -> None:
    for ignored in (
        *("", "&mode=redirect", "&filename=evil.exe", "&id=a-1", "&expires=1"),
        *("&mode=zip", "&id=%2F", "&expires=never", "&filename=%0A"),
    ):
        link = open_gate.verify(f"url={QUOTED}{ignored}".encode())
        assert link == Link("task12345", LISTED, signed=False), ignored


def test_a_malformed_unsigned_request_gets_the_name_of_the_parameter(open_gate: Gate) -> None:
    for task_id, query, name in (
        ("task12345", "x=1", "url"),
        ("task12345", "url=", "url"),
        ("task12345", f"url={QUOTED}&url={QUOTED}", "url"),
        ("task12345", "url=%FF", "url"),
        ("task12345", "url=%zz", "url"),
        ("task12345", f"url={QUOTED}%0A", "url"),
        ("task12345", "url=" + "a" * 2049, "url"),
        ("a b", f"url={QUOTED}", "task_id"),
        ("task12345", f"url={QUOTED}&mode=a&mode=b", "mode"),
    ):
        with pytest.raises(BadParameter) as refused:
            open_gate.verify(query.encode(), task_id)
        assert refused.value.detail.startswith(f"{name}: "), query


def test_an_unsigned_request_for_an_origin_that_is_not_listed_is_refused(open_gate: Gate) -> None:
    with pytest.raises(OriginNotAllowed):
        open_gate.verify(f"url={QUOTED}2".encode())


def test_a_signature_that_is_present_is_verified_even_where_none_is_required(open_gate: Gate) -> None:
    for sig in ("sig=" + "A" * 43, "sig=x", "sig=", "sig", "s%69g=x", "sig=%zz", "sig=x&sig=x"):
        with pytest.raises(LinkInvalid):
            open_gate.verify(f"url={QUOTED}&expires={NOW + 600}&{sig}".encode())


def test_a_signed_link_keeps_its_fields_and_expires_where_no_signature_is_required(open_gate: Gate) -> None:
    link = make(mode="redirect", filename="cat.png", id="a-1")

    assert open_gate.follow(link) == link
    with pytest.raises(LinkExpired):
        open_gate.follow(make(expires=NOW - 1))


@pytest.mark.parametrize(
    ("fields", "secret", "status", "code"),
    [
        ({"expires": NOW - 1}, SECRET, 410, "link_expired"),
        ({"expires": NOW - 1}, ANOTHER_SECRET, 403, "link_invalid"),
        ({"id": "revoked"}, SECRET, 410, "link_revoked"),
        ({"url": UNLISTED}, SECRET, 403, "origin_not_allowed"),
    ],
    ids=["expired", "forged-and-expired", "revoked", "origin-not-listed"],
)
def test_the_visitor_sees_the_refusal(
    origin: ScriptedServer, fields: dict[str, object], secret: str, status: int, code: str
) -> None:
    url = origin.serve("/v/cat.png", b"never asked for")
    gateway = Gateway(make_settings(origin.address), clock=stopped_at(NOW))
    gateway.revoke("revoked")

    response = gateway.client.get(LinkSigner([secret]).href(make(**{"url": url} | fields)))

    assert response.status_code == status
    assert response.text.startswith(f"{status} {code}: ")
    assert response.headers["Cache-Control"] == "no-store"
    assert "Content-Disposition" not in response.headers
    assert origin.seen == []


def stopped_at(now: float) -> Clock:
    clock = Clock()
    clock.now = now
    return clock
