"""A gateway whose images lie in a bucket, under gunicorn: in a crowd, through an outage, and through a crash."""

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path

import pytest

from gateway.settings import Bucket
from tests.support.buckets import CREDENTIALS, Cable, S3Server
from tests.support.factories import PNG
from tests.support.live_gateway import (
    LiveGateway,
    download,
    environment_for,
    kill_all,
    put_record,
    started_gateway,
    wait_until_healthy,
)
from tests.support.servers import ScriptedServer

pytestmark = pytest.mark.slow

IMAGE = PNG[:8] + random.Random(12).randbytes(300_000)
LARGE = PNG[:8] + random.Random(13).randbytes(24 * 2**20)


@contextmanager
def gateway_with(folder: Path, origin: ScriptedServer, bucket: Bucket, port: int) -> Iterator[LiveGateway]:
    """A gateway that reaches the bucket's server at a port."""
    settings = {
        "resolver": "store",
        "upstream_api_key": "",
        "store": str(bucket),
        "s3_endpoint_url": f"http://127.0.0.1:{port}",
    }
    environment = environment_for(origin.address, **settings) | CREDENTIALS
    with started_gateway(folder, environment) as gateway:
        wait_until_healthy(gateway.port, gateway.process, gateway.log)
        yield gateway


def test_many_at_once_get_their_images_out_of_a_bucket(
    tmp_path: Path, origin: ScriptedServer, s3: S3Server, bucket: Bucket
) -> None:
    images = {f"task{n}": IMAGE + bytes([n]) for n in range(6)}
    urls = {task_id: origin.serve(f"/v/{task_id}.png", image) for task_id, image in images.items()}

    with gateway_with(tmp_path, origin, bucket, s3.port) as gateway, ThreadPoolExecutor(24) as crowd:
        assert all(put_record(gateway, task_id, url) for task_id, url in urls.items())
        asked = [*images] * 8
        got = list(crowd.map(lambda task_id: download(gateway, task_id, urls[task_id]), asked))

    assert got == [(200, images[task_id]) for task_id in asked]
    assert sorted(origin.paths()) == [f"/v/task{n}.png" for n in range(6)]


def test_an_outage_in_mid_stream_cuts_the_connection(
    tmp_path: Path, origin: ScriptedServer, s3: S3Server, bucket: Bucket
) -> None:
    url = origin.serve("/v/large.png", LARGE)

    with Cable(s3.port) as cable, gateway_with(tmp_path, origin, bucket, cable.port) as gateway:
        assert put_record(gateway, "task1", url)
        with gateway.visit() as visitor:
            visitor.request("GET", gateway.path(url, "task1"))
            response = visitor.getresponse()
            assert (response.status, response.read(1000)) == (200, LARGE[:1000])
            cable.cut()

            with pytest.raises((HTTPException, ConnectionError)):
                response.read()
        after, _ = download(gateway, "task1", url)

    assert after == 503
    assert '"outcome": "storage_down"' in gateway.log_text()
    assert "Traceback" not in gateway.log_text()


def test_a_crash_in_the_middle_of_an_upload_leaves_nothing_and_the_image_is_kept_the_next_time(
    tmp_path: Path, origin: ScriptedServer, s3: S3Server, bucket: Bucket
) -> None:
    url = origin.serve("/v/large.png", LARGE)

    with (
        Cable(s3.port, most_up=2**20) as cable,
        gateway_with(tmp_path, origin, bucket, cable.port) as gateway,
        ThreadPoolExecutor(1) as visitor,
    ):
        assert put_record(gateway, "task1", url)
        click = visitor.submit(download, gateway, "task1", url)
        assert cable.stopped_up.wait(30)
        kill_all(gateway)
        assert isinstance(click.exception(10), HTTPException | OSError)
    assert s3.keys(bucket) == []
    assert "Uploads" not in s3.client.list_multipart_uploads(Bucket=bucket.name)

    with gateway_with(tmp_path, origin, bucket, s3.port) as gateway:
        assert download(gateway, "task1", url) == (200, LARGE)
    assert len(s3.keys(bucket)) == 1
