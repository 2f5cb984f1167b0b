"""What the ``store`` resolver needs, composed: records, objects, and the way in and out of both."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from gateway.egress.client import Client
from gateway.egress.guard import Guard
from gateway.links import files
from gateway.links.files import FileLinks
from gateway.links.signed import KeyRing
from gateway.records import completion_callback
from gateway.records.completion_callback import Callbacks
from gateway.records.holdings import Holdings
from gateway.records.published_urls import PublishedUrls
from gateway.records.shelf import Shelf
from gateway.records.stored import SqlRecords
from gateway.records.sweep import Sweep
from gateway.resolving.store import StoreResolver
from gateway.settings import Bucket, Settings
from gateway.sources.public_urls import PresignedUrl, PublicUrl, SignedFileUrl
from gateway.storage.database import Database
from gateway.storage.deletions import ObjectDeletions
from gateway.storage.folder import FolderObjects
from gateway.storage.index import ObjectIndex
from gateway.storage.intake import Intake
from gateway.storage.objects import Objects


@dataclass(frozen=True, slots=True)
class OwnStore:
    """The parts that routes and commands use."""

    records: SqlRecords
    index: ObjectIndex
    objects: Objects
    public_url: PublicUrl
    holdings: Holdings
    callbacks: Callbacks
    files: FileLinks
    published: PublishedUrls
    sweep: Sweep
    resolver: StoreResolver


def build_own_store(
    settings: Settings, database: Database, client: Client, guard: Guard, clock: Callable[[], float]
) -> OwnStore:
    """Build the store that the settings ask for."""
    records = SqlRecords(database)
    index = ObjectIndex(database, clock)
    file_links = FileLinks(KeyRing.derive(settings.secret_keys, files.SALT), settings.public_url, clock)

    def drop(digest: str) -> None:
        objects.delete(digest)

    deletions = ObjectDeletions(database, drop, clock)
    objects, public_url = _objects(settings, deletions, SignedFileUrl(file_links.mint), client, guard, clock)
    intake = Intake(objects, deletions, settings.max_bytes)
    shelf = Shelf(records, index, objects, intake, deletions, settings.record_days, clock)
    holdings = Holdings(shelf)
    callbacks = Callbacks(
        records,
        guard.admit,
        KeyRing.derive(settings.secret_keys, completion_callback.SALT),
        provider_key=settings.callback_key,
        base_url=settings.public_url,
        clock=clock,
    )
    return OwnStore(
        records=records,
        index=index,
        objects=objects,
        public_url=public_url,
        holdings=holdings,
        callbacks=callbacks,
        files=file_links,
        published=PublishedUrls(index, file_links, settings.public_url, settings.record_days, clock),
        sweep=Sweep(shelf),
        resolver=StoreResolver(shelf, public_url, client, guard, holdings.let_go_if_gone),
    )


def _objects(
    settings: Settings,
    deletions: ObjectDeletions,
    own_door: SignedFileUrl,
    client: Client,
    guard: Guard,
    clock: Callable[[], float],
) -> tuple[Objects, PublicUrl]:
    """Where the objects are, and how others get at them."""
    if not isinstance(settings.store, Bucket):
        evict = partial(deletions.delete, evict=True)
        folder = FolderObjects(settings.store, settings.store_max_bytes or None, clock, evict)
        return folder, own_door
    from gateway.storage.s3 import S3Objects  # noqa: PLC0415 (boto3 takes a moment, and few need it)

    bucket = S3Objects(settings.store, settings.s3_endpoint_url)
    return bucket, PresignedUrl(bucket.presign, own_door, client, guard)
