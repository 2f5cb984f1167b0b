"""ObjectStore in a bucket of a server that speaks S3: AWS, R2, MinIO, Swift."""

import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property
from http import HTTPStatus
from typing import TYPE_CHECKING, BinaryIO, cast

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from urllib3.exceptions import HTTPError

from gateway.errors import StorageDown
from gateway.files.media_types import detect_media_type
from gateway.settings import Bucket
from gateway.storage.object_store import DIGEST, ObjectReader, StoredObject, Upload, disk_errors

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

URL_LIFE_S = 1200
_POOL_SIZE = 64
_ANSWER_LIFE_S = 5.0
_NOT_LET_IN = "the key must be allowed to get, put and delete objects, and to list the bucket"
_WRONG_KEY = "AWS_ACCESS_KEY_ID or AWS_SECRET_ACCESS_KEY is wrong"
_NO_KEY = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
_NOT_REACHED = "nobody answers at GATEWAY_S3_ENDPOINT_URL, or at AWS in AWS_DEFAULT_REGION"
_OTHER_REGION = "AWS_DEFAULT_REGION is not the bucket's region"
_REMEDIES = {
    "NoSuchBucket": "make the bucket, or correct GATEWAY_STORE",
    "AccessDenied": _NOT_LET_IN,
    "403": _NOT_LET_IN,
    "InvalidAccessKeyId": _WRONG_KEY,
    "SignatureDoesNotMatch": _WRONG_KEY,
    "NoCredentialsError": _NO_KEY,
    "PartialCredentialsError": _NO_KEY,
    "SSLError": "TLS failed; AWS_CA_BUNDLE names a certificate authority of your own",
    "RequestTimeTooSkewed": "the clock of this machine is wrong",
    "PermanentRedirect": _OTHER_REGION,
    "AuthorizationHeaderMalformed": _OTHER_REGION,
    "EndpointConnectionError": _NOT_REACHED,
    "ConnectTimeoutError": _NOT_REACHED,
}


class S3ObjectStore:
    """Keeps each object in a bucket, under its digest.

    An object is put in one request, and so is there whole or not at all; what breaks off leaves not even a part.
    Credentials and region are found as boto3 finds them: in ``AWS_ACCESS_KEY_ID``, ``AWS_SECRET_ACCESS_KEY`` and
    ``AWS_DEFAULT_REGION``, in its files, or from the machine's role. One client serves all greenlets of a worker.

    Args:
        bucket: where the objects are.
        endpoint_url: the server; empty for AWS.
        url_life_s: how long a presigned URL is good.
    """

    def __init__(self, bucket: Bucket, endpoint_url: str = "", *, url_life_s: int = URL_LIFE_S) -> None:
        self._bucket = bucket
        self._endpoint_url = endpoint_url
        self._url_life_s = url_life_s
        self._answered, self._asked_at = False, float("-inf")

    @contextmanager
    def new_upload(self) -> Iterator[Upload]:
        """A temporary file on this machine, without a name: gone when the block ends, or the process."""
        with disk_errors():
            file = tempfile.TemporaryFile()  # noqa: SIM115 (closed by the block below)
        with file:
            yield Upload(cast("BinaryIO", file))

    def put(self, incoming: Upload) -> StoredObject:
        """Put the bytes into the bucket."""
        stored = incoming.stored
        upload = cast("BinaryIO", _Upload(incoming.file))
        with disk_errors():
            upload.seek(0)  # which also writes what is buffered yet
        with _store_errors():
            self._client.put_object(
                Bucket=self._bucket.name,
                Key=self._key(stored.digest),
                Body=upload,
                ContentType=detect_media_type(stored.head).content_type,
            )
        return stored

    def exists(self, stored: StoredObject) -> bool:
        """Tell whether the object is in the bucket."""
        with _store_errors():
            try:
                self._client.head_object(Bucket=self._bucket.name, Key=self._key(stored.digest))
            except ClientError as error:
                if error.response["ResponseMetadata"]["HTTPStatusCode"] != HTTPStatus.NOT_FOUND:
                    raise
                return False
        return True

    def open(self, stored: StoredObject, first: int, last: int) -> ObjectReader:
        """Ask for a span of the object."""
        with _store_errors():
            try:
                answer = self._client.get_object(
                    Bucket=self._bucket.name, Key=self._key(stored.digest), Range=f"bytes={first}-{last}"
                )
            except self._client.exceptions.NoSuchKey:
                raise FileNotFoundError(stored.digest) from None
        body = _Download(cast("ObjectReader", answer["Body"]))
        if answer.get("ContentRange") != f"bytes {first}-{last}/{stored.length}":
            body.close()
            raise StorageDown("another range than the one asked for")
        return body

    def delete(self, digest: str) -> None:
        """Drop the object from the bucket."""
        with _store_errors():
            self._client.delete_object(Bucket=self._bucket.name, Key=self._key(digest))

    def list_unused_since(self, time_s: float) -> Iterator[Sequence[str]]:
        """List the bucket under our prefix, a thousand keys at a time; keys of others are left out."""
        begins = len(self._key(""))
        with _store_errors():
            for page in self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket.name, Prefix=self._key("")
            ):
                named = [(each["Key"][begins:], each["LastModified"]) for each in page.get("Contents", ())]
                yield [name for name, at in named if DIGEST.fullmatch(name) and at.timestamp() < time_s]

    def warm_up(self) -> None:
        """Make the clients, which parses the library's description of S3 for a third of a second."""
        with suppress(StorageDown), _store_errors():
            self._client, self._hasty_client  # noqa: B018 (made when they are first read)

    def is_available(self) -> bool:
        """Tell whether the bucket is there and lets us in; an answer is good for five seconds."""
        if time.monotonic() - self._asked_at > _ANSWER_LIFE_S:
            self._answered = self._ask()
            self._asked_at = time.monotonic()
        return self._answered

    def presign(self, stored: StoredObject, disposition: str, content_type: str) -> str:
        """Make a URL of an object, under which its server says these two headers. Asks nobody.

        Raises:
            StorageDown: there are no credentials.
        """
        with _store_errors():
            return self._client.generate_presigned_url(
                "get_object",
                Params={
                    "Bucket": self._bucket.name,
                    "Key": self._key(stored.digest),
                    "ResponseContentDisposition": disposition,
                    "ResponseContentType": content_type,
                },
                ExpiresIn=self._url_life_s,
            )

    @cached_property
    def _client(self) -> "S3Client":
        return _client(self._endpoint_url, read_timeout_s=15, attempts=2)

    @cached_property
    def _hasty_client(self) -> "S3Client":
        return _client(self._endpoint_url, read_timeout_s=2, attempts=1)

    def _key(self, digest: str) -> str:
        return f"{self._bucket.prefix}/{digest}".lstrip("/")

    def _ask(self) -> bool:
        try:
            with _store_errors():
                self._hasty_client.head_bucket(Bucket=self._bucket.name)
        except StorageDown:
            return False
        return True


def _client(endpoint_url: str, *, read_timeout_s: int, attempts: int) -> "S3Client":
    """Make a client; not before it is used, as half a key or a faulty file of boto3's is told here already."""
    return boto3.session.Session().client(
        "s3",
        endpoint_url=endpoint_url or None,
        config=Config(
            signature_version="s3v4",
            s3={"addressing_style": "path" if endpoint_url else "auto"},  # a bucket's name is no host there
            connect_timeout=2,
            read_timeout=read_timeout_s,
            retries={"mode": "standard", "total_max_attempts": attempts},
            max_pool_connections=_POOL_SIZE,
            proxies={},  # the environment's are not read here, nor its endpoints
            ignore_configured_endpoint_urls=True,  # type: ignore[call-arg]  # the stubs do not have it
            request_checksum_calculation="when_required",  # others know no trailing checksums
            response_checksum_validation="when_required",
        ),
    )


@contextmanager
def _store_errors() -> Iterator[None]:
    """Turn what the library raises into our error; the one place that knows its exceptions."""
    try:
        yield
    except ClientError as error:
        raise _down(error.response["Error"].get("Code", "")) from error
    except (BotoCoreError, HTTPError) as error:
        raise _down(type(error).__name__) from error


def _down(name: str) -> StorageDown:
    """The error with its remedy; what the library says itself may hold a URL."""
    return StorageDown(f"{name}: {_REMEDIES[name]}" if name in _REMEDIES else name)


class _Upload:
    """A temporary file as the library reads it, once for its signature and once to send; gives way at each read."""

    def __init__(self, file: BinaryIO) -> None:
        self.seek, self.tell = file.seek, file.tell
        self._file = file

    def read(self, amount: int = -1) -> bytes:
        time.sleep(0)  # a large file would keep everybody else waiting
        return self._file.read(amount)


class _Download:
    """What comes from the bucket."""

    def __init__(self, body: ObjectReader) -> None:
        self._body = body

    def read(self, amount: int, /) -> bytes:
        """Read at most ``amount`` bytes; empty at the end."""
        time.sleep(0)  # a large file would keep everybody else waiting
        with _store_errors():
            return self._body.read(amount)

    def close(self) -> None:
        """Let go of the connection."""
        self._body.close()
