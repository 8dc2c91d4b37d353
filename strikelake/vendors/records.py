"""The vendor's records as frames, by a list of fields."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from strikelake.errors import VendorError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from polars._typing import PolarsDataType

    Fields = Mapping[str, tuple[str, PolarsDataType]]


def flatten(records: Iterable[Mapping[str, Any]], fields: Fields) -> pl.DataFrame:
    """Return records as a frame.

    Parameters
    ----------
    records
        As decoded from JSON.
    fields
        Column to (path of the value, type): `("details.ticker", pl.String)`.

    Returns
    -------
    pl.DataFrame
        The columns in their order; null where a record does not have the path.

    Raises
    ------
    VendorError
        When a value is of another kind than its column, or too large for it; names the field and the values.

    Examples
    --------
    >>> flatten([{"a": {"b": 1}}, {}], {"b": ("a.b", pl.Int64)})["b"].to_list()
    [1, None]
    """
    rows = list(records)
    return pl.DataFrame([_column(rows, name, path, dtype) for name, (path, dtype) in fields.items()])


def _column(rows: list[Mapping[str, Any]], name: str, path: str, dtype: PolarsDataType) -> pl.Series:
    steps = path.split(".")
    values = [_value(row, steps) for row in rows]
    kind, known_as = _kind(dtype)
    wrong = [value for value in values if value is not None and not _fits(value, kind)]
    if not wrong:
        try:
            return _series(name, values, dtype)
        except (TypeError, ValueError, OverflowError, pl.exceptions.PolarsError):
            wrong = [value for value in values if value is not None]
    raise VendorError(f"{path} is no {known_as} in {repr(wrong[:3])[:200]}: report it to the vendor")


def _fits(value: object, kind: type | tuple[type, ...]) -> bool:
    """To Python, True is a number too; to polars, dictionaries are lists and numbers are texts."""
    return isinstance(value, kind) and (kind is bool or not isinstance(value, bool))


def _kind(dtype: PolarsDataType) -> tuple[type | tuple[type, ...], str]:
    """Return what JSON has for a column of this type, and what a reader calls it."""
    if dtype == pl.Boolean:
        return bool, "boolean"
    if dtype == pl.List:
        return list, "list"
    if dtype in {pl.Float64, pl.Int64, pl.Int32}:
        return (int, float), "number" if dtype == pl.Float64 else "whole number"
    return str, "date" if dtype == pl.Date else "text"


def _series(name: str, values: list[Any], dtype: PolarsDataType) -> pl.Series:
    if dtype == pl.Date:
        return pl.Series(name, values, dtype=pl.String).str.to_date("%Y-%m-%d")
    if dtype in {pl.Int64, pl.Int32}:
        # Whole numbers may be spelled 12.0; what has a fraction is no count, and polars refuses it.
        values = [int(v) if isinstance(v, float) and v.is_integer() else v for v in values]
    return pl.Series(name, values, dtype=dtype)


def _value(row: Any, steps: list[str]) -> Any:
    for step in steps:
        if not isinstance(row, dict):
            return None
        row = row.get(step)
    return row
