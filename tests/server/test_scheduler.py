"""What a worker does on the side."""

import io
import threading
from pathlib import Path

from gateway.errors import DatabaseDown
from gateway.keys.key import Key
from gateway.records.record import Record
from gateway.server.scheduler import Job, Scheduler
from tests.support.factories import PNG, store_gateway
from tests.support.live_gateway import happens
from tests.support.real_logs import lines, real_logs


def test_what_fails_is_told_and_hinders_nobody() -> None:
    done: list[str] = []

    def down() -> None:
        raise DatabaseDown("OperationalError")

    def broken() -> None:
        raise ValueError("https://bucket.example/x?X-Amz-Signature=secret")

    background = Scheduler([Job("a", down), Job("b", broken), Job("c", lambda: done.append("c"))])
    with real_logs() as written:
        background.tick()
        background.tick()

    assert done == ["c", "c"]
    told = lines(written)
    assert [(line["event"], line["task"]) for line in told[:2]] == [("task_failed", "a"), ("task_broke", "b")]
    assert "test_scheduler" in told[1]["where"]
    assert "secret" not in written.getvalue()


def test_it_goes_on_and_on() -> None:
    ticks: list[int] = []
    turn = threading.Semaphore(0)

    def until_my_turn(_seconds: float) -> None:
        turn.acquire()

    background = Scheduler([Job("count", lambda: ticks.append(1))], sleep=until_my_turn)

    background.start()
    for _ in range(3):
        turn.release()

    assert happens(lambda: len(ticks) == 3)


def test_a_worker_sweeps_when_it_is_its_turn_and_writes_down_when_keys_were_used(tmp_path: Path) -> None:
    gateway = store_gateway(tmp_path)
    own = gateway.services.store
    assert own is not None
    token = gateway.services.key_store.create(Key("shop"))
    gateway.client.get("/api/v1/records/old", headers={"Authorization": f"Bearer {token}"})

    for task_id in ("old", "older"):  # the second comes after this hour's sweep
        own.records.put(Record(task_id, "SUCCESS", ("https://origin.example/a.png",), 1))
        gateway.services.background.tick()

    swept = [found.swept for task_id in ("old", "older") if (found := own.records.find(task_id))]
    assert swept == [True, False]
    gateway.clock.now += 3601
    gateway.services.background.tick()
    assert (record := own.records.find("older")) is not None
    assert record.swept
    used = gateway.services.key_store.find_by_name("shop")
    assert used is not None
    assert used.last_used_at is not None


def test_a_sweep_that_failed_is_tried_again_at_the_next_tick(tmp_path: Path) -> None:
    gateway = store_gateway(tmp_path)
    own = gateway.services.store
    assert own is not None
    own.record_files.put_file("old", "cat.png", io.BytesIO(PNG).read, None)
    gateway.clock.now += 15 * 86_400
    (folder,) = (tmp_path / "store").glob("??")
    folder.rename(tmp_path / "aside")
    folder.write_text("in the way")

    gateway.services.background.tick()
    folder.unlink()
    (tmp_path / "aside").rename(folder)
    gateway.services.background.tick()

    assert (record := own.records.find("old")) is not None
    assert record.swept
    assert list(folder.iterdir()) == []
