"""Train = serve: at every decision time the live path gives the values that `featurize` stores."""

import shutil
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal

import numpy as np
import polars as pl
import pytest

from features.catalog import catalog
from features.context import needs
from pipelines.chain import SessionTerms
from pipelines.featurize import featurize
from pipelines.inputs import compute, read_facts
from pipelines.live_features import history, live_features
from pipelines.rates import rate_for
from pipelines.session import SessionPlan, TradingDesk
from pipelines.trade import run_session
from strikelake.brokers.memory import MemoryBroker
from strikelake.calendar import session, sessions
from strikelake.journal.intents import IntentJournal
from strikelake.lake.store import Lake
from strikelake.portfolio import Account
from strikelake.risk.limits import RiskRules, limits_for
from strikelake.risk.tiers import Tier
from strikelake.strategy.signals import decision_times

ORDINARY = (date(2025, 2, 12), date(2025, 2, 14), date(2025, 2, 18))
UNEVEN = date(2025, 2, 18)
HALF_DAY, AFTER = date(2024, 12, 24), date(2024, 12, 26)


@pytest.fixture(scope="module")
def ordinary(priced_lake, tmp_path_factory):
    lake = Lake(shutil.copytree(priced_lake.root, tmp_path_factory.mktemp("ordinary") / "lake"))
    featurize(lake, ORDINARY[0], ORDINARY[-1], bar="30m")
    return lake


@pytest.fixture(scope="module")
def uneven(priced_lake, tmp_path_factory):
    """MSFT's first trade is at 10:05, and AAPL was silent for so long that its series starts anew."""
    lake = Lake(shutil.copytree(priced_lake.root, tmp_path_factory.mktemp("uneven") / "lake"))
    late = session(UNEVEN).open_ns + 35 * 60 * 10**9
    _keep(lake, UNEVEN, (pl.col("ticker") != "MSFT") | (pl.col("ts_ns") >= late))
    for day in sessions(date(2025, 2, 6), date(2025, 2, 14)):
        _keep(lake, day.date, pl.col("ticker") != "AAPL")
    featurize(lake, UNEVEN, UNEVEN, bar="30m")
    return lake


@pytest.fixture(scope="module")
def halved(market_lake, tmp_path_factory):
    """The same minutes on dates with two half days, which then trade on after their close."""
    lake = Lake(tmp_path_factory.mktemp("halved"))
    days = market_lake.sessions("stock_minute_bars")
    moved = sessions(date(2024, 11, 1), AFTER)[-len(days) :]
    for day, to in zip(days, moved, strict=True):
        shift = to.open_ns - session(day).open_ns
        rows = market_lake.scan("stock_minute_bars", day, day).with_columns(
            pl.col("ts_ns", "available_at") + shift, date=pl.lit(to.date)
        )
        lake.replace("stock_minute_bars", to.date, rows.collect())
    splits = market_lake.scan("corporate_actions").collect().clear()
    lake.overwrite("corporate_actions", splits)
    featurize(lake, HALF_DAY, AFTER, bar="30m")
    return lake


def _keep(lake, day, rows):
    lake.replace("stock_minute_bars", day, lake.scan("stock_minute_bars", day, day).filter(rows).collect())


def _today(lake, day):
    return lake.scan("stock_minute_bars", day, day).collect()


def _live(lake, day, asof):
    known = history(lake, day)
    return live_features(known.bars, _today(lake, day), known.facts, asof)


def _assert_stored(lake, live, asof):
    rows = lake.scan("features").filter(pl.col("asof") == asof).collect()
    batch = rows.pivot(on="feature", index=["asof", "underlying"], values="value").sort("underlying")
    assert live.height > 0
    assert live.select("asof", "underlying").equals(batch.select("asof", "underlying"))
    for name in catalog():
        assert live[name].is_null().to_list() == batch[name].is_null().to_list()
    np.testing.assert_allclose(live.select(*catalog()), batch.select(*catalog()), rtol=1e-9, atol=1e-12)


def test_every_decision_where_news_is_told_during_the_session(told_lake, tmp_path):
    lake = Lake(shutil.copytree(told_lake.root, tmp_path / "lake"))
    day = ORDINARY[-1]
    opened = session(day).open_ns
    news = lake.scan("news", day, day).collect()
    assert news.height == 2
    assert (news["available_at"] > opened).all()
    featurize(lake, day, day, bar="30m")
    known = history(lake, day)
    for asof in decision_times(session(day)):
        live = live_features(known.bars, _today(lake, day), known.facts, asof)
        _assert_stored(lake, live, asof)
        assert live.filter(underlying="AAPL")["news_sentiment_5d"].count() == 1


def test_an_article_of_a_weekend_counts_wherever_a_run_begins(told_lake, tmp_path):
    lake = Lake(shutil.copytree(told_lake.root, tmp_path / "lake"))
    saturday, friday = date(2025, 2, 8), date(2025, 2, 14)
    article = lake.scan("news", friday, friday, underlyings=["AAPL"]).collect()
    told = session(friday).open_ns - 6 * 86_400_000_000_000
    moved = {"date": pl.lit(saturday), "ts_ns": pl.lit(told), "available_at": pl.lit(told)}
    lake.replace("news", saturday, article.with_columns(**moved, article_id=pl.lit("weekend")))
    names = ["news_volume_5d", "news_sentiment_5d"]
    long = compute(lake, saturday - timedelta(days=9), friday, bar="30m", names=names)
    alone = compute(lake, friday, friday, bar="30m", names=names)
    assert alone.equals(long.filter(date=friday))
    lake.replace("news", saturday, article.clear())
    assert not compute(lake, friday, friday, bar="30m", names=names).equals(alone)


@pytest.mark.parametrize("day", ORDINARY)
def test_every_decision_of_a_session(ordinary, day):
    known = history(ordinary, day)
    for asof in decision_times(session(day)):
        _assert_stored(ordinary, live_features(known.bars, _today(ordinary, day), known.facts, asof), asof)


def test_at_the_close_the_sessions_own_options_are_needed(ordinary):
    day = ORDINARY[-1]
    asof, known = session(day).close_ns, history(ordinary, day)
    live = live_features(
        known.bars, _today(ordinary, day), read_facts(ordinary, day, day, needs(catalog().values())), asof
    )
    _assert_stored(ordinary, live, asof)


def test_a_session_that_one_symbol_starts_late_and_another_starts_anew(uneven):
    times = decision_times(session(UNEVEN))
    for asof in times:
        _assert_stored(uneven, _live(uneven, UNEVEN, asof), asof)
    first = _live(uneven, UNEVEN, times[0])
    assert first["underlying"].to_list() == ["AAPL", "QQQ", "SPY"]
    assert first.filter(pl.col("underlying") == "AAPL")["return_1"].to_list() == [None]


@pytest.mark.parametrize(("day", "decisions"), [(HALF_DAY, 6), (AFTER, 12)])
def test_a_half_day_and_the_session_after_it(halved, day, decisions):
    times = decision_times(session(day))
    assert len(times) == decisions
    for asof in (*times, session(day).close_ns):
        _assert_stored(halved, _live(halved, day, asof), asof)


@dataclass
class Replay:
    """A session of the lake, told minute by minute."""

    lake: Lake

    def prepare(self, tickers, start_ns, asof):
        """Everything is at hand."""

    def minute_bars(self, tickers, start_ns, end_ns):
        known = (pl.col("ts_ns") >= start_ns) & (pl.col("available_at") <= end_ns)
        bars = self.lake.scan("stock_minute_bars", underlyings=tickers).filter(known)
        return bars.collect()

    def chain(self, underlying, **_):
        raise AssertionError(underlying)


@dataclass
class Witness:
    """Keeps what it is asked to score, and never has an opinion."""

    features: tuple[str, ...]
    bar: str = "30m"
    horizon: int = 2
    seen: dict[int, pl.DataFrame] = field(default_factory=dict)

    def predict(self, frame):
        self.seen[frame["asof"][0]] = frame
        return frame.select("asof", "underlying", probability=pl.lit(0.5))


class Instant:
    """A clock that is where it is sent."""

    def __init__(self, start):
        self.time = start

    def now(self):
        return self.time

    def sleep_until(self, moment):
        self.time = max(self.time, moment)


def test_a_whole_session_through_the_trader(ordinary, tmp_path):
    day = session(ORDINARY[-1])
    known = history(ordinary, day.date)
    clock, witness = Instant(day.open_ns), Witness(tuple(catalog()))
    broker = MemoryBroker(Account("A1", Decimal(10**5), Decimal(10**5), Decimal(10**5), 3), clock)
    names = tuple(sorted(known.bars["underlying"].unique()))
    tier = Tier("all", Decimal(0), names, 5, Decimal("0.02"), 5, 1_000, None)
    limits = limits_for(tier, "medium", RiskRules())
    terms = SessionTerms(day, rate_for(None, 0.04))
    plan = SessionPlan(day.date, names, limits, known.bars, known.facts, terms)
    with IntentJournal(tmp_path / "j.db") as journal:
        report = run_session(TradingDesk(broker, Replay(ordinary), clock, witness, journal), plan)

    assert (report.decisions, report.problems) == (12, ())
    assert tuple(witness.seen) == decision_times(day)
    for asof, live in witness.seen.items():
        _assert_stored(ordinary, live, asof)
