"""The vendor's flat files: a gzipped CSV per dataset and session; here, in a folder of the vendor's layout.

Keys are `{prefix}/{kind}/YYYY/MM/YYYY-MM-DD.csv.gz`. A published file can be replaced later: its ETag tells.
What a plan does not include can be listed, but answers 403 when read.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol

from strikelake.errors import BadFileError, ConfigError, NotPublishedError, VendorUnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

_NAME = re.compile(r"(?:^|/)(\d{4}-\d{2}-\d{2})\.csv\.gz$")
_MARKETS = {"stock": "us_stocks_sip", "option": "us_options_opra", "index": "us_indices"}
_KINDS = {
    "day_bars": "day_aggs_v1",
    "minute_bars": "minute_aggs_v1",
    "trades": "trades_v1",
    "quotes": "quotes_v1",
}


class Dataset(StrEnum):
    """A kind of flat file, named as the table of the lake it fills."""

    STOCK_DAY_BARS = "stock_day_bars"
    STOCK_MINUTE_BARS = "stock_minute_bars"
    OPTION_DAY_BARS = "option_day_bars"
    OPTION_MINUTE_BARS = "option_minute_bars"
    OPTION_QUOTES = "option_quotes"
    OPTION_TRADES = "option_trades"
    STOCK_TRADES = "stock_trades"
    STOCK_QUOTES = "stock_quotes"
    INDEX_DAY_BARS = "index_day_bars"
    INDEX_MINUTE_BARS = "index_minute_bars"

    @property
    def prefix(self) -> str:
        """Where the vendor keeps its files.

        Examples
        --------
        >>> Dataset.OPTION_QUOTES.prefix
        'us_options_opra/quotes_v1'
        """
        market, kind = self.value.split("_", 1)
        return f"{_MARKETS[market]}/{_KINDS[kind]}"

    @property
    def is_option(self) -> bool:
        """Whether its tickers are OCC symbols."""
        return self.value.startswith("option_")

    @property
    def is_index(self) -> bool:
        """Whether its tickers are indices, which have no volume."""
        return self.value.startswith("index_")

    @property
    def is_day(self) -> bool:
        """Whether a row is a whole session."""
        return self.value.endswith("_day_bars")

    @property
    def is_tick(self) -> bool:
        """Whether a row is a trade or a quote."""
        return not self.value.endswith("_bars")


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

    def open(self, file: SourceFile) -> AbstractContextManager[BinaryIO]:
        """Open the gzipped bytes of the file as it was listed, to be read once from start to end."""
        ...


class DirectoryFlatFiles:
    """Flat files in a local folder.

    Parameters
    ----------
    root
        The folder that holds `us_stocks_sip`, `us_options_opra` and `us_indices`.
    """

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root)

    def __str__(self) -> str:
        return str(self.root)

    def list(self, dataset: Dataset, start: date, end: date) -> list[SourceFile]:
        """Return the files there are from `start` to `end`, both included, by date.

        Raises
        ------
        ConfigError
            When the root is no folder.
        BadFileError
            When something that is no file has the name of one.
        """
        if not self.root.is_dir():
            raise ConfigError(f"{self.root} is no folder: name the one that holds us_stocks_sip and so on")
        found = []
        for prefix in prefixes(dataset, start, end):
            for path in (self.root / prefix).rglob("*.csv.gz"):
                day = date_of(path.name)
                if day and start <= day <= end:
                    key = path.relative_to(self.root).as_posix()
                    if not path.is_file():
                        raise BadFileError(f"{key} in {self.root} is no file: remove it, or fetch it again")
                    stat = path.stat()
                    etag = f"{stat.st_mtime_ns:x}-{stat.st_size:x}"
                    found.append(SourceFile(dataset, day, key, etag, stat.st_size, stat.st_mtime_ns))
        return sorted(found, key=lambda file: file.date)

    @contextmanager
    def open(self, file: SourceFile) -> Iterator[BinaryIO]:
        """Open the gzipped bytes of the file.

        Raises
        ------
        NotPublishedError
            When the file is not there any more.
        BadFileError
            When it may not be read.
        VendorUnavailableError
            When it does not read now.
        """
        try:
            stream = (self.root / file.key).open("rb")
        except FileNotFoundError as error:
            raise NotPublishedError(f"{file.key} is not in {self.root} any more: list again") from error
        except PermissionError as error:
            raise BadFileError(f"{file.key} in {self.root} may not be read: allow it") from error
        except OSError as error:
            raise VendorUnavailableError(
                f"{file.key} in {self.root} does not read ({error.strerror}): check its disk, then run again"
            ) from error
        with stream:
            yield stream


def date_of(name: str) -> date | None:
    """Return the date in a file's name; None where there is none."""
    match = _NAME.search(name)
    try:
        return date.fromisoformat(match.group(1)) if match else None
    except ValueError:
        return None


def prefixes(dataset: Dataset, start: date, end: date) -> list[str]:
    """Return the folders to list: the month where the range is within one, else whole years."""
    if (start.year, start.month) == (end.year, end.month):
        return [f"{dataset.prefix}/{start:%Y/%m}/"]
    return [f"{dataset.prefix}/{year}/" for year in range(start.year, end.year + 1)]
