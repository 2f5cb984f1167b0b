"""Build all services of a worker from the settings."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from gateway.cache import drop_expired
from gateway.delivery import etag
from gateway.delivery.deliver import Deliverer
from gateway.delivery.etag import EntityTags
from gateway.delivery.plan import Planner
from gateway.egress.client import Client
from gateway.egress.dns_lookup import DnsLookup
from gateway.egress.guard import Guard
from gateway.errors import GatewayError
from gateway.keys.authentication import ConfiguredKeys, KeyAuthenticator
from gateway.keys.key_store import KeyStore
from gateway.keys.quotas import Quotas
from gateway.limits.api_rate import ApiRateLimiter
from gateway.limits.download_rate import DownloadRateLimiter
from gateway.limits.stream_slots import SlotLimiter
from gateway.links import short_codes
from gateway.links.ledger import Ledger
from gateway.links.short_codes import ShortCodes
from gateway.links.signer import KeyRing, LinkSigner
from gateway.links.sql_ledger import SqlLedger
from gateway.links.sql_links import SqlLinks
from gateway.links.verification import LinkVerifier
from gateway.observability.metrics import Metrics
from gateway.provider.circuit_breaker import CircuitBreaker
from gateway.provider.client import ProviderClient
from gateway.provider.record_info import RecordInfoClient
from gateway.provider.transport import ProviderSession
from gateway.records.sweep import Sweep
from gateway.resolving.caching_resolver import CachingResolver, Resolver
from gateway.resolving.origin_resolver import OriginResolver
from gateway.resolving.store_resolver import MAX_AGE_S
from gateway.resolving.upstream_resolver import UpstreamResolver
from gateway.server.capacity import stream_slots
from gateway.server.scheduler import Job, Scheduler
from gateway.services.store_services import StoreServices, build_store_services
from gateway.settings import Settings
from gateway.storage.database import Database
from gateway.storage.job_lease import JobLease

_VIA_SALT = b"gateway.via.v1"
SWEEP_EVERY_S = 3600
RECONCILE_EVERY_S = 24 * 3600
SWEEP_PAUSE_S = 0.1


@dataclass(frozen=True, slots=True)
class Services:
    """Everything that requests use; built once per worker, after the fork."""

    signer: LinkSigner
    links: LinkVerifier
    short_codes: ShortCodes
    stored_links: SqlLinks
    database: Database
    ledger: Ledger
    guard: Guard
    limit: DownloadRateLimiter
    resolver: CachingResolver
    deliverer: Deliverer
    key_store: KeyStore
    key_authenticator: KeyAuthenticator
    quotas: Quotas
    api_rate: ApiRateLimiter
    breaker: CircuitBreaker
    provider: ProviderClient | None
    record_info: RecordInfoClient | None
    store: StoreServices | None
    background: Scheduler
    metrics: Metrics
    via: str


def build_services(
    settings: Settings, *, clock: Callable[[], float] = time.time, lookup: DnsLookup | None = None
) -> Services:
    """Build the services.

    Args:
        settings: validated settings.
        clock: Unix seconds; tests pass their own.
        lookup: DNS lookup; tests pass their own.
    """
    lookup = lookup or DnsLookup()
    via = "gateway-" + KeyRing.derive(settings.secret_keys, _VIA_SALT).sign(b"")[:16]
    guard = Guard(
        settings.origin_hosts,
        settings.private_networks,
        allow_http=settings.allow_http,
        own_url=settings.public_url,
        uploads=settings.resolver != "origin",
    )
    client = Client(guard, lookup, via=via)
    metrics = _metrics(settings)
    breaker = CircuitBreaker(metrics=metrics)
    provider = _provider(settings, breaker, lookup, clock, metrics)
    signer = LinkSigner(
        settings.secret_keys, settings.public_url, lifetime_s=settings.page_link_lifetime_s, clock=clock
    )
    database = Database(settings.database_url)
    key_store = KeyStore(database, clock)
    quotas = Quotas(database, clock)
    stored_links = SqlLinks(database, clock)
    ledger = SqlLedger(stored_links)
    tags = EntityTags(KeyRing.derive(settings.secret_keys, etag.SALT))
    store = build_store_services(settings, database, client, guard, clock) if settings.resolver == "store" else None
    resolver = CachingResolver(
        _resolver(settings, client, guard, provider, store, clock),
        settings.min_life_s,
        clock,
        max_age_s=MAX_AGE_S if store else math.inf,
        metrics=metrics,
    )
    key_authenticator = KeyAuthenticator(ConfiguredKeys(settings.named_api_keys), key_store, clock)
    slots = SlotLimiter(stream_slots(), settings.streams_per_visitor)
    planner = Planner(tags, settings.default_mode, settings.max_bytes, settings.allow_markup_as_image)
    return Services(
        signer=signer,
        short_codes=ShortCodes(KeyRing.derive(settings.secret_keys, short_codes.SALT), settings.public_url),
        stored_links=stored_links,
        links=LinkVerifier(
            signer,
            ledger,
            guard.check_link_url,
            clock,
            is_our_tag=tags.is_ours,
            require_signature=settings.require_signature,
        ),
        database=database,
        ledger=ledger,
        guard=guard,
        limit=DownloadRateLimiter(settings.downloads_per_minute, settings.web_concurrency),
        resolver=resolver,
        deliverer=Deliverer(
            planner, slots, ledger, resolver.renew, resource_policy=settings.cross_origin_resource_policy
        ),
        key_store=key_store,
        key_authenticator=key_authenticator,
        quotas=quotas,
        api_rate=ApiRateLimiter(quotas, settings.web_concurrency, clock),
        breaker=breaker,
        provider=provider,
        record_info=RecordInfoClient(provider, clock) if provider else None,
        store=store,
        metrics=metrics,
        background=_background(
            key_authenticator, quotas, stored_links, ledger, store.sweep if store else None, JobLease(database, clock)
        ),
        via=via,
    )


def _metrics(settings: Settings) -> Metrics:
    if not settings.metrics_token:
        return Metrics()
    from gateway.observability.prometheus import PrometheusMetrics  # noqa: PLC0415 (imports prometheus_client)

    return PrometheusMetrics()


def _provider(
    settings: Settings, breaker: CircuitBreaker, lookup: DnsLookup, clock: Callable[[], float], metrics: Metrics
) -> ProviderClient | None:
    if settings.resolver != "upstream":
        return None
    session = ProviderSession(settings.upstream_url, settings.upstream_api_key, lookup, settings.private_networks)
    return ProviderClient(session, breaker, clock, metrics=metrics)


def _resolver(
    settings: Settings,
    client: Client,
    guard: Guard,
    provider: ProviderClient | None,
    store: StoreServices | None,
    clock: Callable[[], float],
) -> Resolver:
    if provider is not None:
        return UpstreamResolver(provider, client, guard, clock)
    if store is not None:
        return store.resolver
    return OriginResolver(client, guard, settings.min_life_s, clock)


def _background(
    key_authenticator: KeyAuthenticator,
    quotas: Quotas,
    stored_links: SqlLinks,
    ledger: SqlLedger,
    sweep: Sweep | None,
    lease: JobLease,
) -> Scheduler:
    def run_sweep() -> None:
        quotas.delete_before(quotas.today)
        stored_links.delete_expired()
        if sweep is None:
            return
        try:
            sweep.run(pause_s=SWEEP_PAUSE_S)
        except GatewayError:  # objects may be left behind: reconcile at the next tick
            lease.release("reconcile")
            raise

    def reconcile() -> None:
        if sweep is not None:
            sweep.reconcile(pause_s=SWEEP_PAUSE_S)

    return Scheduler(
        [
            Job("save when keys were last used", key_authenticator.flush),
            Job("renew the reservations of running downloads", ledger.renew_running),
            Job("delete expired cache entries", drop_expired),
            Job("reconcile", partial(_run_leased, lease, "reconcile", RECONCILE_EVERY_S, reconcile)),
            Job("sweep", partial(_run_leased, lease, "sweep", SWEEP_EVERY_S, run_sweep)),
        ]
    )


def _run_leased(lease: JobLease, name: str, every_s: int, run: Callable[[], None]) -> None:
    """Run a job if it is due and no other worker runs it."""
    if not lease.acquire(name, every_s):
        return
    try:
        run()
    except GatewayError:
        lease.release(name)
        raise
