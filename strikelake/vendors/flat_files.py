"""The vendor's flat files: a gzipped CSV per dataset and session, on S3 or in a folder of the same layout.

Keys are `{prefix}/{kind}/YYYY/MM/YYYY-MM-DD.csv.gz`. A published file can be replaced later: its ETag tells.
What a plan does not include can be listed, but answers 403 when read.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from strikelake.calendar import from_datetime
from strikelake.errors import (
    ConfigError,
    MissingCredentialsError,
    NotEntitledError,
    NotPublishedError,
    VendorError,
    VendorUnavailableError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

_NAME = re.compile(r"(?:^|/)(\d{4}-\d{2}-\d{2})\.csv\.gz$")
_REFUSED, _ABSENT, _THROTTLED, _SERVER_FAULT = 403, 404, 429, 500


class Dataset(StrEnum):
    """A kind of flat file, named as the table of the lake it fills."""

    STOCK_DAY_BARS = "stock_day_bars"
    STOCK_MINUTE_BARS = "stock_minute_bars"
    OPTION_DAY_BARS = "option_day_bars"
    OPTION_MINUTE_BARS = "option_minute_bars"
    OPTION_QUOTES = "option_quotes"

    @property
    def prefix(self) -> str:
        """Where the vendor keeps its files.

        Examples
        --------
        >>> Dataset.OPTION_QUOTES.prefix
        'us_options_opra/quotes_v1'
        """
        return {
            Dataset.STOCK_DAY_BARS: "us_stocks_sip/day_aggs_v1",
            Dataset.STOCK_MINUTE_BARS: "us_stocks_sip/minute_aggs_v1",
            Dataset.OPTION_DAY_BARS: "us_options_opra/day_aggs_v1",
            Dataset.OPTION_MINUTE_BARS: "us_options_opra/minute_aggs_v1",
            Dataset.OPTION_QUOTES: "us_options_opra/quotes_v1",
        }[self]


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file as listed.

    `date` is the session in its name, `key` its name at the source, `size` in compressed bytes,
    `last_modified` in ns UTC. The `etag` changes when the file is replaced; it is no checksum of the content.
    """

    dataset: Dataset
    date: date
    key: str
    etag: str
    size: int
    last_modified: int


class FlatFiles(Protocol):
    """Where flat files come from. `str()` of a source says where it looks."""

    def list(self, dataset: Dataset, start: date, end: date) -> list[SourceFile]:
        """Return the files there are from `start` to `end`, both included, by date."""
        ...

    def read(self, file: SourceFile) -> bytes:
        """Return the gzipped bytes of the file as it was listed."""
        ...


class DirectoryFlatFiles:
    """Flat files in a local folder.

    Parameters
    ----------
    root
        The folder that holds `us_stocks_sip` and `us_options_opra`.
    """

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root)

    def __str__(self) -> str:
        return str(self.root)

    def list(self, dataset: Dataset, start: date, end: date) -> list[SourceFile]:
        """Return the files there are from `start` to `end`, both included, by date."""
        found = []
        for prefix in _prefixes(dataset, start, end):
            for path in (self.root / prefix).rglob("*.csv.gz"):
                day = _date_of(path.name)
                if day and start <= day <= end:
                    key, stat = path.relative_to(self.root).as_posix(), path.stat()
                    etag = f"{stat.st_mtime_ns:x}-{stat.st_size:x}"
                    found.append(SourceFile(dataset, day, key, etag, stat.st_size, stat.st_mtime_ns))
        return sorted(found, key=lambda file: file.date)

    def read(self, file: SourceFile) -> bytes:
        """Return the gzipped bytes of the file.

        Raises
        ------
        NotPublishedError
            When the file is not there any more.
        VendorUnavailableError
            When it cannot be read.
        """
        try:
            return (self.root / file.key).read_bytes()
        except FileNotFoundError as error:
            raise NotPublishedError(f"{file.key} is not in {self.root} any more: list again") from error
        except OSError as error:
            raise VendorUnavailableError(
                f"{file.key} in {self.root} does not read: {error.strerror}"
            ) from error


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
        for prefix in _prefixes(dataset, start, end):
            with self._named_errors(prefix):
                for page in pages.paginate(Bucket=self.bucket, Prefix=prefix):
                    found += [_listed(dataset, entry) for entry in page.get("Contents", [])]
        chosen = [file for file in found if file and start <= file.date <= end]
        return sorted(chosen, key=lambda file: file.date)

    def read(self, file: SourceFile) -> bytes:
        """Return the gzipped bytes of the file as it was listed.

        Raises
        ------
        NotEntitledError
            When the plan does not include the file.
        NotPublishedError
            When the file is gone.
        VendorUnavailableError
            When the server does not answer, breaks off, or replaced the file since it was listed.
        """
        with self._named_errors(file.key):
            answer = self._client.get_object(Bucket=self.bucket, Key=file.key)
            content: bytes = answer["Body"].read()
        if answer["ETag"].strip('"') != file.etag or len(content) != file.size:
            raise VendorUnavailableError(
                f"{file.key} in {self} has {len(content)} bytes and is not the file that was listed with "
                f"{file.size}: it was replaced or cut off; run again"
            )
        return content

    @contextmanager
    def _named_errors(self, what: str) -> Iterator[None]:
        """Turn what boto3 raises into our tree."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            yield
        except ClientError as error:
            raise _vendor_error(error.response, f"{what} in {self}") from error
        except BotoCoreError as error:
            raise VendorUnavailableError(f"{what} in {self} did not arrive: {error}; try again") from error


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
    day = _date_of(entry["Key"])
    if day is None:
        return None
    modified: datetime = entry["LastModified"]
    return SourceFile(
        dataset, day, entry["Key"], entry["ETag"].strip('"'), entry["Size"], from_datetime(modified)
    )


def _date_of(name: str) -> date | None:
    match = _NAME.search(name)
    try:
        return date.fromisoformat(match.group(1)) if match else None
    except ValueError:
        return None


def _prefixes(dataset: Dataset, start: date, end: date) -> list[str]:
    """Return what to list: the month where the range is within one, else whole years."""
    if (start.year, start.month) == (end.year, end.month):
        return [f"{dataset.prefix}/{start:%Y/%m}/"]
    return [f"{dataset.prefix}/{year}/" for year in range(start.year, end.year + 1)]
