"""A lake in an S3 bucket."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from dataclasses import dataclass, field
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any

from strikelake.errors import LakeError
from strikelake.lake.storage import Folder, StoredFile, told, unwritable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import BinaryIO

_SCHEME = "s3://"
_CONNECT_SECONDS, _REQUEST_SECONDS, _ATTEMPTS = 5.0, 60.0, 3


@dataclass(frozen=True, slots=True)
class Bucket:
    """What lies below a prefix of a bucket.

    Attributes
    ----------
    uri
        Such as ``s3://bucket/lake``.
    options
        Credentials and endpoint by the names of the AWS variables: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY,
        AWS_SESSION_TOKEN, AWS_REGION, AWS_ENDPOINT_URL, and AWS_ALLOW_HTTP for an endpoint without TLS.
        Secrets are not printed.
    """

    uri: str
    options: dict[str, str] = field(repr=False)
    system: Any = field(repr=False, compare=False)

    def child(self, name: str) -> Bucket:
        """Return what lies below this name."""
        return Bucket(f"{self.uri}/{name}", self.options, self.system)

    def address(self, path: str) -> str:
        """Return what libraries open to read one file."""
        return f"{self.uri}/{path}"

    def holds(self, folder: str) -> bool:
        """Return whether there is a file below such a folder."""
        return bool(self.names(folder))

    def names(self, folder: str) -> set[str]:
        """Return the names of the files right inside a folder; none where it does not exist."""
        return {entry.base_name for entry in self._list(folder, recursive=False)}

    def stamp(self, path: str) -> object | None:
        """Return what tells a file from any other of its name, or None where there is no file."""
        with self._reaching():
            entry = self.system.get_file_info([self._key(path)])[0]
        return (entry.mtime_ns, entry.size) if entry.is_file else None

    def files(self, folder: str = "") -> list[StoredFile]:
        """Return every file below a folder; none where it does not exist."""
        start = len(self._key(""))
        return [
            StoredFile(entry.path[start:], entry.size, entry.mtime_ns)
            for entry in self._list(folder, recursive=True)
        ]

    def read(self, path: str) -> bytes | None:
        """Return the content of a file, or None where there is none."""
        if self.stamp(path) is None:
            return None
        with self._reaching(), self.system.open_input_stream(self._key(path)) as source:
            content: bytes = source.read()
        return content

    def open(self, path: str) -> BinaryIO:
        """Open a file for reading."""
        source: BinaryIO = self.system.open_input_file(self._key(path))
        return source

    def put(self, path: str, content: bytes) -> None:
        """Write a whole file or none."""
        with self.stream(path) as sink:
            sink.write(content)

    @contextmanager
    def stream(self, path: str) -> Iterator[BinaryIO]:
        """Give a file to write to; it is uploaded, whole, when the block ends without an error."""
        # Closing an upload completes it, even when what wrote to it has failed: write here first.
        with TemporaryFile() as sink:
            yield sink
            sink.seek(0)
            try:
                with self.system.open_output_stream(self._key(path)) as upload:
                    shutil.copyfileobj(sink, upload, 1 << 20)
            except OSError as error:
                raise unwritable(self.uri, error) from error

    def delete(self, paths: Iterable[str]) -> None:
        """Remove files; those that are gone already are gone."""
        for path in paths:
            with self._reaching():
                self.system.delete_file(self._key(path))

    def dataset(self, paths: list[str], partition: Any) -> Any:
        """Return files as a pyarrow dataset, which DuckDB reads without an extension of its own."""
        from pyarrow import dataset as ds

        keys = [self._key(path) for path in paths]
        layout = partition and ds.partitioning(partition, flavor="hive")
        return ds.dataset(
            keys,
            filesystem=self.system,
            format="parquet",
            partitioning=layout,
            partition_base_dir=self._key(""),
        )

    def _key(self, path: str) -> str:
        return f"{self.uri.removeprefix(_SCHEME)}/{path}"

    def _list(self, folder: str, *, recursive: bool) -> list[Any]:
        from pyarrow.fs import FileSelector

        selector = FileSelector(self._key(folder).rstrip("/"), allow_not_found=True, recursive=recursive)
        with self._reaching():
            return sorted(
                (entry for entry in self.system.get_file_info(selector) if entry.is_file),
                key=lambda e: e.path,
            )

    @contextmanager
    def _reaching(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise LakeError(
                f"cannot reach {self.uri}: {told(error)}; check AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID, "
                "AWS_SECRET_ACCESS_KEY and that the bucket exists"
            ) from error


Place = Folder | Bucket
"""Where tables lie. Paths in it are relative and use slashes; files appear whole and never change."""


def open_bucket(uri: str, options: Mapping[str, str] | None = None) -> Bucket:
    """Return a place in a bucket; nothing is asked of it yet.

    Raises
    ------
    LakeError
        When the address is not of S3 or names no bucket.
    """
    from pyarrow.fs import AwsStandardS3RetryStrategy, S3FileSystem

    address = uri.rstrip("/")
    if not address.startswith(_SCHEME) or not address.removeprefix(_SCHEME):
        raise LakeError(f"the lake's root {uri} is no folder and no s3://bucket/prefix: give one of these")
    given = dict(options or {})
    endpoint = given.get("AWS_ENDPOINT_URL", "")
    if endpoint.startswith("http://"):
        given["AWS_ALLOW_HTTP"] = "true"
    system = S3FileSystem(
        access_key=given.get("AWS_ACCESS_KEY_ID"),
        secret_key=given.get("AWS_SECRET_ACCESS_KEY"),
        session_token=given.get("AWS_SESSION_TOKEN"),
        region=given.get("AWS_REGION"),
        endpoint_override=endpoint or None,
        connect_timeout=_CONNECT_SECONDS,
        request_timeout=_REQUEST_SECONDS,
        retry_strategy=AwsStandardS3RetryStrategy(max_attempts=_ATTEMPTS),
    )
    return Bucket(address, given, system)
