"""How gunicorn runs the gateway. It binds ``$PORT`` by itself."""

from gevent import monkey

monkey.patch_all()  # before anything else: what is imported unpatched blocks the whole worker

import os  # noqa: E402
import shutil  # noqa: E402
import sys  # noqa: E402
import tempfile  # noqa: E402
from collections.abc import Callable  # noqa: E402
from contextlib import suppress  # noqa: E402
from functools import partial  # noqa: E402
from typing import Any  # noqa: E402

import structlog  # noqa: E402

from gateway.errors import ConfigError, DatabaseDown  # noqa: E402
from gateway.observability.logging_setup import LOGGING, set_up_logs  # noqa: E402
from gateway.server.capacity import raise_file_limit, worker_connections as connections  # noqa: E402
from gateway.server.gunicorn_logger import QuietLogger  # noqa: E402
from gateway.server.worker import DrainingWorker  # noqa: E402
from gateway.settings import Settings  # noqa: E402
from gateway.settings.loader import load_settings, settings_on_ephemeral_disk  # noqa: E402
from gateway.web.client_address import normalize_address  # noqa: E402

_BEHIND = 3
_FAULTS = {
    _BEHIND: "DATABASE_URL: the database is behind; run: flask --app wsgi db upgrade, or set GATEWAY_MIGRATE=auto"
}
METRICS_FOLDER = "PROMETHEUS_MULTIPROC_DIR"

raise_file_limit()
try:
    _settings, _faults = load_settings(), None
except ConfigError as faults:
    _settings, _faults = None, faults

workers = _settings.web_concurrency if _settings else 1
worker_class = DrainingWorker
DrainingWorker.patience_s = _settings.visitor_timeout_s if _settings else DrainingWorker.patience_s
DrainingWorker.trusted_proxies = _settings.trusted_proxies if _settings else 0
DrainingWorker.client_of = staticmethod(normalize_address)  # as the limits count
worker_connections = connections()
backlog = 4096  # a connection that finds it full tries again a second later
keepalive = 5  # above 0, as it is also the deadline for a request's headers
graceful_timeout = 27  # running downloads have 2 s less; platforms kill 30 s after SIGTERM
timeout = 60
limit_request_line = 8190  # the most gunicorn takes; a mail tracker may have encoded the url twice
limit_request_field_size = 8190
limit_request_fields = 100  # the worker bounds the head as a whole
logger_class = QuietLogger  # gunicorn's own line for a request has its signature
logconfig_dict = LOGGING
forwarder_headers = ""  # nobody may set SCRIPT_NAME by a request header,
secure_scheme_headers = {}  # nor the scheme: GATEWAY_TRUSTED_PROXIES says whom to believe,
forwarded_allow_ips = "*"  # so nobody need be looked up here
control_socket_disable = True
worker_tmp_dir = "/dev/shm" if os.path.isdir("/dev/shm") else None  # noqa: S108, PTH112 (memory: a heartbeat never waits for a disk)


def on_starting(server: Any) -> None:  # noqa: ANN401 (gunicorn's arbiter)
    """Refuse faulty settings in the master: a worker that exits would be started again for ever."""
    if _settings is None:
        sys.exit(str(_faults))
    _warn(_settings)
    prepared = _apart(partial(_prepare_database, _settings, server.log))
    if prepared:
        sys.exit(_FAULTS.get(prepared, "DATABASE_URL: the database could not be prepared; see the lines above"))
    _make_room_for_metrics()


def on_reload(_server: Any) -> None:  # noqa: ANN401 (gunicorn's arbiter)
    """Count from now on where the token has been set since the start."""
    _make_room_for_metrics()


def post_worker_init(worker: Any) -> None:  # noqa: ANN401 (gunicorn's worker)
    """Begin what a worker does on the side; here, as threads started before the fork would be lost."""
    if services := _services(worker):
        if services.store is not None:
            services.store.objects.warm_up()
        services.background.start()


def worker_exit(_server: Any, worker: Any) -> None:  # noqa: ANN401 (gunicorn's arbiter and worker)
    """Write down what a worker has in memory alone."""
    if services := _services(worker):
        with suppress(DatabaseDown):
            services.key_authenticator.flush()


def child_exit(_server: Any, worker: Any) -> None:  # noqa: ANN401 (gunicorn's arbiter and worker)
    """Forget what a worker had open, however it ended."""
    if os.environ.get(METRICS_FOLDER):
        from prometheus_client.multiprocess import mark_process_dead  # noqa: PLC0415 (only where it counts)

        mark_process_dead(worker.pid)


def on_exit(_server: Any) -> None:  # noqa: ANN401 (gunicorn's arbiter)
    """Drop what was counted; the next start counts from nothing."""
    if folder := os.environ.get(METRICS_FOLDER):
        shutil.rmtree(folder, ignore_errors=True)


def _make_room_for_metrics() -> None:
    """Name a folder in which workers count, before any of them imports the library. No other start's is taken."""
    mark = f"gateway-metrics-{os.getpid()}-"
    if _settings is None or not _settings.metrics_token or mark in os.environ.get(METRICS_FOLDER, ""):
        return
    os.environ[METRICS_FOLDER] = tempfile.mkdtemp(prefix=mark, dir=worker_tmp_dir)


def _services(worker: Any) -> Any:  # noqa: ANN401 (gunicorn's worker)
    """The services of a worker's application; None for the demo's sample origin, and before it was loaded."""
    return getattr(getattr(worker, "wsgi", None), "extensions", {}).get("gateway")


def _warn(settings: Settings) -> None:
    """Log what the settings allow but rarely mean."""
    set_up_logs()
    log = structlog.get_logger("gateway.boot")
    for warning in settings.warnings:
        log.warning("settings_warning", remedy=warning)
    if lost := settings_on_ephemeral_disk(settings):
        remedy = "use PostgreSQL and an s3:// store, or a volume that outlives a deploy"
        log.warning("ephemeral_disk", settings=lost, remedy=remedy)


def _prepare_database(settings: Settings, log: Any) -> int:  # noqa: ANN401 (gunicorn's logger)
    """Migrate the database if it is to be, and start without one that does not answer, as page links need none."""
    from gateway.storage.database import Database  # noqa: PLC0415 (faulty settings are told without its libraries)

    try:
        state = Database(settings.database_url).migrate_by_policy(settings.migrate)
    except DatabaseDown as down:
        log.warning("DATABASE_URL: the database does not answer (%s); until it does, only page links work", down)
        return 0
    if state == "ahead":
        log.warning("DATABASE_URL: a newer version of the gateway has migrated the database; starting all the same")
    return _BEHIND if state in {"empty", "behind"} else 0


def _apart(work: Callable[[], int]) -> int:
    """Do something in a process of its own, as every worker would carry what it imports: Alembic is 12 MB."""
    fork, wait = monkey.get_original("os", "fork"), monkey.get_original("os", "waitpid")
    child = fork()
    if child == 0:
        status = 1
        try:
            status = work()
        finally:
            sys.stderr.flush()
            os._exit(status)
    return os.waitstatus_to_exitcode(wait(child, 0)[1])
