"""A made-up market that the engine can replay: random walks, Black-Scholes quotes, fixed spreads."""

from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal

import numpy as np
import polars as pl
import pytest

from pipelines.chain import SessionTerms, chain_at
from pipelines.rates import rate_for
from strikelake.calendar import NS_PER_MINUTE, NS_PER_SECOND, Session, sessions
from strikelake.contracts import OptionContract, expiry_ns
from strikelake.portfolio import Account
from strikelake.pricing import european
from strikelake.pricing.options import Options
from strikelake.pricing.rates import years_between
from strikelake.risk.limits import Limits, RiskRules, limits_for
from strikelake.risk.tiers import Tier, TrainingPlan
from strikelake.strategy.signals import Signal, decision_times, exit_time

RATE = 0.04


@dataclass
class MadeMarket:
    """Every contract quoted every five minutes, each underlying priced every minute."""

    names: tuple[str, ...]
    days: tuple[Session, ...]
    vol: float = 0.25
    spread: float = 0.03
    strikes: int = 8
    expirations: int = 4
    paths: dict = field(init=False)

    def __post_init__(self):
        rng = np.random.default_rng(11)
        step = self.vol / np.sqrt(252 * 390)
        self.paths = {}
        for name in self.names:
            level = 100.0
            for day in self.days:
                minutes = (day.close_ns - day.open_ns) // NS_PER_MINUTE
                path = level * np.exp(np.cumsum(step * rng.normal(size=minutes)))
                self.paths[name, day.date] = path
                level = path[-1]

    def quotes(self, session):
        return pl.concat([self._quotes(name, session) for name in self.names])

    def prices(self, session):
        parts = []
        for name in self.names:
            path = self.paths[name, session.date]
            ends = session.open_ns + NS_PER_MINUTE * np.arange(1, len(path) + 1)
            parts.append(
                pl.DataFrame({"underlying": [name] * len(path), "available_at": ends, "price": path})
            )
        return pl.concat(parts)

    def chain(self, session, quotes, prices, asof, solve):
        return chain_at(quotes, prices, asof, SessionTerms(session, rate_for(None, RATE)), solve)

    def correlations(self, session):  # noqa: ARG002 - as above
        return {frozenset((a, b)): 0.0 for a in self.names for b in self.names if a != b}

    def splits(self, after, session):  # noqa: ARG002 - as above
        return ()

    def _quotes(self, name, session):
        path = self.paths[name, session.date]
        fridays = [session.date + timedelta(days=(4 - session.date.weekday()) % 7 + 7 * k) for k in range(4)]
        opening = round(self.paths[name, session.date][0])
        parts = []
        for expiration in fridays[: self.expirations]:
            for offset in range(self.strikes):
                strike = float(opening + 2 * (offset - self.strikes // 2))
                for k, kind in enumerate("CP"):
                    parts.append(
                        self._contract(name, session, path, expiration, strike, kind, offset * 2 + k)
                    )
        return pl.concat(parts)

    def _contract(self, name, session, path, expiration, strike, kind, offset):
        minutes = np.arange(5, len(path) + 1, 5)
        ts = session.open_ns + minutes * NS_PER_MINUTE - (30 + offset) * NS_PER_SECOND
        years = years_between(ts, expiry_ns(expiration))
        options = Options(1 if kind == "C" else -1, path[minutes - 1], strike, years, RATE)
        fair = european.price(options, self.vol)
        bid = np.round(fair * (1 - self.spread / 2), 2)
        symbol = OptionContract(name, expiration, kind, Decimal(str(strike))).occ_symbol
        return pl.DataFrame(
            {"ts_ns": ts, "bid_price": bid, "ask_price": np.round(fair * (1 + self.spread / 2) + 0.01, 2)}
        ).select(
            pl.lit(symbol).alias("occ_symbol"),
            pl.lit(name).alias("underlying"),
            pl.lit(expiration).alias("expiration"),
            pl.lit(kind).alias("option_type"),
            pl.lit(strike).alias("strike"),
            "ts_ns",
            pl.when(pl.col("bid_price") > 0).then("bid_price").alias("bid_price"),
            "ask_price",
        )


@pytest.fixture(scope="session")
def made_limits():
    """Limits of an account that trades the names given; keyword arguments replace risk rules."""

    def make(names: tuple[str, ...], **rules: object) -> Limits:
        plan = TrainingPlan(60, ("forest",), 0)
        tier = Tier("made", Decimal(0), names, 5, Decimal("0.03"), 10, 2_000, plan)
        return limits_for(tier, "medium", RiskRules(**{"min_dte": 3, **rules}))

    return make


@pytest.fixture(scope="session")
def made_account():
    return Account("backtest", Decimal(50_000), Decimal(50_000), Decimal(50_000), options_level=3)


@pytest.fixture(scope="session")
def made_market():
    return MadeMarket(("AAA", "BBB"), sessions(date(2025, 1, 6), date(2025, 1, 17)))


@pytest.fixture(scope="session")
def made_signals():
    """One random signal per underlying at every n-th decision of the sessions given."""

    def make(names, days, *, every=3, horizon=4, seed=5):
        rng = np.random.default_rng(seed)
        times = [moment for day in days for moment in decision_times(day)][::every]
        return [
            Signal(asof, name, exit_time(asof, "30m", horizon), float(rng.uniform(0.2, 0.8)))
            for asof in times
            for name in names
        ]

    return make
