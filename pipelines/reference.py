"""A folder of reference files into the lake: splits, dividends, treasury yields, tickers, and dated facts."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from pipelines.availability import moments, opening
from pipelines.reference_facts import FACT_FILES, read_facts, store_facts
from pipelines.reference_files import Loaded, checked, read, typed
from pipelines.symbols import load_symbols
from pipelines.vet import quarantine
from strikelake.calendar import et_ns, next_session
from strikelake.errors import BadFileError, EmptyLakeError
from strikelake.lake.quality import count_rules
from strikelake.schemas import table

if TYPE_CHECKING:
    from collections.abc import Mapping

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
FILES = ("splits.csv", "dividends.csv", "treasury_curves*.csv", "ticker_map.csv", *FACT_FILES.values())
"""What `load_reference` looks for."""


@dataclass(frozen=True, slots=True)
class ReferenceReport:
    """What was loaded: file names, rows by kind, and how many rows broke each rule and went to quarantine.

    `refused` says what the vendor's plan does not include or what it did not answer, `symbols` counts
    ranges of tickers, `facts` rows of `earnings`, `news` and `open_interest`.
    """

    files: tuple[str, ...]
    splits: int
    dividends: int
    yields: int
    rejected: dict[str, int]
    refused: tuple[str, ...] = ()
    symbols: int = 0
    facts: Mapping[str, int] = field(default_factory=dict)


def load_reference(lake: Lake, directory: str | Path) -> ReferenceReport:
    """Load the reference files of a folder: those of `FILES`.

    Parameters
    ----------
    lake
        Where to.
    directory
        Holds at least one of the files. Splits replace all splits of the lake, dividends all dividends,
        curves all yields; what the folder has no file for stays. Dated facts: `pipelines.reference_facts`.

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
    actions: dict[str, Loaded] = {}
    if (folder / "splits.csv").is_file():
        actions["split"] = _actions(folder / "splits.csv", "split", _SPLITS)
    if (folder / "dividends.csv").is_file():
        actions["dividend"] = _actions(folder / "dividends.csv", "dividend", _DIVIDENDS)
    curves = [_curves(path) for path in sorted(folder.glob("treasury_curves*.csv"))]
    tickers = folder / "ticker_map.csv"
    loaded = [*actions.values(), *curves]
    facts = read_facts(folder)
    if not loaded and not facts and not tickers.is_file():
        raise EmptyLakeError(f"{folder} has none of {', '.join(FILES)}: add one")
    loaded += facts.values()
    names = tuple(file.name for file in loaded)
    bad = pl.concat([pl.DataFrame(schema=table("quarantine").columns), *(file.bad for file in loaded)])
    quarantine(lake, bad, replaces=pl.col("source_key").is_in(names), source=str(folder))
    _store_actions(lake, actions, str(folder))
    rows = _store_yields(lake, curves, str(folder))
    counts = {action: file.good.height for action, file in actions.items()}
    symbols = load_symbols(lake, tickers) if tickers.is_file() else 0
    return ReferenceReport(
        names,
        counts.get("split", 0),
        counts.get("dividend", 0),
        rows,
        count_rules(bad),
        symbols=symbols,
        facts=store_facts(lake, facts, str(folder)),
    )


def _store_actions(lake: Lake, actions: dict[str, Loaded], source: str) -> None:
    if actions:
        new = pl.concat([file.good for file in actions.values()])
        kept = ~pl.col("action").is_in(list(actions))
        lake.update("corporate_actions", lambda rows: pl.concat([rows.filter(kept), new]), source=source)


def _store_yields(lake: Lake, curves: list[Loaded], source: str) -> int:
    if not curves:
        return 0
    yields = pl.concat([file.good for file in curves])
    # Files may overlap; the last name is the newest.
    yields = yields.unique(["date", "tenor_days"], keep="last", maintain_order=True)
    lake.overwrite("treasury_yields", yields, source=source)
    return yields.height


def _actions(path: Path, action: str, columns: dict[str, type[pl.DataType]]) -> Loaded:
    strings = read(path, columns)
    optional = {_DECLARED: pl.Date} if _DECLARED in strings.columns else {}
    found = typed(path, strings, columns | optional, optional)
    day = "execution_date" if action == "split" else "ex_dividend_date"
    known = moments(found[day], opening)
    if optional:
        declared = moments(found[_DECLARED], lambda day: next_session(day).open_ns)
        known = pl.select(pl.min_horizontal(known, declared)).to_series()
    absent = {name: pl.lit(None, dtype=pl.Float64) for name in ("split_from", "split_to", "cash_amount")}
    frame = found.rename({day: "ex_date"}).with_columns(
        action=pl.lit(action),
        available_at=known,
        **{name: null for name, null in absent.items() if name not in columns},
    )
    return checked(path, "corporate_actions", frame, "ex_date")


def _curves(path: Path) -> Loaded:
    strings = read(path, ["date"])
    tenors = [name for name in strings.columns if name in _TENOR_DAYS]
    if not tenors:
        raise BadFileError(f"{path} has no tenor: name its columns {', '.join(_TENOR_DAYS)}")
    long = strings.unpivot(
        tenors, index=["row_number", "raw", "date"], variable_name="tenor", value_name="yield_rate"
    ).filter(pl.col("yield_rate").is_not_null())
    found = typed(path, long, {"date": pl.Date, "yield_rate": pl.Float64})
    frame = found.with_columns(
        tenor_days=pl.col("tenor").replace_strict(_TENOR_DAYS, return_dtype=pl.Int32),
        available_at=moments(found["date"], lambda day: et_ns(day, "18:00")),
    )
    return checked(path, "treasury_yields", frame, "date")
