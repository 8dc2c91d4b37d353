"""Where the bytes of the lake are."""

from __future__ import annotations

import re
import uuid
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from strikelake.errors import LakeError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path
    from typing import BinaryIO

# deltalake paints its messages.
_COLOUR = re.compile("\x1b\\[[0-9;]*m")


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file that lies below a place: its path from there, its bytes, and when it was last written, in ns."""

    path: str
    size: int
    modified_ns: int


@dataclass(frozen=True, slots=True)
class Folder:
    """A local folder; need not exist before something is put into it."""

    path: Path

    @property
    def uri(self) -> str:
        """What libraries open."""
        return str(self.path)

    @property
    def options(self) -> dict[str, str] | None:
        """What libraries need to know besides: nothing."""
        return None

    def child(self, name: str) -> Folder:
        """Return the folder of this name inside."""
        return Folder(self.path / name)

    def address(self, path: str) -> str:
        """Return what libraries open to read one file."""
        return str(self.path / path)

    def holds(self, folder: str) -> bool:
        """Return whether there is such a folder."""
        return (self.path / folder).is_dir()

    def names(self, folder: str) -> set[str]:
        """Return the names of the files right inside a folder; none where it does not exist."""
        try:
            return {file.name for file in (self.path / folder).iterdir()}
        except FileNotFoundError:
            return set()

    def stamp(self, path: str) -> object | None:
        """Return what tells a file from any other of its name, or None where there is no file."""
        try:
            found = (self.path / path).stat()
        except FileNotFoundError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size

    def files(self, folder: str = "") -> list[StoredFile]:
        """Return every file below a folder; none where it does not exist."""
        found = []
        for path in sorted((self.path / folder).rglob("*")):
            if path.is_file():
                found_file = path.stat()
                name = path.relative_to(self.path).as_posix()
                found.append(StoredFile(name, found_file.st_size, found_file.st_mtime_ns))
        return found

    def read(self, path: str) -> bytes | None:
        """Return the content of a file, or None where there is none."""
        file = self.path / path
        return file.read_bytes() if file.is_file() else None

    def open(self, path: str) -> BinaryIO:
        """Open a file for reading."""
        return (self.path / path).open("rb")

    def put(self, path: str, content: bytes) -> None:
        """Write a whole file or none.

        Raises
        ------
        LakeError
            When the disk is full or may not be written.
        """
        with self.stream(path) as sink:
            sink.write(content)

    @contextmanager
    def stream(self, path: str) -> Iterator[BinaryIO]:
        """Give a file to write to; it appears, whole, when the block ends without an error."""
        target = self.path / path
        # The temporary name is its own, so that two writers never share one.
        temporary = target.with_name(f".{target.name}.{uuid.uuid4().hex}")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with temporary.open("wb") as sink:
                yield sink
            temporary.replace(target)
        except OSError as error:
            raise unwritable(target.parent, error) from error
        finally:
            _discard(temporary)

    def delete(self, paths: Iterable[str]) -> None:
        """Remove files; those that are gone already are gone."""
        for path in paths:
            (self.path / path).unlink(missing_ok=True)


def told(error: Exception) -> str:
    """Return what an error says, in one line."""
    return getattr(error, "strerror", None) or " ".join(_COLOUR.sub("", str(error)).split())


def unwritable(where: object, error: Exception) -> LakeError:
    """Return the error of a place that cannot be written."""
    return LakeError(
        f"cannot write to {where}: {told(error)}; free space or allow writing there, then run again"
    )


def _discard(temporary: Path) -> None:
    # On a full or read-only disk the file may not even have come to exist; that error is the one to report.
    try:
        temporary.unlink(missing_ok=True)
    except OSError:
        return
