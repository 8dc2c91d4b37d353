"""Files in the vendor's layout: gzipped CSV, one per dataset and session, byte-identical for equal rows."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path

    import polars as pl


class Folder(StrEnum):
    """Where the vendor keeps each dataset."""

    STOCK_DAY_BARS = "us_stocks_sip/day_aggs_v1"
    STOCK_MINUTE_BARS = "us_stocks_sip/minute_aggs_v1"
    OPTION_DAY_BARS = "us_options_opra/day_aggs_v1"
    OPTION_MINUTE_BARS = "us_options_opra/minute_aggs_v1"
    OPTION_TRADES = "us_options_opra/trades_v1"
    OPTION_QUOTES = "us_options_opra/quotes_v1"
    INDEX_DAY_BARS = "us_indices/day_aggs_v1"
    INDEX_MINUTE_BARS = "us_indices/minute_aggs_v1"
    STOCK_TRADES = "us_stocks_sip/trades_v1"
    STOCK_QUOTES = "us_stocks_sip/quotes_v1"


def key(folder: Folder, day: date) -> str:
    """Return a file's key in the vendor's bucket.

    Examples
    --------
    >>> from datetime import date
    >>> key(Folder.OPTION_QUOTES, date(2025, 1, 2))
    'us_options_opra/quotes_v1/2025/01/2025-01-02.csv.gz'
    """
    return f"{folder}/{day:%Y/%m}/{day}.csv.gz"


def write(root: Path, folder: Folder, day: date, frame: pl.DataFrame) -> Path:
    """Write one file; its columns and their order are the frame's.

    Returns
    -------
    Path
        The file, `root / key(folder, day)`.
    """
    from isal import igzip

    path = root / key(folder, day)
    path.parent.mkdir(parents=True, exist_ok=True)
    text = frame.write_csv().encode()
    # Without a time stamp in the header the same rows give the same bytes.
    path.write_bytes(igzip.compress(text, 1, mtime=0))
    return path
