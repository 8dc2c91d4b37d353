"""Price every option bar and quote: implied volatility and Greeks, each row with its status."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import polars as pl

from pipelines import carry as carry_step
from pipelines import dividends as dividends_step
from pipelines import priced as priced_step
from pipelines.forwards import forward_rows
from pipelines.priced import price_rows
from pipelines.provenance import Inputs, fingerprint, record, unchanged
from pipelines.rates import newest_curve, rate_for, read_yields
from pipelines.terms import series_of, with_root, with_series
from pipelines.underlying import OBSERVED, observed, observed_quotes, with_underlying
from strikelake.calendar import session
from strikelake.errors import EmptyLakeError
from strikelake.schemas import table

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import date

    from strikelake.calendar import Session
    from strikelake.lake.store import Lake

Bar = Literal["1d", "1m", "quote"]

TABLES: dict[Bar, str] = {"1d": "option_day_bars", "1m": "option_minute_bars", "quote": "option_quotes"}
"""Where each kind of option row comes from."""

METHOD = f"{priced_step.METHOD}, {carry_step.METHOD}, {dividends_step.METHOD}"

_BESIDE: dict[Bar, tuple[str, ...]] = {
    "1d": ("stock_day_bars", "index_day_bars"),
    "1m": ("stock_minute_bars", "index_minute_bars"),
    "quote": ("stock_minute_bars", "index_minute_bars", "stock_quotes"),
}
_TERMS = ("date", "occ_symbol", "underlying", "expiration", "option_type", "strike", "ts_ns", "available_at")
_ROWS_A_COMMIT = 500_000  # a commit costs as much as pricing 30,000 rows, but rows wait for it in memory


@dataclass(frozen=True, slots=True)
class AnalyticsReport:
    """What a run priced.

    Attributes
    ----------
    bar
        "1d", "1m" or "quote".
    sessions, rows
        How many of each were written.
    by_status
        Rows by status, the most frequent first.
    implied_underlying
        Rows by underlying without prices of its own whose price is what its options imply
        (`pipelines.underlying`).
    without_underlying
        Rows by underlying that had neither a price nor a pair of options to price against; their status is
        missing_input.
    adjusted_rows
        Rows of contracts that deliver something other than 100 shares (AAPL1); their status is missing_input.
    default_rate_sessions
        Sessions without a treasury curve of the last 30 days, priced at the default rate.
    skipped
        Sessions whose inputs are those of their last run.
    by_carry
        Rows by where their carry comes from.
    """

    bar: Bar
    sessions: int
    rows: int
    by_status: Mapping[str, int]
    implied_underlying: Mapping[str, int]
    without_underlying: Mapping[str, int]
    adjusted_rows: int
    default_rate_sessions: int
    skipped: int = 0
    by_carry: Mapping[str, int] = field(default_factory=dict)


def analyse(
    lake: Lake,
    start: date,
    end: date,
    *,
    bar: Bar = "1d",
    rates_default: float = 0.0,
    again: bool = False,
    threads: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> AnalyticsReport:
    """Write option_analytics and forwards for the sessions that have option bars, or quotes.

    A day bar is priced at the session's close against the underlying's day close, a minute bar at its end
    and a quote at its own time against the last stock or index minute (or stock quote) known by then;
    `pipelines.underlying` says what stands in for an underlying without prices. Rates come from the newest
    treasury curve available before the first moment priced, dividends from what was announced by then and
    from the regular ones before (`pipelines.dividends`), the carry from calls and puts up to each decision
    time (`pipelines.carry`); options on shares are solved as American and
    on indices as European (`strikelake.pricing.chain`). Rows of the other `bar` stay.

    Parameters
    ----------
    lake
        Reads option, stock and index prices, treasury_yields and corporate_actions; writes
        option_analytics, forwards and computations: whole sessions, many in a commit.
    start, end
        First and last date, both included.
    bar
        "1d", "1m" or "quote".
    rates_default
        Continuous rate where there is no curve.
    again
        Price sessions again whose inputs did not change.
    threads
        How many solve rows at a time; the numbers do not depend on it.
    progress
        Called with the number of sessions done and of sessions to do.

    Returns
    -------
    AnalyticsReport

    Raises
    ------
    EmptyLakeError
        When there are no option rows in the range.
    """
    lake.scan(TABLES[bar], start, end)  # says what to run when there is nothing
    days = [day for day in lake.sessions(TABLES[bar]) if start <= day <= end]
    run = _Run(lake, bar, rates_default, threads)
    skipped = 0
    for done, day in enumerate(days, 1):
        inputs = run.inputs(day)
        if not again and unchanged(lake, "analytics", bar, {day: inputs}):
            skipped += 1
        else:
            run.price(day, inputs)
        if day == days[-1] or run.waiting_rows >= _ROWS_A_COMMIT:
            run.commit()
        if progress is not None:
            progress(done, len(days))
    return _report(bar, run.counts, run.defaulted, skipped)


class _Run:
    """The sessions of one run in order: what they share, and what waits for a commit."""

    def __init__(self, lake: Lake, bar: Bar, rates_default: float, threads: int) -> None:
        self._lake, self._bar, self._default, self._threads = lake, bar, rates_default, threads
        self._yields, self._actions = read_yields(lake), _if_any(lake, "corporate_actions").collect()
        self._waiting: dict[date, tuple[pl.DataFrame, pl.DataFrame, Inputs]] = {}
        self.counts: list[pl.DataFrame] = []
        self.defaulted = 0

    @property
    def waiting_rows(self) -> int:
        """How many rows wait for a commit."""
        return sum(rows.height for rows, *_ in self._waiting.values())

    def inputs(self, day: date) -> Inputs:
        """Return what a session's rows depend on."""
        moment = self._moment(session(day))
        curve = newest_curve(self._yields, moment)
        expected = dividends_step.expected_dividends(self._actions, day, moment)
        tables = (TABLES[self._bar], *_BESIDE[self._bar])
        rates = str(self._default) if curve is None else curve
        return Inputs(
            fingerprint(self._lake, day, tables, rates, expected, METHOD),
            METHOD,
            None if curve is None else curve["date"][0],
            f"{expected['announced'].sum()} announced, {(~expected['announced']).sum()} projected",
        )

    def price(self, day: date, inputs: Inputs) -> None:
        """Price a session's rows and keep them for the next commit."""
        opened = session(day)
        moment = self._moment(opened)
        curve = newest_curve(self._yields, moment)
        options = with_root(read_rows(self._lake, day, self._bar))
        known = self._underlyings(day, options)
        expected = dividends_step.expected_dividends(self._actions, day, moment)
        # The session's first price: what every later row of the session knows.
        spots = known.sort("available_at").unique("underlying", keep="first").select("underlying", "price")
        series = series_of(options, opened, moment, rate_for(curve, self._default), expected, spots)
        rows = with_underlying(with_series(options, series), known)
        pairs = carry_step.pairs_of(rows, opened, self._bar)
        carry = carry_step.implied_carry(pairs, series, opened, self._bar, self._threads)
        priced = price_rows(rows, series, carry, self._bar, self._threads)
        forwards = forward_rows(rows, series, carry, known, opened, self._bar)
        self._waiting[day] = (priced, forwards, inputs)
        self.counts.append(
            priced.group_by("underlying", "underlying_source", "carry_source", "status")
            .len("rows")
            .with_columns(date=pl.lit(day))
        )
        self.defaulted += curve is None

    def commit(self) -> None:
        """Make the waiting rows those of this bar on their dates; rows of other bars stay."""
        if not self._waiting:
            return
        days = list(self._waiting)
        source = f"analytics {self._bar}; {METHOD}"
        priced = pl.concat([rows for rows, _, _ in self._waiting.values()])
        forwards = pl.concat([rows for _, rows, _ in self._waiting.values()])
        # Forwards first: whoever sees the rows can look their forwards up.
        self._lake.update("forwards", _replacing(self._bar, forwards), days=days, source=source)
        version = self._lake.update(
            "option_analytics", _replacing(self._bar, priced), days=days, source=source
        )
        made = [(day, inputs, rows.height) for day, (rows, _, inputs) in self._waiting.items()]
        record(self._lake, "analytics", self._bar, made, version)
        self._waiting.clear()

    def _moment(self, opened: Session) -> int:
        return opened.close_ns if self._bar == "1d" else opened.open_ns

    def _underlyings(self, day: date, options: pl.DataFrame) -> pl.DataFrame:
        """Return the session's prices of the underlyings: quotes where a ticker has them, else bars."""
        names = options["underlying"].unique().to_list()
        tickers = [*names, *(f"I:{name}" for name in names)]
        wanted = pl.col("ticker").is_in(tickers)
        stocks, indices, *quotes = (
            _if_any(self._lake, name, day, day).filter(wanted).collect() for name in _BESIDE[self._bar]
        )
        parts = [observed(stocks, "stock"), observed(indices, "index")]
        if quotes:
            middles = observed_quotes(quotes[0])
            quoted = middles["underlying"].unique().implode()
            parts = [middles, *(part.filter(~pl.col("underlying").is_in(quoted)) for part in parts)]
        return pl.concat(parts).select(*OBSERVED)


def read_rows(lake: Lake, day: date, bar: Bar) -> pl.DataFrame:
    """Return a session's option rows with price, bid_price and ask_price (null for bars).

    The price of a bar is its close, that of a quote its middle, null where a side is missing. Of several
    quotes of one contract and nanosecond the last on the tape counts.
    """
    rows = lake.scan(TABLES[bar], day, day)
    if bar != "quote":
        none = pl.lit(None, dtype=pl.Float64)
        return rows.select(*_TERMS, price="close", bid_price=none, ask_price=none).collect()
    middle = (pl.col("bid_price") + pl.col("ask_price")) / 2.0
    quotes = rows.select(*_TERMS, "bid_price", "ask_price", price=middle).collect()
    return quotes.unique(["occ_symbol", "ts_ns"], keep="last", maintain_order=True)


def _if_any(lake: Lake, name: str, start: date | None = None, end: date | None = None) -> pl.LazyFrame:
    try:
        return lake.scan(name, start, end)
    except EmptyLakeError:
        return pl.LazyFrame(schema=table(name).columns)


def _replacing(bar: str, rows: pl.DataFrame) -> Callable[[pl.DataFrame], pl.DataFrame]:
    return lambda present: pl.concat([present.filter(pl.col("bar") != bar), rows])


def _report(bar: Bar, counts: Sequence[pl.DataFrame], defaulted: int, skipped: int) -> AnalyticsReport:
    columns = {
        "underlying": pl.String,
        "underlying_source": pl.String,
        "carry_source": pl.String,
        "status": pl.String,
    }
    empty = pl.DataFrame(schema=columns | {"rows": pl.UInt32, "date": pl.Date})
    every = pl.concat([empty, *counts], how="vertical_relaxed")

    def by(column: str, *chosen: pl.Expr) -> dict[str, int]:
        sums = every.filter(*chosen).group_by(column).agg(pl.col("rows").sum())
        return dict(sums.sort(["rows", column], descending=[True, False]).rows())

    source = pl.col("underlying_source")
    return AnalyticsReport(
        bar=bar,
        sessions=len(counts),
        rows=int(every["rows"].sum()),
        by_status=by("status"),
        implied_underlying=by("underlying", source == "parity"),
        without_underlying=by("underlying", source == "none"),
        adjusted_rows=sum(by("underlying", source == "adjusted").values()),
        default_rate_sessions=defaulted,
        skipped=skipped,
        by_carry=by("carry_source"),
    )
