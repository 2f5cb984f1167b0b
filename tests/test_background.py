"""What a worker does on the side."""

import threading

from gateway.background import Background, Task
from gateway.errors import DatabaseDown
from live import happens
from real_logs import lines, real_logs


def test_what_fails_is_told_and_hinders_nobody() -> None:
    done: list[str] = []

    def down() -> None:
        raise DatabaseDown("OperationalError")

    def broken() -> None:
        raise ValueError("https://bucket.example/x?X-Amz-Signature=secret")

    background = Background([Task("a", down), Task("b", broken), Task("c", lambda: done.append("c"))])
    with real_logs() as written:
        background.tick()
        background.tick()

    assert done == ["c", "c"]
    told = lines(written)
    assert [(line["event"], line["task"]) for line in told[:2]] == [("task_failed", "a"), ("task_broke", "b")]
    assert "test_background" in told[1]["where"]
    assert "secret" not in written.getvalue()


def test_it_goes_on_and_on() -> None:
    ticks: list[int] = []
    turn = threading.Semaphore(0)

    def until_my_turn(_seconds: float) -> None:
        turn.acquire()

    background = Background([Task("count", lambda: ticks.append(1))], sleep=until_my_turn)

    background.start()
    for _ in range(3):
        turn.release()

    assert happens(lambda: len(ticks) == 3)
