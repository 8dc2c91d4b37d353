"""The rehearsal goes all the way to orders, on made-up prices, and leaves nothing behind."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import polars as pl
import pytest

from features.bars import COLUMNS
from features.catalog import catalog
from pipelines import rehearse as rehearsal
from pipelines.chain import SessionTerms
from pipelines.rates import rate_for
from pipelines.rehearse import rehearse
from pipelines.session import SessionPlan
from strikelake.calendar import session
from strikelake.decide import decide
from strikelake.portfolio import Account
from strikelake.risk.limits import RiskRules, limits_for
from strikelake.risk.tiers import Tier, TrainingPlan
from strikelake.strategy.signals import decision_times

NAMES = ("BRK.B", "SPY", "TSLA")
ACCOUNT = Account("A1", Decimal(10**6), Decimal(10**6), Decimal(10**6), 3)


class Even:
    features = tuple(catalog())
    bar = "30m"
    horizon = 2

    def predict(self, frame):
        return frame.select("asof", "underlying", probability=pl.lit(0.5))


def _plan(day, **other):
    tier = Tier("all", Decimal(0), NAMES, 3, Decimal("0.02"), 5, 1_000, TrainingPlan(1, (), 0))
    limits = replace(limits_for(tier, "medium", RiskRules()), max_portfolio_risk=Decimal(1))
    pairs = {frozenset({a, b}): 0.0 for a in NAMES for b in NAMES if a < b}
    bars = pl.DataFrame(schema=COLUMNS)
    terms = SessionTerms(session(day), rate_for(None, 0.04))
    return SessionPlan(day, NAMES, limits, bars, None, terms, pairs, **other)


# The second is a half day; the third has expirations and a horizon in the next year.
@pytest.mark.parametrize("day", [date(2025, 3, 3), date(2025, 7, 3), date(2025, 12, 31)])
@pytest.mark.parametrize("place", [0, -1])
def test_every_underlying_comes_to_an_order(day, place, monkeypatch):
    decisions = []

    def remember(*given):
        decisions.append(decide(*given))
        return decisions[-1]

    monkeypatch.setattr(rehearsal, "decide", remember)

    asof = decision_times(session(day))[place]
    rehearse(asof, session(day), ACCOUNT, Even(), _plan(day))

    (decision,) = decisions
    assert {asof} == {intent.asof for intent in decision.intents}
    assert sorted(intent.underlying for intent in decision.intents) == list(NAMES)
    assert decision.denials == ()
