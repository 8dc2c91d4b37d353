"""The text of a gzipped file, in blocks of whole lines: a file is never held as a whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO, cast

from strikelake.errors import BadFileError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from strikelake.vendors.flat_files import SourceFile

_LONGEST_LINE = 65_536
_SLACK = bytes(8)
_REREAD_BLOCK = 1 << 20


def text_blocks(file: SourceFile, stream: BinaryIO, size: int) -> Iterator[tuple[bytes, int]]:
    """Read a gzipped text.

    Parameters
    ----------
    file
        Which it is, for messages.
    stream
        Its gzipped bytes.
    size
        Bytes to decompress at a time.

    Yields
    ------
    tuple of bytes and int
        First the first line, then whole lines: a text and where they end in it, eight bytes or more before
        the text does. The last line has a line feed in any case; blank lines after it are no lines.

    Raises
    ------
    BadFileError
        When the gzip stream is cut off or damaged, as soon as that shows, or the text has no lines.
    """
    chunks = _inflate(file, stream, size)
    first = next(chunks, b"")
    while b"\n" not in first and (more := next(chunks, b"")):
        first += more
        _require_lines(file, first)
    header, _, first = first.partition(b"\n")
    yield header, len(header)
    held, chunk = b"", first
    while following := next(chunks, b""):
        text, chunk = held + chunk, following
        # The last line is held back: what follows may be only blank lines.
        cut = text.rfind(b"\n", 0, len(text.rstrip(b"\r\n"))) + 1
        held = text[cut:]
        _require_lines(file, held)
        if cut:
            yield text if len(held) >= len(_SLACK) else text + _SLACK, cut
    held += chunk
    if rest := held.rstrip(b"\r\n"):
        yield rest + b"\n" + _SLACK, len(rest) + 1


def lines_of(file: SourceFile, stream: BinaryIO, numbers: Collection[int]) -> dict[int, str]:
    """Return the text of lines by number; the header is line 1.

    Raises
    ------
    BadFileError
        When the gzip stream is cut off or damaged.
    """
    wanted, first = sorted(numbers), 2
    found: dict[int, str] = {}
    texts = text_blocks(file, stream, _REREAD_BLOCK)
    next(texts)
    for text, stop in texts:
        count = text.count(b"\n", 0, stop)
        here = [number for number in wanted if first <= number < first + count]
        lines = text[:stop].split(b"\n") if here else []
        found |= {n: lines[n - first].decode("utf-8", "replace").rstrip("\r") for n in here}
        first += count
    return found


def _inflate(file: SourceFile, stream: BinaryIO, size: int) -> Iterator[bytes]:
    from isal import igzip, igzip_lib, isal_zlib

    damage = cast("tuple[type[Exception], ...]", (EOFError, OSError, igzip_lib.IsalError, isal_zlib.error))
    text = igzip.IGzipFile(fileobj=stream, mode="rb")  # type: ignore[no-untyped-call] # isal types its C parts
    try:
        while chunk := text.read(size):
            yield chunk
    except damage as error:
        raise BadFileError(
            f"{file.key} is no whole gzip file of {file.size} bytes ({error}): fetch it again"
        ) from error


def _require_lines(file: SourceFile, held: bytes) -> None:
    if len(held) > _LONGEST_LINE and b"\n" not in held:
        raise BadFileError(f"{file.key} is no CSV file: a line is longer than {_LONGEST_LINE} bytes")
