"""Under gevent a write transaction of SQLite never gives way: who waits for its lock would stop the whole worker."""

import subprocess
import sys
from pathlib import Path

from tests.support.live_gateway import ROOT, bare_environment

SCRIPT = """
from gevent import monkey
monkey.patch_all()
import sys
import greenlet
from sqlalchemy import event
from gateway.records.record import Record
from gateway.records.sql_records import SqlRecords
from gateway.storage.job_lease import JobLease
from gateway.storage.database import Database
from gateway.storage.object_index import ObjectIndex
from gateway.storage.object_store import StoredObject

database = Database(f"sqlite:///{sys.argv[1]}/gateway.db")
database.migrate()
inside, transactions, switches = False, 0, []

def begun(connection):
    global inside, transactions
    inside = connection.get_execution_options().get("writes", True)
    transactions += inside

def over(connection):
    global inside
    inside = False

event.listen(database.engine, "begin", begun)
event.listen(database.engine, "commit", over)
event.listen(database.engine, "rollback", over)
greenlet.settrace(lambda what, who: switches.append(what) if inside else None)

records, index, lease = SqlRecords(database), ObjectIndex(database), JobLease(database)
record = Record("task1", "GENERATING", None, 1)
records.put(record)
records.put_unless_succeeded(record)
stored = StoredObject("a" * 64, 1, b"x")
register = lambda connection: index.put_in(connection, "task1", "gateway:a.png", stored)
records.add_result("task1", "gateway:a.png", register, now_ms=1, oldest_ms=0)
index.put("task1", "gateway:a.png", stored)
lease.acquire("sweep", 60)
records.tombstone(records.list_expired(5, 10), 5, 10)
records.purge(20, 10)
records.delete("task1")
print(transactions, len(switches))
"""


def test_no_write_transaction_yields(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path)],
        cwd=ROOT,
        env=bare_environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (done.stdout, done.stderr) == ("8 0\n", "")
