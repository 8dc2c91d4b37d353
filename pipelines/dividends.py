"""The dividends that could be expected at a moment: those announced by then, and regular ones after."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from pipelines.availability import moments, opening

if TYPE_CHECKING:
    from datetime import date

METHOD = "dividends 1"
"""Goes up when the same announcements would give other expectations."""

HORIZON = timedelta(days=3 * 366)
"""Listed options do not run longer than this."""

EXPECTED = pl.Schema(
    {
        "underlying": pl.String,
        "ex_date": pl.Date,
        "cash": pl.Float64,
        "announced": pl.Boolean,
        "ex_ns": pl.Int64,
    }
)
_REGULAR_DAYS = (30.4375, 91.3125, 182.625, 365.25)  # monthly, quarterly, twice a year, yearly
_LOOKED_AT = 5  # dividends that tell frequency and level
_SPECIAL = 2.5  # a dividend of so many times the usual one is no regular one
_LATE = 1.6  # after so many intervals without an announcement a dividend counts as dropped


def expected_dividends(actions: pl.DataFrame, day: date, moment: int) -> pl.DataFrame:
    """Return the dividends with ex-dates after `day` as they could be expected at `moment`.

    Point in time: only rows with `available_at <= moment` are looked at. Beyond what is announced, the last
    regular amount is repeated at the interval of the last ones; a dividend of more than 2.5 times the usual
    amount is taken for a special one and not repeated, and a payer who is overdue counts as having stopped.

    Parameters
    ----------
    actions
        Rows of corporate_actions.
    day
        The session: what goes ex on it is out of the price from its open.
    moment
        ns UTC.

    Returns
    -------
    pl.DataFrame
        Columns `EXPECTED`, up to `HORIZON` after `day`, sorted by underlying and ex-date. `cash` is in
        dollars per share of today, adjusted for splits since it was paid; `ex_ns` is the open of the
        ex-date.
    """
    known = actions.filter(pl.col("available_at") <= moment)
    paid = _in_todays_shares(known, day)
    rows = [
        row
        for (ticker,), part in paid.group_by("ticker", maintain_order=True)
        for row in _of(ticker, part, day)
    ]
    found = pl.DataFrame(
        rows, schema={name: kind for name, kind in EXPECTED.items() if name != "ex_ns"}, orient="row"
    )
    return found.with_columns(ex_ns=moments(found["ex_date"], opening)).select(*EXPECTED)


def _in_todays_shares(known: pl.DataFrame, day: date) -> pl.DataFrame:
    """Return ticker, ex_date, cash of all known dividends, divided by the splits between them and `day`."""
    splits = known.filter(pl.col("action") == "split", pl.col("ex_date") <= day).select(
        "ticker", split_date="ex_date", ratio=pl.col("split_to") / pl.col("split_from")
    )
    paid = known.filter(pl.col("action") == "dividend").select("ticker", "ex_date", cash="cash_amount")
    factors = (
        paid.join(splits, on="ticker")
        .filter(pl.col("split_date") > pl.col("ex_date"))
        .group_by("ticker", "ex_date")
        .agg(pl.col("ratio").product())
    )
    return (
        paid.join(factors, on=["ticker", "ex_date"], how="left")
        .select("ticker", "ex_date", pl.col("cash") / pl.col("ratio").fill_null(1.0))
        .sort("ticker", "ex_date")
    )


def _of(ticker: str, paid: pl.DataFrame, day: date) -> list[tuple[str, date, float, bool]]:
    """Return the dividends of one ticker after `day`."""
    dates, cash = paid["ex_date"].to_list(), paid["cash"].to_numpy()
    rows = [(ticker, ex, float(amount), True) for ex, amount in zip(dates, cash, strict=True) if ex > day]
    usual = float(np.median(cash[-_LOOKED_AT:]))
    regular = [place for place in range(len(dates)) if cash[place] <= _SPECIAL * usual][-_LOOKED_AT:]
    if len(regular) < 2:  # noqa: PLR2004 - an interval has two ends
        return rows
    gaps = np.diff([dates[place].toordinal() for place in regular])
    gap = min(_REGULAR_DAYS, key=lambda days: abs(np.log(max(float(np.median(gaps)), 1.0) / days)))
    last = dates[regular[-1]]
    if (day - last).days > _LATE * gap:
        return rows
    amount, count = float(cash[regular[-1]]), 1
    while (ex := last + timedelta(days=round(count * gap))) <= day + HORIZON:
        # One that is overdue is expected any day.
        rows.append((ticker, max(ex, day + timedelta(days=1)), amount, False))
        count += 1
    return rows
