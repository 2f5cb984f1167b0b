"""The ledger of links in the database: revocations within a second, and downloads of stored links."""

import re
import time
from collections.abc import Callable

import structlog

from gateway.errors import DatabaseDown
from gateway.links.short_codes import ALPHABET, ID_LENGTH
from gateway.links.sql_links import SqlLinks

REFRESH_S = 0.5
OVERLAP_MS = 5_000  # the clocks of two machines differ, and a transaction commits after its time was taken
_DOWNLOAD = re.compile(rf"([{ALPHABET}]{{{ID_LENGTH}}})-[0-9a-f]{{16}}")
_log = structlog.get_logger("gateway.links")


class SqlLedger:
    """The ledger (``gateway.links.ledger.Ledger``) of links in the database.

    Revoked ids are kept in memory and refreshed every half second, so that a request costs no query. While the database
    is down, the ids in memory stay revoked.

    A page link that was created by the button of a short link has the id of a download: ``<link>-<download>``.

    Args:
        links: the stored links.
        clock: monotonic seconds.
    """

    def __init__(self, links: SqlLinks, clock: Callable[[], float] = time.monotonic) -> None:
        self._links = links
        self._clock = clock
        self._revoked: set[str] = set()
        self._read_until_ms = 0
        self._refresh_at = 0.0
        self._running: dict[str, int] = {}

    def is_revoked(self, link_id: str) -> bool:
        """Whether the link, or the stored link that it was made for, is revoked."""
        if self._clock() >= self._refresh_at:
            self.refresh()
        revoked = self._revoked
        if not revoked:
            return False
        return link_id in revoked or ("-" in link_id and _stored_id(link_id) in revoked)

    def is_used_up(self, link_id: str, visitor: str) -> bool:  # noqa: ARG002 (the id names the download)
        """Whether the reservation of a download has lapsed, and another has taken its place.

        Raises:
            DatabaseDown: the reservation cannot be checked.
        """
        return _DOWNLOAD.fullmatch(link_id) is not None and not self._links.renew(link_id)

    def begin(self, link_id: str) -> None:
        """Keep a download reserved while it runs in this worker."""
        if _DOWNLOAD.fullmatch(link_id):
            self._running[link_id] = self._running.get(link_id, 0) + 1

    def count(self, link_id: str, visitor: str) -> None:  # noqa: ARG002 (the id names the download)
        """Count a completed download, once."""
        if _DOWNLOAD.fullmatch(link_id):
            self._write(self._links.complete, link_id)

    def end(self, link_id: str) -> None:
        """Stop a download in this worker; one that was not counted is released when none of its parts runs."""
        running = self._running.get(link_id, 0) - 1
        if running > 0:
            self._running[link_id] = running
        elif self._running.pop(link_id, None) is not None:
            self._write(self._links.release, link_id)

    def renew_running(self) -> None:
        """Renew the reservations of the downloads that run in this worker; to be called every minute."""
        for link_id in list(self._running):
            self._links.renew(link_id)

    def refresh(self) -> None:
        """Read revocations now; while the database is down, the known ones stay."""
        self._refresh_at = self._clock() + REFRESH_S  # first: concurrent requests do not wait for the query
        try:
            found = self._links.revoked_since(self._read_until_ms - OVERLAP_MS)
        except DatabaseDown:
            return  # /readyz reports it
        self._revoked.update(link_id for link_id, _ in found)
        self._read_until_ms = max([self._read_until_ms, *(revoked_at for _, revoked_at in found)])

    @staticmethod
    def _write(write: Callable[[str], None], link_id: str) -> None:
        try:
            write(link_id)
        except DatabaseDown as error:  # the file is delivered already
            _log.warning("download_not_counted", link=link_id, reason=str(error))


def _stored_id(link_id: str) -> str:
    match = _DOWNLOAD.fullmatch(link_id)
    return match[1] if match else ""
