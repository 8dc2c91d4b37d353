"""A decision rehearsed just before it is made, so that no real one pays for what was not used for a while."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from pipelines.chain import chain_at
from pipelines.live_features import live_features
from pipelines.observe import QUOTE_COLUMNS, traded_prices
from pipelines.predict import predict
from strikelake.calendar import NS_PER_MINUTE
from strikelake.contracts import OptionContract, expiry_ns
from strikelake.decide import DayState, decide
from strikelake.pricing import european
from strikelake.pricing.options import Options
from strikelake.pricing.rates import years_between
from strikelake.pricing.warm import compile_kernels
from strikelake.strategy.signals import Signal, exit_time

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipelines.predict import Forecaster
    from pipelines.session import SessionPlan
    from strikelake.calendar import Session
    from strikelake.contracts import OptionType
    from strikelake.portfolio import Account

_PRICE = 100.0
_VOL = 0.3
_STRIKES = np.linspace(0.9, 1.1, 21)
"""Strikes as shares of the price."""
_SPREAD = 1.01
"""Ask as a share of the bid."""
_CERTAIN = 0.99


def rehearse(asof: int, day: Session, account: Account, scorer: Forecaster, plan: SessionPlan) -> None:
    """Go through the decision at `asof` on made-up prices, up to the orders, and forget them.

    Before the session this pays imports and first calls; before each decision it brings back what half an
    hour of waiting has driven out of the processor's caches, a fifth of a decision's time.

    Nothing is asked, written or sent. The moment, the calendar's years, the history and the number of
    underlyings are the real ones, and every underlying gets a signal and a chain. What would stop each
    decision of the session, such as a feature that does not exist, stops it here.
    """
    # What is made up below may need fewer kernels than the market will: those of dividends, say.
    compile_kernels()
    minutes = _minutes(day, asof, plan)
    features = live_features(
        plan.history_bars, minutes, plan.facts, asof, bar=scorer.bar, names=scorer.features
    )
    predict(scorer, features)
    prices = dict(minutes.group_by("ticker").agg(pl.col("close").last()).iter_rows())
    chain = chain_at(_quotes(day, asof, prices, plan), traded_prices(minutes), asof, plan.terms)
    exit_at = exit_time(asof, scorer.bar, scorer.horizon)
    signals = [Signal(asof, name, exit_at, _CERTAIN) for name in plan.underlyings]
    state = DayState(day, account.equity, correlations=plan.correlations)
    decide(asof, account, (), signals, chain, plan.limits, state)


def _minutes(day: Session, asof: int, plan: SessionPlan) -> pl.DataFrame:
    """Return a minute bar of every underlying for every minute up to `asof`, at its last price."""
    last = plan.history_bars.group_by("underlying", maintain_order=True).agg(pl.col("close").last())
    known: Mapping[str, float] = dict(last.iter_rows())
    starts = range(day.open_ns, asof, NS_PER_MINUTE)
    rows = [(name, start, known.get(name, _PRICE)) for name in plan.underlyings for start in starts]
    columns = {"ticker": pl.String, "ts_ns": pl.Int64, "close": pl.Float64}
    return pl.DataFrame(rows, schema=columns, orient="row").with_columns(
        date=pl.lit(day.date),
        open="close",
        high="close",
        low="close",
        volume=pl.lit(1.0),
        available_at=pl.col("ts_ns") + NS_PER_MINUTE,
    )


def _quotes(day: Session, asof: int, prices: Mapping[str, float], plan: SessionPlan) -> pl.DataFrame:
    """Return a chain of one expiration for every underlying, priced by the model."""
    expiration = day.date + timedelta(days=plan.limits.max_dte)
    years = float(years_between(asof, expiry_ns(expiration)))
    kinds: tuple[tuple[OptionType, float], ...] = (("C", 1.0), ("P", -1.0))
    rows = []
    for name, spot in prices.items():
        strikes = np.unique(np.round(_STRIKES * spot, 2))
        for kind, sign in kinds:
            fair = european.price(Options(sign, spot, strikes, years, plan.terms.rate(365.0 * years)), _VOL)
            for strike, bid in zip(strikes.tolist(), fair.tolist(), strict=True):
                symbol = OptionContract(name, expiration, kind, Decimal(str(strike))).occ_symbol
                rows.append((symbol, name, expiration, kind, strike, asof, bid, bid * _SPREAD))
    return pl.DataFrame(rows, schema=QUOTE_COLUMNS, orient="row")
