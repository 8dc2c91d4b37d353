"""Splits, dividends and treasury yields from CSV files into the lake.

These files are small and made with care: a value that does not parse stops the load. A row that parses and
breaks a rule of its table goes to quarantine.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from pipelines.availability import moments, opening
from pipelines.symbols import load_symbols
from pipelines.vet import quarantine
from strikelake.calendar import et_ns, next_session
from strikelake.errors import BadFileError, EmptyLakeError
from strikelake.lake.quality import check, count_rules, quarantine_rows
from strikelake.schemas import table

if TYPE_CHECKING:
    from collections.abc import Iterable

    from strikelake.lake.store import Lake

_SPLITS = {"ticker": pl.String, "execution_date": pl.Date, "split_from": pl.Float64, "split_to": pl.Float64}
_DIVIDENDS = {"ticker": pl.String, "ex_dividend_date": pl.Date, "cash_amount": pl.Float64}
_DECLARED = "declaration_date"
_TENOR_DAYS = {
    "1month": 30,
    "2month": 61,
    "3month": 91,
    "4month": 122,
    "6month": 183,
    "1year": 365,
    "2year": 730,
    "3year": 1_096,
    "5year": 1_826,
    "7year": 2_557,
    "10year": 3_652,
    "20year": 7_305,
    "30year": 10_958,
}


@dataclass(frozen=True, slots=True)
class ReferenceReport:
    """What was loaded: file names, rows by kind, and how many rows broke each rule and went to quarantine.

    `refused` says what the vendor's plan does not include or what it did not answer, `symbols` counts
    ranges of tickers.
    """

    files: tuple[str, ...]
    splits: int
    dividends: int
    yields: int
    rejected: dict[str, int]
    refused: tuple[str, ...] = ()
    symbols: int = 0


@dataclass(frozen=True, slots=True)
class _Loaded:
    name: str
    good: pl.DataFrame
    bad: pl.DataFrame


def load_reference(lake: Lake, directory: str | Path) -> ReferenceReport:
    """Load the reference files of a folder: splits.csv, dividends.csv, treasury_curves*.csv, ticker_map.csv.

    Parameters
    ----------
    lake
        Where to.
    directory
        Holds at least one of the files. Splits replace all splits of the lake, dividends all dividends,
        curves all yields; what the folder has no file for stays.

    Returns
    -------
    ReferenceReport
        What was loaded and what was rejected.

    Raises
    ------
    EmptyLakeError
        When the folder has none of the files.
    BadFileError
        When a file lacks a column, a value does not parse, or most rows break a rule, such as yields in
        percent.

    Notes
    -----
    Point in time: a split or a dividend is known at the open of its ex-date, or at the open of the session
    after its `declaration_date` where the file has that column. Yields are known at 18:00 ET of their date.
    """
    folder = Path(directory)
    actions: dict[str, _Loaded] = {}
    if (folder / "splits.csv").is_file():
        actions["split"] = _actions(folder / "splits.csv", "split", _SPLITS)
    if (folder / "dividends.csv").is_file():
        actions["dividend"] = _actions(folder / "dividends.csv", "dividend", _DIVIDENDS)
    curves = [_curves(path) for path in sorted(folder.glob("treasury_curves*.csv"))]
    tickers = folder / "ticker_map.csv"
    loaded = [*actions.values(), *curves]
    if not loaded and not tickers.is_file():
        raise EmptyLakeError(
            f"{folder} has no splits.csv, dividends.csv, treasury_curves*.csv or ticker_map.csv: add one"
        )
    names = tuple(file.name for file in loaded)
    bad = pl.concat([pl.DataFrame(schema=table("quarantine").columns), *(file.bad for file in loaded)])
    quarantine(lake, bad, replaces=pl.col("source_key").is_in(names), source=str(folder))
    _store_actions(lake, actions, str(folder))
    rows = _store_yields(lake, curves, str(folder))
    counts = {action: file.good.height for action, file in actions.items()}
    symbols = load_symbols(lake, tickers) if tickers.is_file() else 0
    return ReferenceReport(
        names, counts.get("split", 0), counts.get("dividend", 0), rows, count_rules(bad), symbols=symbols
    )


def _store_actions(lake: Lake, actions: dict[str, _Loaded], source: str) -> None:
    if actions:
        new = pl.concat([file.good for file in actions.values()])
        kept = ~pl.col("action").is_in(list(actions))
        lake.update("corporate_actions", lambda rows: pl.concat([rows.filter(kept), new]), source=source)


def _store_yields(lake: Lake, curves: list[_Loaded], source: str) -> int:
    if not curves:
        return 0
    yields = pl.concat([file.good for file in curves])
    # Files may overlap; the last name is the newest.
    yields = yields.unique(["date", "tenor_days"], keep="last", maintain_order=True)
    lake.overwrite("treasury_yields", yields, source=source)
    return yields.height


def _actions(path: Path, action: str, columns: dict[str, type[pl.DataType]]) -> _Loaded:
    strings = _read(path, columns)
    optional = {_DECLARED: pl.Date} if _DECLARED in strings.columns else {}
    typed = _typed(path, strings, columns | optional)
    day = "execution_date" if action == "split" else "ex_dividend_date"
    known = moments(typed[day], opening)
    if optional:
        declared = moments(typed[_DECLARED], lambda day: next_session(day).open_ns)
        known = pl.select(pl.min_horizontal(known, declared)).to_series()
    absent = {name: pl.lit(None, dtype=pl.Float64) for name in ("split_from", "split_to", "cash_amount")}
    frame = typed.rename({day: "ex_date"}).with_columns(
        action=pl.lit(action),
        available_at=known,
        **{name: null for name, null in absent.items() if name not in columns},
    )
    return _checked(path, "corporate_actions", frame, "ex_date")


def _curves(path: Path) -> _Loaded:
    strings = _read(path, ["date"])
    tenors = [name for name in strings.columns if name in _TENOR_DAYS]
    if not tenors:
        raise BadFileError(f"{path} has no tenor: name its columns {', '.join(_TENOR_DAYS)}")
    long = strings.unpivot(
        tenors, index=["row_number", "raw", "date"], variable_name="tenor", value_name="yield_rate"
    ).filter(pl.col("yield_rate").is_not_null())
    typed = _typed(path, long, {"date": pl.Date, "yield_rate": pl.Float64})
    frame = typed.with_columns(
        tenor_days=pl.col("tenor").replace_strict(_TENOR_DAYS, return_dtype=pl.Int32),
        available_at=moments(typed["date"], lambda day: et_ns(day, "18:00")),
    )
    return _checked(path, "treasury_yields", frame, "date")


def _read(path: Path, required: Iterable[str]) -> pl.DataFrame:
    """Return all fields as strings, with `row_number` (the header is line 1) and `raw`."""
    try:
        strings = pl.read_csv(path, infer_schema=False, row_index_name="row_number", row_index_offset=2)
    except pl.exceptions.PolarsError as error:
        raise BadFileError(f"{path} is no CSV file ({error}): write it again") from error
    names = strings.columns[1:]
    if missing := [name for name in required if name not in names]:
        raise BadFileError(
            f"{path} lacks the columns {', '.join(missing)}: its header has {', '.join(names)}"
        )
    return strings.with_columns(
        pl.col("row_number").cast(pl.Int64), raw=pl.concat_str(names, separator=",", ignore_nulls=True)
    )


def _typed(path: Path, strings: pl.DataFrame, columns: dict[str, type[pl.DataType]]) -> pl.DataFrame:
    for name, dtype in columns.items():
        text = pl.col(name)
        value = (
            text.str.to_date("%Y-%m-%d", strict=False) if dtype == pl.Date else text.cast(dtype, strict=False)
        )
        lost = strings.filter(value.is_null() & text.is_not_null() if name == _DECLARED else value.is_null())
        if not lost.is_empty():
            line, found = lost.select("row_number", name).row(0)
            raise BadFileError(
                f"{path} line {line}: {name} is {found!r}, which is no {dtype.__name__}: correct it"
            )
        strings = strings.with_columns(value)
    return strings


def _checked(path: Path, name: str, frame: pl.DataFrame, day: str) -> _Loaded:
    spec = table(name)
    checked = check(spec, frame.select("row_number", *spec.columns))
    if checked.bad.height > checked.good.height:
        counts = ", ".join(f"{rule} {count}" for rule, count in count_rules(checked.bad).items())
        raise BadFileError(
            f"{path}: {checked.bad.height} of {frame.height} values break the rules of {name} "
            f"({counts}): correct it"
        )
    days = frame.select("row_number", "raw", pl.col(day).alias("day")).unique("row_number")
    bad = checked.bad.join(days, on="row_number", how="left", maintain_order="left")
    raw = dict(bad.select("row_number", "raw").iter_rows())
    parts = [
        quarantine_rows(name, bad_day, path.name, part, raw)
        for (bad_day,), part in bad.group_by("day", maintain_order=True)
    ]
    quarantined = pl.concat([pl.DataFrame(schema=table("quarantine").columns), *parts])
    return _Loaded(path.name, checked.good, quarantined)
