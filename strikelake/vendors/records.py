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
        When a value is of another kind than its column; names the field and the values.

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
    if dtype in {pl.Float64, pl.Int64} and any(isinstance(value, str | bool) for value in values):
        raise VendorError(f"{path} is no number in {values[:3]}: report it to the vendor")
    try:
        series = pl.Series(name, values, dtype=pl.String if dtype == pl.Date else dtype)
        # Whole numbers may be spelled 12.0; what has a fraction is no count.
        return series.str.to_date("%Y-%m-%d") if dtype == pl.Date else series
    except (TypeError, pl.exceptions.PolarsError):
        pass
    try:
        return pl.Series(name, values, dtype=pl.Float64).cast(dtype, strict=True)
    except (TypeError, pl.exceptions.PolarsError) as error:
        raise VendorError(f"{path} is no {dtype} in {values[:3]}: report it to the vendor") from error


def _value(row: Any, steps: list[str]) -> Any:
    for step in steps:
        if not isinstance(row, dict):
            return None
        row = row.get(step)
    return row
