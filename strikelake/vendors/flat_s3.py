"""The vendor's flat files on S3."""

from __future__ import annotations

import io
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from strikelake.calendar import from_datetime
from strikelake.errors import (
    ConfigError,
    MissingCredentialsError,
    NotEntitledError,
    NotPublishedError,
    VendorError,
    VendorUnavailableError,
)
from strikelake.vendors.flat_files import SourceFile, date_of, prefixes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date, datetime

    from strikelake.vendors.flat_files import Dataset

_REFUSED, _ABSENT, _REPLACED, _THROTTLED, _SERVER_FAULT = 403, 404, 412, 429, 500
_BUFFER = 1 << 20


class S3FlatFiles:
    """Flat files on the vendor's S3 server.

    Parameters
    ----------
    endpoint
        For example https://files.massive.com.
    bucket
        For example flatfiles.
    access_key, secret_key
        The S3 pair, which is not the REST key.
    timeout_s
        Seconds to wait for a connection, and for each answer.
    attempts
        How often a request is tried before it counts as failed.

    Raises
    ------
    MissingCredentialsError
        When a half of the pair is empty.
    ConfigError
        When the endpoint is no URL.
    """

    def __init__(
        self,
        endpoint: str,
        bucket: str,
        access_key: str,
        secret_key: str,
        *,
        timeout_s: float = 30.0,
        attempts: int = 3,
    ) -> None:
        _require_pair(access_key, secret_key)
        self.endpoint, self.bucket = endpoint, bucket
        self._client = _client(endpoint, access_key, secret_key, timeout_s, attempts)
        self._attempts = attempts

    def __str__(self) -> str:
        return f"s3://{self.bucket} at {self.endpoint}"

    def list(self, dataset: Dataset, start: date, end: date) -> list[SourceFile]:
        """Return the files there are from `start` to `end`, both included, by date.

        Raises
        ------
        NotEntitledError, NotPublishedError, VendorUnavailableError
            When the server refuses the key, has no such bucket, or does not answer.
        """
        found = []
        pages = self._client.get_paginator("list_objects_v2")
        for prefix in prefixes(dataset, start, end):
            with self.named_errors(prefix):
                for page in pages.paginate(Bucket=self.bucket, Prefix=prefix):
                    found += [_listed(dataset, entry) for entry in page.get("Contents", [])]
        chosen = [file for file in found if file and start <= file.date <= end]
        return sorted(chosen, key=lambda file: file.date)

    @contextmanager
    def open(self, file: SourceFile) -> Iterator[BinaryIO]:
        """Open the gzipped bytes of the file as it was listed.

        What breaks off on the way is asked for again, from where it broke off and only if the file is still
        the same.

        Raises
        ------
        NotEntitledError
            When the plan does not include the file.
        NotPublishedError
            When the file is gone.
        VendorUnavailableError
            When the server does not answer, breaks off again and again, or replaced the file since it was
            listed. Reading the stream raises these too.
        """
        with closing(_Body(self, file, self._attempts)) as body:
            yield cast("BinaryIO", io.BufferedReader(body, _BUFFER))

    def rest(self, file: SourceFile, position: int) -> Any:
        """Return the bytes of the file from a position on, as boto3 streams them."""
        span = {"Range": f"bytes={position}-"} if position else {}
        with self.named_errors(file.key):
            answer = self._client.get_object(
                Bucket=self.bucket, Key=file.key, IfMatch=f'"{file.etag}"', **span
            )
        if answer["ETag"].strip('"') != file.etag or position + answer["ContentLength"] != file.size:
            answer["Body"].close()
            raise VendorUnavailableError(_replaced(f"{file.key} in {self}"))
        return answer["Body"]

    @contextmanager
    def named_errors(self, what: str) -> Iterator[None]:
        """Turn what boto3 raises into our tree."""
        from botocore.exceptions import BotoCoreError, ClientError
        from urllib3.exceptions import HTTPError

        try:
            yield
        except ClientError as error:
            raise _vendor_error(error.response, f"{what} in {self}") from error
        except (BotoCoreError, HTTPError, OSError) as error:
            raise VendorUnavailableError(f"{what} in {self} did not arrive: {error}; try again") from error


class _Body(io.RawIOBase):
    """The bytes of a file; what breaks off is asked for again from there.

    Attempts are counted since the last byte that arrived.
    """

    def __init__(self, source: S3FlatFiles, file: SourceFile, attempts: int) -> None:
        self._source, self._file, self._attempts = source, file, attempts
        self._position, self._failures = 0, 0
        self._rest = source.rest(file, 0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while self._position < self._file.size:
            try:
                with self._source.named_errors(self._file.key):
                    self._rest = self._rest or self._source.rest(self._file, self._position)
                    content = self._rest.read(len(buffer))
            except VendorUnavailableError as error:
                self._give_up_or_go_on(error)
                continue
            if not content:
                self._give_up_or_go_on(None)
                continue
            self._position, self._failures = self._position + len(content), 0
            buffer[: len(content)] = content
            return len(content)
        return 0

    def close(self) -> None:
        if not self.closed and self._rest is not None:
            self._rest.close()
        super().close()

    def _give_up_or_go_on(self, error: VendorUnavailableError | None) -> None:
        self._failures += 1
        if self._rest is not None:
            self._rest.close()
            self._rest = None
        if self._failures < self._attempts:
            return
        if error is not None:
            raise error
        what = f"{self._file.key} in {self._source} breaks off after {self._position} bytes"
        raise VendorUnavailableError(f"{what} of {self._file.size}: it did not arrive; try again")


def _replaced(what: str) -> str:
    return f"{what} is not the file that was listed: it was replaced; run again"


def _vendor_error(response: dict[str, Any], where: str) -> VendorError:
    status = int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    code = response.get("Error", {}).get("Code", "")
    said = f"{where} answers {status} {code}"
    if status == _REFUSED:
        return NotEntitledError(f"{said}: the plan does not include it, or the key is wrong: check both")
    if status == _ABSENT:
        return NotPublishedError(
            f"{said}: not there, or not yet: files come at about 11:00 ET of the next day"
        )
    if status == _REPLACED:
        return VendorUnavailableError(_replaced(where))
    if status == _THROTTLED or status >= _SERVER_FAULT:
        return VendorUnavailableError(f"{said}: try again later, with fewer requests at once")
    return VendorError(f"{said}: check the endpoint, the bucket and the keys")


def _require_pair(access_key: str, secret_key: str) -> None:
    values = {"S3_ACCESS_KEY": access_key, "S3_SECRET_KEY": secret_key}
    missing = [f"POLYGON_{name} (or MASSIVE_{name})" for name, value in values.items() if not value.strip()]
    if missing:
        raise MissingCredentialsError(f"flat files need an S3 key pair: set {' and '.join(missing)}")


def _client(endpoint: str, access_key: str, secret_key: str, timeout_s: float, attempts: int) -> Any:
    import boto3
    from botocore.config import Config

    settings = Config(
        connect_timeout=timeout_s,
        read_timeout=timeout_s,
        retries={"total_max_attempts": attempts, "mode": "standard"},
        s3={"addressing_style": "path"},
        # Servers other than Amazon's do not know the newer checksums.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    keys = {"aws_access_key_id": access_key, "aws_secret_access_key": secret_key}
    try:
        return boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1", config=settings, **keys)
    except ValueError as error:
        raise ConfigError(f"the S3 endpoint {endpoint!r} is no URL: give one like https://host") from error


def _listed(dataset: Dataset, entry: dict[str, Any]) -> SourceFile | None:
    day = date_of(entry["Key"])
    if day is None:
        return None
    modified: datetime = entry["LastModified"]
    return SourceFile(
        dataset, day, entry["Key"], entry["ETag"].strip('"'), entry["Size"], from_datetime(modified)
    )
