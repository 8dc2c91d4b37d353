"""A 30-day volatility index of every quoted underlying, by the method of the Cboe's VIX."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from pipelines.provenance import Inputs, fingerprint, record, unchanged
from pipelines.rates import newest_curve, rate_for, read_yields
from pipelines.slices import GROUP, at_decisions
from strikelake.calendar import NS_PER_MINUTE
from strikelake.calendar import session as open_session
from strikelake.contracts import settlement_ns
from strikelake.pricing.vix import MINUTES_PER_YEAR, TARGET_MINUTES, TermVariance, index_value, term_variance
from strikelake.schemas import table

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from datetime import date

    from strikelake.calendar import Session
    from strikelake.lake.store import Lake

_OCC_TAIL = 15
_FARTHEST = 2.0  # the nearer expiration at least half of 30 days away, the farther at most twice
_STEP, _METHOD = "volatility_index", "cboe 1"
_SIDES = ("call_bid", "call_ask", "put_bid", "put_ask")


def build_volatility_index(
    lake: Lake,
    start: date,
    end: date,
    *,
    underlyings: Collection[str],
    rates_default: float = 0.0,
    progress: Callable[[int, int], None] | None = None,
) -> int:
    """Write the rows of `volatility_indices` of some underlyings; return how many sessions were computed.

    Their quotes are enough, none has to be priced; sessions whose quotes did not change are skipped.

    Parameters
    ----------
    lake
        Reads option_quotes and treasury_yields.
    start, end
        First and last date, both included.
    underlyings
        Whose index; rows of others stay.
    rates_default
        Continuous rate where there is no curve.
    progress
        Called with the number of sessions done and of sessions to do.
    """
    names = sorted(underlyings)
    days = [day for day in lake.sessions("option_quotes") if start <= day <= end]
    inputs = {day: Inputs(fingerprint(lake, day, ["option_quotes"], *names), _METHOD) for day in days}
    todo = sorted(set(days) - unchanged(lake, _STEP, "quote", inputs))
    curves = read_yields(lake)
    frames = [pl.DataFrame(schema=table("volatility_indices").columns)]
    for done, day in enumerate(todo, 1):
        quotes = lake.scan("option_quotes", day, day, underlyings=names).collect()
        opened = open_session(day)
        rate = rate_for(newest_curve(curves, opened.open_ns), rates_default)
        frames.append(volatility_indices(quotes, opened, rate))
        if progress is not None:
            progress(done, len(todo))
    if todo:
        rows = pl.concat(frames)
        replaced = pl.col("underlying").is_in(names) & (pl.col("bar") == "quote")
        version = lake.update(
            "volatility_indices",
            lambda held: pl.concat([held.filter(~replaced), rows]),
            days=todo,
            source=f"{_STEP}; {_METHOD}",
        )
        counts = dict(rows.group_by("date").len().iter_rows())
        record(lake, _STEP, "quote", [(day, inputs[day], counts.get(day, 0)) for day in todo], version)
    return len(todo)


def volatility_indices(
    quotes: pl.DataFrame, session: Session, rate: Callable[[float], float]
) -> pl.DataFrame:
    """Return the rows of `volatility_indices` of one session.

    Parameters
    ----------
    quotes
        Rows of option_quotes of the session.
    session
        Decision times are those of `pipelines.slices`; a quote counts for an hour.
    rate
        Continuous rate per year for a maturity in days.

    Returns
    -------
    pl.DataFrame
        One row for each underlying and decision time with quotes, sorted by underlying and asof. Without two
        expirations around 30 days, or without quotes on both sides of the forward, `reason` says so.

    Notes
    -----
    The Cboe takes expirations of 23 to 37 days; here the two nearest around 30 days count if they are at
    least 15 and at most 60 days away, because few underlyings have weekly options. American options are
    taken as they are, as in the Cboe's indices on single stocks.
    """
    rows = [
        _index_row(chain, session, rate)
        for _, chain in _chains(quotes, session).group_by(GROUP, maintain_order=True)
    ]
    return pl.DataFrame(rows, schema=table("volatility_indices").columns).sort(GROUP)


def _chains(quotes: pl.DataFrame, session: Session) -> pl.DataFrame:
    """Return one row for each strike, call and put side by side, at each decision time."""
    symbol = pl.col("occ_symbol")
    root = symbol.str.head(symbol.str.len_chars() - _OCC_TAIL)
    latest = at_decisions(quotes, session, "quote").with_columns(root=root).filter(~root.str.contains(r"\d$"))
    key = [*GROUP, "root", "expiration", "strike"]
    is_call = pl.col("option_type") == "C"
    sides = {
        f"{name}_{side}": pl.col(f"{side}_price").filter(chosen).first()
        for name, chosen in (("call", is_call), ("put", ~is_call))
        for side in ("bid", "ask")
    }
    return latest.group_by(key).agg(pl.col("available_at").max(), **sides).sort(key)


def _index_row(chain: pl.DataFrame, session: Session, rate: Callable[[float], float]) -> dict[str, Any]:
    underlying, asof = chain.select(GROUP).row(0)
    row: dict[str, Any] = dict.fromkeys(table("volatility_indices").columns)
    row |= {
        "date": session.date,
        "asof": asof,
        "underlying": underlying,
        "bar": "quote",
        "available_at": chain["available_at"].max(),
    }
    around = _around(chain, asof)
    if around is None:
        return row | {"reason": "no expirations around 30 days"}
    terms = []
    for name, (root, expiration, minutes) in zip(("near", "next"), around, strict=True):
        of_term = chain.filter(pl.col("root") == root, pl.col("expiration") == expiration)
        sides = {side: of_term[side].fill_null(np.nan).to_numpy() for side in _SIDES}
        years = minutes / MINUTES_PER_YEAR
        found = term_variance(of_term["strike"].to_numpy(), **sides, years=years, rate=rate(minutes / 1440.0))
        if not isinstance(found, TermVariance):
            return row | {"reason": f"{name} expiration: {found}"}
        row |= {
            f"{name}_expiration": expiration,
            f"{name}_variance": found.variance,
            f"{name}_forward": found.forward,
            f"{name}_strikes": len(found.strikes),
        }
        terms.append((found.variance, minutes))
    value = index_value(*terms[0], *terms[1])
    return row | ({"value": value} if np.isfinite(value) else {"reason": "negative variance"})


def _around(chain: pl.DataFrame, asof: int) -> list[tuple[str, date, float]] | None:
    """Return root, expiration and minutes of the expirations before and after 30 days."""
    terms = chain.select("root", "expiration").unique(maintain_order=True).rows()
    timed = sorted(
        ((settlement_ns(expiration, root) - asof) / NS_PER_MINUTE, root, expiration)
        for root, expiration in terms
    )
    near = [each for each in timed if TARGET_MINUTES / _FARTHEST <= each[0] <= TARGET_MINUTES]
    later = [each for each in timed if TARGET_MINUTES < each[0] <= TARGET_MINUTES * _FARTHEST]
    if not near or not later:
        return None
    return [(root, expiration, minutes) for minutes, root, expiration in (near[-1], later[0])]
