"""A whole session against the local market, with a broker that fails in both ways it can."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from urllib.request import Request, urlopen

import numpy as np
import polars as pl
import pytest

from features.bars import resample
from pipelines.chain import SessionTerms
from pipelines.rates import rate_for
from pipelines.trade import SessionPlan, TradingDesk, run_session
from strikelake.brokers.alpaca import AlpacaBroker
from strikelake.calendar import NS_PER_MINUTE, NS_PER_SECOND, et_ns, session
from strikelake.journal.intents import IntentJournal
from strikelake.orders import OrderStatus
from strikelake.risk.limits import Limits
from strikelake.sandbox.clock import SandboxClock
from strikelake.sandbox.config import SimulatorConfig
from strikelake.sandbox.launch import RunningSandbox, start
from strikelake.vendors.live import LiveMarketData
from strikelake.vendors.rest import RestMarketData

SYMBOLS = ("IWM", "SPY", "TSLA")


@dataclass
class FaultyClock:
    """The sandbox's clock; at two decisions it makes the broker fail on the next order."""

    inner: SandboxClock
    sandbox: RunningSandbox
    faults: dict[int, str] = field(default_factory=dict)

    def now(self) -> int:
        return self.inner.now()

    def sleep_until(self, moment: int) -> None:
        self.inner.sleep_until(moment)
        if name := self.faults.pop(moment, None):
            body = json.dumps({"name": name, "times": 1}).encode()
            urlopen(Request(f"{self.sandbox.control_url}/sandbox/fault", body)).close()


class Coin:
    """Forecasts without sense, the same in every run."""

    features = ("return_1",)
    bar = "30m"
    horizon = 2

    def __init__(self) -> None:
        self.random = np.random.default_rng(5)

    def predict(self, frame: pl.DataFrame) -> pl.DataFrame:
        probability = self.random.uniform(0.2, 0.8, frame.height)
        return frame.select("asof", "underlying").with_columns(probability=probability)


@pytest.fixture(scope="module")
def market_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the market is simulated once; every test has a server and a broker of its own."""
    return tmp_path_factory.mktemp("sandbox") / "market"


@pytest.fixture
def sandbox(market_folder: Path) -> Iterator[RunningSandbox]:
    with start(SimulatorConfig(symbols=SYMBOLS, sessions=2), market_folder) as running:
        yield running


def minutes(sandbox: RunningSandbox) -> pl.DataFrame:
    files = sorted((sandbox.directory / "flatfiles").rglob("us_stocks_sip/minute_aggs_v1/**/*.csv.gz"))
    frame = pl.concat([pl.read_csv(file) for file in files]).rename({"window_start": "ts_ns"})
    stamp = pl.from_epoch("ts_ns", "ns").dt.replace_time_zone("UTC").dt.convert_time_zone("America/New_York")
    return frame.with_columns(
        date=stamp.dt.date(),
        available_at=pl.col("ts_ns") + NS_PER_MINUTE,
        volume=pl.col("volume").cast(pl.Float64),
    )


def plan(sandbox: RunningSandbox) -> SessionPlan:
    limits = Limits(
        universe=frozenset(SYMBOLS),
        max_positions=3,
        risk_per_trade=Decimal("0.03"),
        max_daily_loss=Decimal("0.05"),
        max_portfolio_risk=Decimal("0.15"),
        position_limit=Decimal("0.20"),
        stop_loss=Decimal("0.40"),
        profit_target=Decimal("0.60"),
        max_correlation=0.70,
        max_spread=Decimal("0.15"),
        max_quote_age_ns=900 * NS_PER_SECOND,
        min_edge=0.02,
        delta_target=0.45,
        delta_tolerance=0.20,
        min_dte=5,
        max_dte=45,
        limit_slippage=Decimal("0.02"),
        fee_per_contract=Decimal("0.65"),
    )
    pairs = {frozenset({a, b}): 0.0 for a in SYMBOLS for b in SYMBOLS if a < b}
    bars = resample(minutes(sandbox))
    terms = SessionTerms(session(sandbox.live_session), rate_for(None, 0.04))
    return SessionPlan(sandbox.live_session, SYMBOLS, limits, bars, None, terms, pairs)


def test_a_whole_session_leaves_books_that_agree(sandbox: RunningSandbox, tmp_path: Path) -> None:
    day = sandbox.live_session
    clock = FaultyClock(SandboxClock(sandbox.clock_url), sandbox)
    clock.faults = {et_ns(day, "10:00"): "broker.http_500", et_ns(day, "11:00"): "broker.http_500_after"}
    broker = AlpacaBroker(sandbox.broker_key, sandbox.broker_secret, url=sandbox.broker_url)
    market = LiveMarketData(RestMarketData(sandbox.api_key, sandbox.rest_url), clock)

    with IntentJournal(tmp_path / "j.db") as journal:
        report = run_session(TradingDesk(broker, market, clock, Coin(), journal), plan(sandbox))
        records = journal.records(report.account_id)
        unknown = [
            r for r in records if "unknown" in {s for s, _ in journal.history(r.intent.client_order_id)}
        ]

    assert report.decisions == 12
    assert len(unknown) == 2
    assert report.orders.get("filled", 0) >= 10
    assert set(report.orders) <= {"filled", "canceled", "expired"}
    assert sorted(report.client_order_ids) == sorted(placed(sandbox))
    assert (report.differences.lines(), report.problems) == ((), ())
    assert broker.open_orders() == []
    assert report.closing_equity == broker.account().equity


def test_rejects_and_partial_fills_leave_books_that_agree(sandbox: RunningSandbox, tmp_path: Path) -> None:
    for name, times in (("broker.partial_fill", 3), ("broker.reject", 2)):
        body = json.dumps({"name": name, "times": times}).encode()
        urlopen(Request(f"{sandbox.control_url}/sandbox/fault", body)).close()
    clock = SandboxClock(sandbox.clock_url)
    broker = AlpacaBroker(sandbox.broker_key, sandbox.broker_secret, url=sandbox.broker_url)
    market = LiveMarketData(RestMarketData(sandbox.api_key, sandbox.rest_url), clock)

    with IntentJournal(tmp_path / "j.db") as journal:
        report = run_session(TradingDesk(broker, market, clock, Coin(), journal), plan(sandbox))

    states = [broker.order(name) for name in report.client_order_ids]
    assert report.orders["rejected"] == 2
    assert [s for s in states if s and s.status is not OrderStatus.FILLED and s.filled_quantity] != []
    assert (report.differences.lines(), report.problems) == ((), ())
    assert report.closing_equity == broker.account().equity


def placed(sandbox: RunningSandbox) -> list[str]:
    """Return the client_order_ids of every order that the broker ever took."""
    keys = {"APCA-API-KEY-ID": sandbox.broker_key, "APCA-API-SECRET-KEY": sandbox.broker_secret}
    asked = Request(f"{sandbox.broker_url}/v2/orders?status=all&limit=500&nested=true", headers=keys)
    with urlopen(asked) as answer:
        return [order["client_order_id"] for order in json.load(answer)]
