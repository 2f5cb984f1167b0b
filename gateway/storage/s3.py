"""Object store in an S3 bucket: AWS, R2, MinIO, Swift."""

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
_HEALTH_CACHE_S = 5.0
_ACCESS_DENIED = "the key must be allowed to get, put and delete objects, and to list the bucket"
_WRONG_KEY = "AWS_ACCESS_KEY_ID or AWS_SECRET_ACCESS_KEY is wrong"
_NO_KEY = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
_UNREACHABLE = "no response from GATEWAY_S3_ENDPOINT_URL, or from AWS in AWS_DEFAULT_REGION"
_WRONG_REGION = "AWS_DEFAULT_REGION is not the bucket's region"
_REMEDIES = {
    "NoSuchBucket": "create the bucket, or correct GATEWAY_STORE",
    "AccessDenied": _ACCESS_DENIED,
    "403": _ACCESS_DENIED,
    "InvalidAccessKeyId": _WRONG_KEY,
    "SignatureDoesNotMatch": _WRONG_KEY,
    "NoCredentialsError": _NO_KEY,
    "PartialCredentialsError": _NO_KEY,
    "SSLError": "TLS failed; set AWS_CA_BUNDLE if the server uses a private certificate authority",
    "RequestTimeTooSkewed": "the clock of this machine is wrong",
    "PermanentRedirect": _WRONG_REGION,
    "AuthorizationHeaderMalformed": _WRONG_REGION,
    "EndpointConnectionError": _UNREACHABLE,
    "ConnectTimeoutError": _UNREACHABLE,
}


class S3ObjectStore:
    """Stores each object in a bucket, under its digest, with one PUT request.

    boto3 finds the credentials and the region: in ``AWS_ACCESS_KEY_ID``, ``AWS_SECRET_ACCESS_KEY`` and
    ``AWS_DEFAULT_REGION``, in its files, or in the machine's role. All greenlets of a worker share one client.

    Args:
        endpoint_url: the server; empty for AWS.
        url_life_s: validity of a presigned URL in seconds.
    """

    def __init__(self, bucket: Bucket, endpoint_url: str = "", *, url_life_s: int = URL_LIFE_S) -> None:
        self._bucket = bucket
        self._endpoint_url = endpoint_url
        self._url_life_s = url_life_s
        self._is_available, self._checked_at = False, float("-inf")

    @contextmanager
    def new_upload(self) -> Iterator[Upload]:
        """An unnamed temporary file."""
        with disk_errors():
            file = tempfile.TemporaryFile()  # noqa: SIM115 (closed by the block below)
        with file:
            yield Upload(cast("BinaryIO", file))

    def put(self, upload: Upload) -> StoredObject:
        """Upload the bytes to the bucket."""
        stored = upload.stored
        body = cast("BinaryIO", _UploadBody(upload.file))
        with disk_errors():
            body.seek(0)  # also flushes the buffer
        with _store_errors():
            self._client.put_object(
                Bucket=self._bucket.name,
                Key=self._key(stored.digest),
                Body=body,
                ContentType=detect_media_type(stored.head).content_type,
            )
        return stored

    def exists(self, stored: StoredObject) -> bool:
        """Whether the object is in the bucket."""
        with _store_errors():
            try:
                self._client.head_object(Bucket=self._bucket.name, Key=self._key(stored.digest))
            except ClientError as error:
                if error.response["ResponseMetadata"]["HTTPStatusCode"] != HTTPStatus.NOT_FOUND:
                    raise
                return False
        return True

    def open(self, stored: StoredObject, first: int, last: int) -> ObjectReader:
        """Request a range of the object."""
        with _store_errors():
            try:
                response = self._client.get_object(
                    Bucket=self._bucket.name, Key=self._key(stored.digest), Range=f"bytes={first}-{last}"
                )
            except self._client.exceptions.NoSuchKey:
                raise FileNotFoundError(stored.digest) from None
        body = _DownloadBody(cast("ObjectReader", response["Body"]))
        if response.get("ContentRange") != f"bytes {first}-{last}/{stored.length}":
            body.close()
            raise StorageDown("the response has another range than the requested one")
        return body

    def delete(self, digest: str) -> None:
        """Delete the object from the bucket."""
        with _store_errors():
            self._client.delete_object(Bucket=self._bucket.name, Key=self._key(digest))

    def list_unused_since(self, time_s: float) -> Iterator[Sequence[str]]:
        """List the keys under the prefix, a thousand at a time, without those that are not objects."""
        prefix_length = len(self._key(""))
        with _store_errors():
            for page in self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket.name, Prefix=self._key("")
            ):
                named = [(each["Key"][prefix_length:], each["LastModified"]) for each in page.get("Contents", ())]
                yield [name for name, at in named if DIGEST.fullmatch(name) and at.timestamp() < time_s]

    def warm_up(self) -> None:
        """Create the clients: boto3 parses its service description for a third of a second."""
        with suppress(StorageDown), _store_errors():
            self._client, self._health_client  # noqa: B018 (created at first access)

    def is_available(self) -> bool:
        """Whether the bucket exists and grants access; cached for five seconds."""
        if time.monotonic() - self._checked_at > _HEALTH_CACHE_S:
            self._is_available = self._head_bucket()
            self._checked_at = time.monotonic()
        return self._is_available

    def presign(self, stored: StoredObject, disposition: str, content_type: str) -> str:
        """Create a presigned URL whose response has these Content-Disposition and Content-Type headers, offline.

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
    def _health_client(self) -> "S3Client":
        return _client(self._endpoint_url, read_timeout_s=2, attempts=1)

    def _key(self, digest: str) -> str:
        return f"{self._bucket.prefix}/{digest}".lstrip("/")

    def _head_bucket(self) -> bool:
        try:
            with _store_errors():
                self._health_client.head_bucket(Bucket=self._bucket.name)
        except StorageDown:
            return False
        return True


def _client(endpoint_url: str, *, read_timeout_s: int, attempts: int) -> "S3Client":
    """Create a client. Incomplete credentials, or a malformed configuration file of boto3, raise here."""
    return boto3.session.Session().client(
        "s3",
        endpoint_url=endpoint_url or None,
        config=Config(
            signature_version="s3v4",
            s3={"addressing_style": "path" if endpoint_url else "auto"},  # few other servers have bucket hosts
            connect_timeout=2,
            read_timeout=read_timeout_s,
            retries={"mode": "standard", "total_max_attempts": attempts},
            max_pool_connections=_POOL_SIZE,
            proxies={},  # ignore proxies and endpoints of the environment
            ignore_configured_endpoint_urls=True,  # type: ignore[call-arg]  # missing from the stubs
            request_checksum_calculation="when_required",  # other servers do not support trailing checksums
            response_checksum_validation="when_required",
        ),
    )


@contextmanager
def _store_errors() -> Iterator[None]:
    """Convert exceptions of boto3 to StorageDown."""
    try:
        yield
    except ClientError as error:
        raise _down(error.response["Error"].get("Code", "")) from error
    except (BotoCoreError, HTTPError) as error:
        raise _down(type(error).__name__) from error


def _down(name: str) -> StorageDown:
    """The error with its remedy, without boto3's message, which may contain a URL."""
    return StorageDown(f"{name}: {_REMEDIES[name]}" if name in _REMEDIES else name)


class _UploadBody:
    """A temporary file that yields to other greenlets at each read: boto3 reads it to hash it, and to send it."""

    def __init__(self, file: BinaryIO) -> None:
        self.seek, self.tell = file.seek, file.tell
        self._file = file

    def read(self, amount: int = -1) -> bytes:
        time.sleep(0)  # yield to other greenlets
        return self._file.read(amount)


class _DownloadBody:
    """A response body that yields to other greenlets at each read."""

    def __init__(self, body: ObjectReader) -> None:
        self._body = body

    def read(self, amount: int, /) -> bytes:
        """Read at most ``amount`` bytes; empty at the end."""
        time.sleep(0)  # yield to other greenlets
        with _store_errors():
            return self._body.read(amount)

    def close(self) -> None:
        """Release the connection."""
        self._body.close()
