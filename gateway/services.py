"""The composition: settings in, working objects out. The only place that builds them."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.capacity import stream_slots
from gateway.delivery import etag
from gateway.delivery.choose import Deliveries
from gateway.delivery.etag import EntityTags
from gateway.delivery.stream import Streams
from gateway.egress.client import Client
from gateway.egress.guard import Guard
from gateway.egress.names import Lookup
from gateway.egress.provider import ProviderSession
from gateway.keys.configured import ConfiguredKeys
from gateway.limits import DownloadLimit
from gateway.links import files
from gateway.links.admission import Links
from gateway.links.files import FileLinks
from gateway.links.ledger import Ledger
from gateway.links.signed import KeyRing, LinkSigner
from gateway.resolving.breaker import Breaker
from gateway.resolving.origin import OriginResolver
from gateway.resolving.resolver import Resolver
from gateway.resolving.upstream import UpstreamResolver
from gateway.settings import Bucket, Settings
from gateway.storage.memory import MemoryLedger

if TYPE_CHECKING:
    from gateway.records.stored import SqlRecords
    from gateway.records.sweep import Sweep
    from gateway.resolving.doors import Door
    from gateway.resolving.store import StoreResolver
    from gateway.storage.database import Database
    from gateway.storage.index import ObjectIndex
    from gateway.storage.objects import Objects

_VIA_SALT = b"gateway.via.v1"


@dataclass(frozen=True, slots=True)
class OwnStore:
    """What the ``store`` resolver needs, and nobody else."""

    database: "Database"
    records: "SqlRecords"
    index: "ObjectIndex"
    objects: "Objects"
    door: "Door"
    files: FileLinks
    sweep: "Sweep"
    resolver: "StoreResolver"


@dataclass(frozen=True, slots=True)
class Services:
    """Everything a request needs, built once for each worker, after it was forked."""

    signer: LinkSigner
    links: Links
    ledger: Ledger
    guard: Guard
    limit: DownloadLimit
    resolver: Resolver
    deliveries: Deliveries
    keys: ConfiguredKeys
    breaker: Breaker
    upstream: UpstreamResolver | None
    own: OwnStore | None
    via: str


def build_services(
    settings: Settings, *, clock: Callable[[], float] = time.time, lookup: Lookup | None = None
) -> Services:
    """Build the services that the settings ask for.

    Args:
        settings: checked settings.
        clock: Unix seconds; tests bring their own.
        lookup: how names are resolved; tests bring their own.
    """
    lookup = lookup or Lookup()
    via = "gateway-" + KeyRing.derive(settings.secret_keys, _VIA_SALT).sign(b"")[:16]
    guard = Guard(
        settings.origin_hosts,
        settings.private_networks,
        allow_http=settings.allow_http,
        own_url=settings.public_url,
    )
    client = Client(guard, lookup, via=via)
    breaker = Breaker()
    upstream = _upstream(settings, client, guard, breaker, lookup, clock) if settings.resolver == "upstream" else None
    signer = LinkSigner(
        settings.secret_keys, settings.public_url, lifetime_s=settings.page_link_lifetime_s, clock=clock
    )
    ledger = MemoryLedger()
    tags = EntityTags(KeyRing.derive(settings.secret_keys, etag.SALT))
    own = _own_store(settings, client, guard, clock) if settings.resolver == "store" else None
    converter = upstream or (own and own.resolver) or OriginResolver(client, guard, settings.min_life_s, clock)
    resolver = Resolver(converter, settings.min_life_s, clock)
    streams = Streams(tags, stream_slots(), settings.max_bytes)
    return Services(
        signer=signer,
        links=Links(signer, ledger, guard.admit, clock, require_signature=settings.require_signature),
        ledger=ledger,
        guard=guard,
        limit=DownloadLimit(settings.downloads_per_minute, settings.web_concurrency),
        resolver=resolver,
        deliveries=Deliveries(streams, ledger, settings.default_mode, resolver.renew),
        keys=ConfiguredKeys(settings.named_api_keys),
        breaker=breaker,
        upstream=upstream,
        own=own,
        via=via,
    )


def _upstream(
    settings: Settings, client: Client, guard: Guard, breaker: Breaker, lookup: Lookup, clock: Callable[[], float]
) -> UpstreamResolver:
    session = ProviderSession(settings.upstream_url, settings.upstream_api_key, lookup, settings.private_networks)
    return UpstreamResolver(session, client, guard, breaker, clock)


def _own_store(settings: Settings, client: Client, guard: Guard, clock: Callable[[], float]) -> OwnStore:
    # Imported here, so that whoever needs no database does not wait for its libraries.
    from gateway.records.stored import SqlRecords  # noqa: PLC0415
    from gateway.records.sweep import Sweep  # noqa: PLC0415
    from gateway.resolving.store import StoreResolver  # noqa: PLC0415
    from gateway.storage.database import Database  # noqa: PLC0415
    from gateway.storage.index import ObjectIndex  # noqa: PLC0415

    database = Database(settings.database_url)
    records = SqlRecords(database)
    index = ObjectIndex(database, clock)
    file_links = FileLinks(KeyRing.derive(settings.secret_keys, files.SALT), settings.public_url, clock)
    objects, door = _objects(settings, file_links, client, guard, clock)
    resolver = StoreResolver(
        records,
        index,
        objects,
        door,
        client,
        guard,
        days=settings.record_days,
        max_bytes=settings.max_bytes,
        clock=clock,
    )
    sweep = Sweep(records, index, objects, settings.record_days, clock)
    return OwnStore(database, records, index, objects, door, file_links, sweep, resolver)


def _objects(
    settings: Settings, file_links: FileLinks, client: Client, guard: Guard, clock: Callable[[], float]
) -> "tuple[Objects, Door]":
    """Where the objects are, and how others get at them. What speaks S3 is imported only where it is used."""
    from gateway.resolving.doors import BucketDoor, OwnDoor  # noqa: PLC0415

    if not isinstance(settings.store, Bucket):
        from gateway.storage.folder import FolderObjects  # noqa: PLC0415

        return FolderObjects(settings.store, settings.store_max_bytes or None, clock), OwnDoor(file_links.mint)
    from gateway.storage.s3 import S3Objects  # noqa: PLC0415

    bucket = S3Objects(settings.store, settings.s3_endpoint_url)
    return bucket, BucketDoor(bucket.presign, OwnDoor(file_links.mint), client, guard)
