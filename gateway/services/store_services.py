"""Build the services of the ``store`` resolver: records, objects, and access to both."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from gateway.egress.client import Client
from gateway.egress.guard import Guard
from gateway.links.file_links import SALT as FILES_SALT, FileLinks
from gateway.links.signer import KeyRing
from gateway.records.completion_callback import SALT as CALLBACKS_SALT, CallbackReceiver
from gateway.records.published_urls import PublishedUrls
from gateway.records.record_files import RecordFiles
from gateway.records.record_store import RecordStore
from gateway.records.sql_records import SqlRecords
from gateway.records.sweep import Sweep
from gateway.resolving.store_resolver import StoreResolver
from gateway.settings import Bucket, Settings
from gateway.sources.public_urls import PresignedUrl, PublicUrl, SignedFileUrl
from gateway.storage.database import Database
from gateway.storage.folder import FolderObjectStore
from gateway.storage.ingest import Ingest
from gateway.storage.object_deleter import ObjectDeleter
from gateway.storage.object_index import ObjectIndex
from gateway.storage.object_store import ObjectStore


@dataclass(frozen=True, slots=True)
class StoreServices:
    """The services that routes and commands use; only with the ``store`` resolver."""

    records: SqlRecords
    index: ObjectIndex
    objects: ObjectStore
    public_url: PublicUrl
    record_files: RecordFiles
    callbacks: CallbackReceiver
    files: FileLinks
    published: PublishedUrls
    sweep: Sweep
    resolver: StoreResolver


def build_store_services(
    settings: Settings, database: Database, client: Client, guard: Guard, clock: Callable[[], float]
) -> StoreServices:
    """Build the services from the settings."""
    records = SqlRecords(database)
    index = ObjectIndex(database, clock)
    file_links = FileLinks(KeyRing.derive(settings.secret_keys, FILES_SALT), settings.public_url, clock)

    def delete_bytes(digest: str) -> None:
        objects.delete(digest)

    deleter = ObjectDeleter(database, delete_bytes, clock)
    objects, public_url = _objects(settings, deleter, SignedFileUrl(file_links.mint), client, guard, clock)
    ingest = Ingest(objects, deleter, settings.max_bytes)
    store = RecordStore(records, index, objects, ingest, deleter, settings.record_days, clock)
    record_files = RecordFiles(store)
    callbacks = CallbackReceiver(
        records,
        guard.check_link_url,
        KeyRing.derive(settings.secret_keys, CALLBACKS_SALT),
        provider_key=settings.callback_key,
        base_url=settings.public_url,
        clock=clock,
    )
    return StoreServices(
        records=records,
        index=index,
        objects=objects,
        public_url=public_url,
        record_files=record_files,
        callbacks=callbacks,
        files=file_links,
        published=PublishedUrls(index, file_links, settings.public_url, settings.record_days, clock),
        sweep=Sweep(store),
        resolver=StoreResolver(store, public_url, client, guard, record_files.delete_if_orphaned),
    )


def _objects(
    settings: Settings,
    deleter: ObjectDeleter,
    signed_url: SignedFileUrl,
    client: Client,
    guard: Guard,
    clock: Callable[[], float],
) -> tuple[ObjectStore, PublicUrl]:
    """The object store, and the public URLs of its objects."""
    if not isinstance(settings.store, Bucket):
        evict = partial(deleter.delete, evict=True)
        folder = FolderObjectStore(settings.store, settings.store_max_bytes or None, clock, evict)
        return folder, signed_url
    from gateway.storage.s3 import S3ObjectStore  # noqa: PLC0415 (boto3 is slow to import)

    bucket = S3ObjectStore(settings.store, settings.s3_endpoint_url)
    return bucket, PresignedUrl(bucket.presign, signed_url, client, guard)
