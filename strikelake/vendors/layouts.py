"""The columns of each kind of flat file, and the columns of the lake that they become."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from strikelake.errors import BadFileError
from strikelake.vendors.flat_files import Dataset

if TYPE_CHECKING:
    from strikelake.vendors.flat_files import SourceFile

_PRICES = {name: name for name in ("open", "close", "high", "low")} | {"window_start": "ts_ns"}
_BAR = {"ticker": "ticker"} | _PRICES
_TRADED = {"ticker": "ticker", "volume": "volume"} | _PRICES
_SIDES = {name: name for name in ("ticker", "ask_price", "ask_size", "bid_price", "bid_size")}
_QUOTE = _SIDES | {"sip_timestamp": "ts_ns"}
_TRADE = {"ticker": "ticker", "price": "price", "sip_timestamp": "ts_ns", "size": "size"}
_COUNT = {"transactions": "transactions"}
_TRADE_DETAIL = {
    "conditions": "conditions",
    "correction": "correction",
    "exchange": "exchange",
    "participant_timestamp": "participant_ns",
}
_STOCK_TRADE_DETAIL = _TRADE_DETAIL | {
    "id": "id",
    "sequence_number": "sequence_number",
    "tape": "tape",
    "trf_id": "trf_id",
    "trf_timestamp": "trf_ns",
}
_STOCK_QUOTE_DETAIL = {
    "ask_exchange": "ask_exchange",
    "bid_exchange": "bid_exchange",
    "conditions": "conditions",
    "indicators": "indicators",
    "participant_timestamp": "participant_ns",
    "sequence_number": "sequence_number",
    "tape": "tape",
}


@dataclass(frozen=True, slots=True)
class Layout:
    """The columns of a kind of file.

    Attributes
    ----------
    required, optional
        The vendor's names, with the names in the table.
    """

    required: dict[str, str]
    optional: dict[str, str]

    @property
    def columns(self) -> dict[str, str]:
        """All columns that have a place in the table, by the vendor's names."""
        return self.required | self.optional


@cache
def layout(dataset: Dataset) -> Layout:
    """Return the columns of a dataset's files."""
    if dataset is Dataset.OPTION_QUOTES:
        return Layout(_QUOTE, {})
    if dataset is Dataset.STOCK_QUOTES:
        return Layout(_QUOTE, _STOCK_QUOTE_DETAIL)
    if dataset is Dataset.OPTION_TRADES:
        return Layout(_TRADE, _TRADE_DETAIL)
    if dataset is Dataset.STOCK_TRADES:
        return Layout(_TRADE, _STOCK_TRADE_DETAIL)
    return Layout(_BAR, {}) if dataset.is_index else Layout(_TRADED, _COUNT)


def header_columns(file: SourceFile, line: bytes) -> tuple[str, ...]:
    """Return the names in a file's first line.

    Raises
    ------
    BadFileError
        When the line is empty, a required column is missing or a name comes twice.
    """
    header = line.decode("utf-8-sig", "replace").strip()
    if not header:
        raise BadFileError(f"{file.key} is empty: fetch it again, or report it to the vendor")
    names = tuple(name.strip().strip('"') for name in header.split(","))
    required = layout(file.dataset).required
    missing = [name for name in required if name not in names]
    if missing or len(set(names)) != len(names):
        fault = f"lacks the columns {', '.join(missing)}" if missing else "names a column twice"
        raise BadFileError(
            f"{file.key} {fault}: a file of {file.dataset} needs {', '.join(required)}, the header is "
            f"{header[:200]!r}; check that it is the right file"
        )
    return names
