"""gunicorn's configuration for the gateway. gunicorn binds ``$PORT`` by default."""

from gevent import monkey

monkey.patch_all()  # first: modules imported before it would block the whole worker

import os  # noqa: E402
import shutil  # noqa: E402
import sys  # noqa: E402
import tempfile  # noqa: E402
from collections.abc import Callable  # noqa: E402
from contextlib import suppress  # noqa: E402
from functools import partial  # noqa: E402
from typing import TYPE_CHECKING, Any  # noqa: E402

import structlog  # noqa: E402

from gateway.errors import ConfigError, DatabaseDown  # noqa: E402
from gateway.observability.logging_setup import LOGGING, configure_logging  # noqa: E402
from gateway.server.capacity import raise_file_limit, worker_connections as connections  # noqa: E402
from gateway.server.worker import GatewayWorker, NoAccessLog  # noqa: E402
from gateway.settings import Settings  # noqa: E402
from gateway.settings.loader import load_settings, settings_on_ephemeral_disk  # noqa: E402
from gateway.web.client_address import normalize_address  # noqa: E402

if TYPE_CHECKING:
    from gateway.services import Services

_DATABASE_BEHIND = 3  # exit status of the child process
_DATABASE_BEHIND_ERROR = (
    "DATABASE_URL: the database is behind; run: flask --app wsgi db upgrade, or set GATEWAY_MIGRATE=auto"
)
METRICS_FOLDER = "PROMETHEUS_MULTIPROC_DIR"

raise_file_limit()
_settings: Settings | None = None
_config_error: ConfigError | None = None
try:
    _settings = load_settings()
except ConfigError as error:
    _config_error = error

workers = _settings.web_concurrency if _settings else 1
worker_class = GatewayWorker
if _settings:
    GatewayWorker.configure(
        client_timeout_s=_settings.visitor_timeout_s,
        trusted_proxies=_settings.trusted_proxies,
        normalize_address=normalize_address,
    )
worker_connections = connections()
backlog = 4096  # clients repeat a SYN that finds it full after a second
keepalive = 5  # above 0: it is also the deadline for a request's head
graceful_timeout = 27  # downloads are aborted 2 s before; platforms kill 30 s after SIGTERM
timeout = 60
limit_request_line = 8190  # gunicorn's maximum; a mail tracker may encode the URL twice
limit_request_field_size = 8190
limit_request_fields = 100  # the worker bounds the size of the head
logger_class = NoAccessLog
logconfig_dict = LOGGING
# GATEWAY_TRUSTED_PROXIES decides about forwarded headers: gunicorn sets neither SCRIPT_NAME nor the scheme from them.
forwarder_headers = ""
secure_scheme_headers: dict[str, str] = {}
forwarded_allow_ips = "*"  # saves a lookup per request
control_socket_disable = True
worker_tmp_dir = "/dev/shm" if os.path.isdir("/dev/shm") else None  # noqa: S108, PTH112 (in memory, so that a heartbeat does not wait for a disk)


def on_starting(server: Any) -> None:  # noqa: ANN401 (gunicorn's arbiter)
    """Exit for faulty settings in the master, which would restart an exiting worker forever."""
    if _settings is None:
        sys.exit(str(_config_error))
    _warn(_settings)
    status = _run_in_child_process(partial(_prepare_database, _settings, server.log))
    if status == _DATABASE_BEHIND:
        sys.exit(_DATABASE_BEHIND_ERROR)
    if status:
        sys.exit("DATABASE_URL: the database could not be prepared; see the lines above")
    _create_metrics_folder()


def on_reload(_server: Any) -> None:  # noqa: ANN401 (gunicorn's arbiter)
    """Create the metrics folder when METRICS_TOKEN was set since the start."""
    _create_metrics_folder()


def post_worker_init(worker: Any) -> None:  # noqa: ANN401 (gunicorn's worker)
    """Start background jobs after the fork, which threads do not survive."""
    if services := _services(worker):
        if services.store is not None:
            services.store.objects.warm_up()
        services.background.start()


def worker_exit(_server: Any, worker: Any) -> None:  # noqa: ANN401 (gunicorn's arbiter and worker)
    """Store what the worker has only in memory."""
    if services := _services(worker):
        with suppress(DatabaseDown):
            services.key_authenticator.flush()


def child_exit(_server: Any, worker: Any) -> None:  # noqa: ANN401 (gunicorn's arbiter and worker)
    """Remove the gauges of a worker that exited."""
    if os.environ.get(METRICS_FOLDER):
        from prometheus_client.multiprocess import mark_process_dead  # noqa: PLC0415 (only with metrics)

        mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]


def on_exit(_server: Any) -> None:  # noqa: ANN401 (gunicorn's arbiter)
    """Delete the metrics folder; counters start at 0 at the next start."""
    if folder := os.environ.get(METRICS_FOLDER):
        shutil.rmtree(folder, ignore_errors=True)


def _create_metrics_folder() -> None:
    """Create the folder of this start's metrics, before a worker imports prometheus_client."""
    prefix = f"gateway-metrics-{os.getpid()}-"
    if _settings is None or not _settings.metrics_token or prefix in os.environ.get(METRICS_FOLDER, ""):
        return
    os.environ[METRICS_FOLDER] = tempfile.mkdtemp(prefix=prefix, dir=worker_tmp_dir)


def _services(worker: Any) -> "Services | None":  # noqa: ANN401 (gunicorn's worker)
    """The services of a worker's application; None for the demo's sample origin and before loading."""
    services: Services | None = getattr(getattr(worker, "wsgi", None), "extensions", {}).get("gateway")
    return services


def _warn(settings: Settings) -> None:
    """Log settings that are allowed but probably unintended."""
    configure_logging()
    log = structlog.get_logger("gateway.boot")
    for warning in settings.warnings:
        log.warning("settings_warning", remedy=warning)
    if lost := settings_on_ephemeral_disk(settings):
        remedy = "use PostgreSQL and an s3:// store, or a volume that outlives a deploy"
        log.warning("ephemeral_disk", settings=lost, remedy=remedy)


def _prepare_database(settings: Settings, log: Any) -> int:  # noqa: ANN401 (gunicorn's logger)
    """Migrate the database as GATEWAY_MIGRATE says. An unreachable database is no error: page links need none.

    Returns:
        The exit status.
    """
    from gateway.storage.database import Database  # noqa: PLC0415 (slow imports, not needed to report faulty settings)

    try:
        state = Database(settings.database_url).migrate_by_policy(settings.migrate)
    except DatabaseDown as down:
        log.warning("DATABASE_URL: the database does not answer (%s); until it does, only page links work", down)
        return 0
    if state == "ahead":
        log.warning("DATABASE_URL: a newer version of the gateway has migrated the database; starting anyway")
    return _DATABASE_BEHIND if state in {"empty", "behind"} else 0


def _run_in_child_process(function: Callable[[], int]) -> int:
    """Run a function in a forked process and return its exit status. Workers would inherit Alembic's 12 MB else."""
    fork, wait = monkey.get_original("os", "fork"), monkey.get_original("os", "waitpid")
    child = fork()
    if child == 0:
        status = 1
        try:
            status = function()
        finally:
            sys.stderr.flush()
            os._exit(status)
    return os.waitstatus_to_exitcode(wait(child, 0)[1])
