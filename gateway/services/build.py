"""The composition: settings in, working objects out. The only place that builds them."""

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
from gateway.egress.dns_lookup import Lookup
from gateway.egress.guard import Guard
from gateway.errors import GatewayError
from gateway.keys.authentication import Keys
from gateway.keys.configured import ConfiguredKeys
from gateway.keys.key_store import SqlKeys
from gateway.keys.quotas import Quotas
from gateway.limits.api_rate import ApiRateLimiter
from gateway.limits.download_rate import DownloadRateLimiter
from gateway.limits.stream_slots import SlotLimiter
from gateway.links.ledger import Ledger, MemoryLedger
from gateway.links.signer import KeyRing, LinkSigner
from gateway.links.verification import LinkVerifier
from gateway.observability.metrics import Metrics
from gateway.provider.circuit_breaker import CircuitBreaker
from gateway.provider.client import Provider
from gateway.provider.record_info import RecordInfos
from gateway.provider.transport import ProviderSession
from gateway.records.sweep import Sweep
from gateway.resolving.origin import OriginResolver
from gateway.resolving.resolver import Converter, Resolver
from gateway.resolving.store import KNOWN_FOR_S
from gateway.resolving.upstream import UpstreamResolver
from gateway.server.capacity import stream_slots
from gateway.server.scheduler import Scheduler, Task
from gateway.services.store import OwnStore, build_own_store
from gateway.settings import Settings
from gateway.storage.database import Database
from gateway.storage.job_lease import JobLease

_VIA_SALT = b"gateway.via.v1"
SWEEP_EVERY_S = 3600
RECONCILE_EVERY_S = 24 * 3600
SWEEP_PAUSE_S = 0.1


@dataclass(frozen=True, slots=True)
class Services:
    """Everything a request needs, built once for each worker, after it was forked."""

    signer: LinkSigner
    links: LinkVerifier
    database: Database
    ledger: Ledger
    guard: Guard
    limit: DownloadRateLimiter
    resolver: Resolver
    deliverer: Deliverer
    stored_keys: SqlKeys
    keys: Keys
    quotas: Quotas
    api_rate: ApiRateLimiter
    breaker: CircuitBreaker
    provider: Provider | None
    infos: RecordInfos | None
    own: OwnStore | None
    background: Scheduler
    metrics: Metrics
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
        own_images=settings.resolver != "origin",
    )
    client = Client(guard, lookup, via=via)
    metrics = _metrics(settings)
    breaker = CircuitBreaker(metrics=metrics)
    provider = _provider(settings, breaker, lookup, clock, metrics) if settings.resolver == "upstream" else None
    signer = LinkSigner(
        settings.secret_keys, settings.public_url, lifetime_s=settings.page_link_lifetime_s, clock=clock
    )
    database = Database(settings.database_url)
    stored_keys = SqlKeys(database, clock)
    quotas = Quotas(database, clock)
    ledger = MemoryLedger()
    tags = EntityTags(KeyRing.derive(settings.secret_keys, etag.SALT))
    own = build_own_store(settings, database, client, guard, clock) if settings.resolver == "store" else None
    converter = _converter(settings, client, guard, provider, own, clock)
    known_for_s = KNOWN_FOR_S if own else math.inf
    resolver = Resolver(converter, settings.min_life_s, clock, known_for_s=known_for_s, metrics=metrics)
    keys = Keys(ConfiguredKeys(settings.named_api_keys), stored_keys, clock)
    slots = SlotLimiter(stream_slots(), settings.streams_per_visitor)
    planner = Planner(tags, settings.default_mode, settings.max_bytes, settings.allow_markup_as_image)
    return Services(
        signer=signer,
        links=LinkVerifier(
            signer,
            ledger,
            guard.admit,
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
        stored_keys=stored_keys,
        keys=keys,
        quotas=quotas,
        api_rate=ApiRateLimiter(quotas, settings.web_concurrency, clock),
        breaker=breaker,
        provider=provider,
        infos=RecordInfos(provider, clock) if provider else None,
        own=own,
        metrics=metrics,
        background=_background(keys, quotas, own.sweep if own else None, JobLease(database, clock)),
        via=via,
    )


def _metrics(settings: Settings) -> Metrics:
    if not settings.metrics_token:
        return Metrics()
    from gateway.observability.prometheus import PrometheusMetrics  # noqa: PLC0415 (its library is for those who read it)

    return PrometheusMetrics()


def _provider(
    settings: Settings, breaker: CircuitBreaker, lookup: Lookup, clock: Callable[[], float], metrics: Metrics
) -> Provider:
    session = ProviderSession(settings.upstream_url, settings.upstream_api_key, lookup, settings.private_networks)
    return Provider(session, breaker, clock, metrics=metrics)


def _converter(
    settings: Settings,
    client: Client,
    guard: Guard,
    provider: Provider | None,
    own: OwnStore | None,
    clock: Callable[[], float],
) -> Converter:
    if provider is not None:
        return UpstreamResolver(provider, client, guard, clock)
    if own is not None:
        return own.resolver
    return OriginResolver(client, guard, settings.min_life_s, clock)


def _background(keys: Keys, quotas: Quotas, sweep: Sweep | None, chores: JobLease) -> Scheduler:
    def sweep_old() -> None:
        quotas.forget_before(quotas.today)
        if sweep is None:
            return
        try:
            sweep.run(pause_s=SWEEP_PAUSE_S)
        except GatewayError:  # the records are swept, and perhaps not their objects: reconcile at the next tick
            chores.release("reconcile")
            raise

    def reconcile() -> None:
        if sweep is not None:
            sweep.reconcile(pause_s=SWEEP_PAUSE_S)

    return Scheduler(
        [
            Task("note the last use of keys", keys.flush),
            Task("drop what has expired", drop_expired),
            Task("reconcile", partial(_in_turn, chores, "reconcile", RECONCILE_EVERY_S, reconcile)),
            Task("sweep", partial(_in_turn, chores, "sweep", SWEEP_EVERY_S, sweep_old)),
        ]
    )


def _in_turn(chores: JobLease, name: str, every_s: int, run: Callable[[], None]) -> None:
    """Run a chore that is due, unless another worker does."""
    if not chores.acquire(name, every_s):
        return
    try:
        run()
    except GatewayError:
        chores.release(name)
        raise
