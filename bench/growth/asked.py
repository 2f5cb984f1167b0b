"""``python -m bench.growth.asked <count> <folder>``: resolve as a worker does, with so many URLs in its store.

It prints, as JSON, the seconds that each URL took when it was asked for first, and when it was asked for again.
"""

from gevent import monkey

monkey.patch_all()  # as in a worker, where a call that others may wait for is a greenlet

import json  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
from pathlib import Path  # noqa: E402
from random import Random  # noqa: E402

from bench.filling import created_at, fill, stored, task_id, url  # noqa: E402
from gateway.resolving.caching_resolver import MAX_SOURCES, CachingResolver  # noqa: E402
from gateway.services import build_services  # noqa: E402
from gateway.settings import Settings  # noqa: E402
from tests.support.procfile_gateway import SECRET  # noqa: E402


def main(count: int, folder: Path) -> None:
    """Fill the store, and ask for as many URLs as a worker remembers."""
    settings = Settings(
        _env_file=None,
        secret_keys=SECRET,
        resolver="store",
        database_url=f"sqlite:///{folder}/gateway.db",
        store=folder / "store",
    )
    services = build_services(settings, clock=lambda: created_at(count) / 1000)
    fill(services.database, count)
    numbers = Random(count).sample(range(count), min(count, MAX_SOURCES))
    _make_objects(folder / "store", numbers)
    wanted = [(task_id(number), url(number)) for number in numbers]
    json.dump([_ask(services.resolver, wanted) for _ in ("first", "again")], sys.stdout)


def _make_objects(store: Path, numbers: list[int]) -> None:
    """Make the files of these objects: resolving looks whether one is there, and not what is in it."""
    for number in numbers:
        digest = stored(number).digest
        (store / digest[:2]).mkdir(exist_ok=True)
        (store / digest[:2] / digest[2:]).touch()


def _ask(resolver: CachingResolver, wanted: list[tuple[str, str]]) -> list[float]:
    seconds = []
    for task, image in wanted:
        begun_at = time.perf_counter()
        resolver.resolve(task, image)
        seconds.append(time.perf_counter() - begun_at)
    return seconds


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
