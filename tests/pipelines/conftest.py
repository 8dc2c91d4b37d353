"""A small lake with a random market: stock minute and day bars, option day bars priced by the model."""

import shutil
from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from pipelines.analytics import analyse
from strikelake.calendar import NS_PER_MINUTE, et_ns, next_session, session, sessions
from strikelake.contracts import OptionContract, expiry_ns
from strikelake.lake.store import Lake
from strikelake.pricing import american
from strikelake.pricing.options import Options
from strikelake.pricing.rates import years_between
from strikelake.schemas import table

DAYS = sessions(date(2025, 1, 2), date(2025, 2, 18))
TICKERS = ("AAPL", "MSFT", "QQQ", "SPY")
VOL, RATE = 0.3, 0.04
SPLIT = date(2025, 2, 10)


def _minutes(rng, ticker):
    """A walk over regular hours and an hour on both sides; QQQ trades in half of its minutes."""
    starts = np.concatenate([np.arange(-60, 450) * NS_PER_MINUTE + day.open_ns for day in DAYS])
    close = np.round(100.0 * np.exp(np.cumsum(rng.normal(0.0, 0.0008, len(starts)))), 2)
    opened = np.concatenate(([100.0], close[:-1]))
    frame = pl.DataFrame(
        {
            "date": [day.date for day in DAYS for _ in range(510)],
            "ticker": ticker,
            "ts_ns": starts,
            "open": opened,
            "high": np.maximum(opened, close) + 0.01,
            "low": np.minimum(opened, close) - 0.01,
            "close": close,
            "volume": rng.integers(1, 5_000, len(starts)).astype(float),
            "transactions": 1,
            "available_at": starts + NS_PER_MINUTE,
        }
    )
    return frame.filter(pl.Series(rng.random(len(frame)) < 0.5)) if ticker == "QQQ" else frame


def _days(minutes):
    closes = pl.DataFrame({"date": [d.date for d in DAYS], "close_ns": [d.close_ns for d in DAYS]})
    regular = minutes.join(closes, on="date").filter(pl.col("available_at") <= pl.col("close_ns"))
    return (
        regular.sort("ts_ns")
        .group_by("date", "ticker", maintain_order=True)
        .agg(
            pl.lit(0, pl.Int64).alias("ts_ns"),
            pl.col("open").first(),
            pl.col("high").max(),
            pl.col("low").min(),
            pl.col("close").last(),
            pl.col("volume", "transactions").sum(),
            pl.col("close_ns").first().alias("available_at"),
        )
        .with_columns(ts_ns=pl.col("date").map_elements(lambda day: et_ns(day, "00:00"), pl.Int64))
    )


def _options(days):
    """Calls and puts of two expirations around the money on SPY and AAPL, each at the model's price."""
    rows = []
    for bar in days.filter(pl.col("ticker").is_in(["SPY", "AAPL"])).iter_rows(named=True):
        for expiration in (date(2025, 3, 21), date(2025, 4, 17)):
            years = years_between(bar["available_at"], expiry_ns(expiration))
            for strike in range(80, 125, 5):
                for side, sign in (("C", 1), ("P", -1)):
                    option = Options(sign, bar["close"], strike, years, RATE)
                    value = max(round(float(american.price(option, VOL)), 2), 0.01)
                    symbol = OptionContract(bar["ticker"], expiration, side, strike).occ_symbol
                    rows.append(
                        (
                            bar["date"],
                            symbol,
                            bar["ticker"],
                            expiration,
                            side,
                            float(strike),
                            bar["ts_ns"],
                            value,
                        )
                    )
    frame = pl.DataFrame(
        rows,
        schema=["date", "occ_symbol", "underlying", "expiration", "option_type", "strike", "ts_ns", "close"],
        orient="row",
    )
    close_ns = pl.DataFrame({"date": [d.date for d in DAYS], "available_at": [d.close_ns for d in DAYS]})
    value = pl.col("close")
    return frame.join(close_ns, on="date").with_columns(
        open=value, high=value, low=value, volume=pl.col("strike"), transactions=pl.lit(1, pl.Int64)
    )


def _yields():
    days = [DAYS[0].date - timedelta(days=1), *(d.date for d in DAYS)]
    bond_equivalent = 2.0 * (np.exp(RATE / 2.0) - 1.0)
    return pl.DataFrame(
        {
            "date": days * 2,
            "tenor_days": [30] * len(days) + [365] * len(days),
            "yield_rate": bond_equivalent,
            "available_at": [et_ns(day, "18:00") for day in days] * 2,
        }
    )


def put(lake, name, frame):
    """Write rows of any dates to a dated table."""
    columns = table(name).columns
    frame = frame.select(pl.col(column).cast(dtype) for column, dtype in columns.items())
    lake.replace_many(name, {key[0]: rows for key, rows in frame.partition_by("date", as_dict=True).items()})


def _as_traded(rows):
    """MSFT splits two for one: twice the price and half the volume before."""
    before = (pl.col("ticker") == "MSFT") & (pl.col("date") < SPLIT)
    prices = pl.col("open", "high", "low", "close")
    return rows.with_columns(
        pl.when(before).then(prices * 2.0).otherwise(prices),
        pl.when(before).then(pl.col("volume") / 2.0).otherwise(pl.col("volume")).alias("volume"),
    )


def _split():
    return pl.DataFrame(
        {
            "ticker": ["MSFT"],
            "action": ["split"],
            "ex_date": [SPLIT],
            "split_from": [1.0],
            "split_to": [2.0],
            "cash_amount": [None],
            "available_at": [et_ns(SPLIT, "09:30")],
        },
        schema=dict(table("corporate_actions").columns),
    )


@pytest.fixture(scope="session")
def market_lake(tmp_path_factory):
    """A lake to read from: bars of four tickers, a split, sectors, options of two, treasury yields."""
    rng = np.random.default_rng(11)
    lake = Lake(tmp_path_factory.mktemp("market"))
    minutes = pl.concat([_minutes(rng, ticker) for ticker in TICKERS])
    days = _days(minutes)
    put(lake, "stock_minute_bars", _as_traded(minutes))
    put(lake, "stock_day_bars", _as_traded(days))
    put(lake, "option_day_bars", _options(days))
    lake.overwrite("corporate_actions", _split())
    lake.overwrite("classifications", _sectors())
    lake.overwrite("treasury_yields", _yields().cast(dict(table("treasury_yields").columns)))
    return lake


@pytest.fixture(scope="session")
def priced_lake(market_lake, tmp_path_factory):
    """The market lake with option_analytics, to read from."""
    lake = Lake(shutil.copytree(market_lake.root, tmp_path_factory.mktemp("priced") / "lake"))
    analyse(lake, DAYS[0].date, DAYS[-1].date)
    return lake


def _told(rng, contracts):
    """Rows of every table of dated facts, of AAPL and SPY and the market, by table."""
    days = pl.DataFrame(
        {
            "date": [day.date for day in DAYS],
            "open_ns": [day.open_ns for day in DAYS],
            "close_ns": [day.close_ns for day in DAYS],
            "morning": [et_ns(next_session(day.date).date, "06:30") for day in DAYS],
        }
    )
    both = days.join(pl.DataFrame({"ticker": ["AAPL", "SPY"]}), how="cross")
    value = pl.Series(rng.uniform(10.0, 30.0, both.height))
    bars = [
        (day.date, min(start + 30 * NS_PER_MINUTE, day.close_ns))
        for day in DAYS
        for start in range(day.open_ns, day.close_ns, 30 * NS_PER_MINUTE)
    ]
    halves = pl.DataFrame(bars, schema=["date", "asof"], orient="row")
    reports = [(DAYS[0], DAYS[0].open_ns), (DAYS[-1], DAYS[5].open_ns)]
    return {
        "open_interest": contracts.join(days, on="date").with_columns(
            open_interest=pl.Series(rng.integers(1, 5_000, contracts.height)), available_at="morning"
        ),
        "surfaces": both.select(
            "date",
            asof="close_ns",
            underlying="ticker",
            available_at="close_ns",
            bar=pl.lit("1d"),
            atm_iv_30d=value / 100.0,
            risk_reversal_25d=value / 500.0,
            butterfly_25d=value / 900.0,
            term_slope=value / 700.0,
            expirations=1,
            contracts=1,
        ),
        "index_day_bars": days.select(
            "date",
            ticker=pl.lit("I:VIX"),
            ts_ns="open_ns",
            available_at="close_ns",
            **{name: value[: len(DAYS)] for name in ("open", "high", "low", "close")},
        ),
        "volatility_indices": halves.select(
            "date",
            "asof",
            underlying=pl.lit("SPY"),
            bar=pl.lit("quote"),
            value=pl.Series(rng.uniform(10.0, 30.0, halves.height)),
            available_at=pl.col("asof") - NS_PER_MINUTE,
        ),
        "news": both.select(
            "date",
            "ticker",
            article_id=pl.format("{} {}", "date", "ticker"),
            ts_ns=pl.col("close_ns") - 90 * NS_PER_MINUTE,
            title=pl.lit("news"),
            sentiment=pl.Series(rng.choice(["positive", "neutral", "negative"], both.height)),
            available_at=pl.col("close_ns") - 90 * NS_PER_MINUTE,
        ),
        "earnings": pl.DataFrame(
            [(day.date, name, day.close_ns, known) for day, known in reports for name in ("AAPL", "SPY")],
            schema=["date", "ticker", "report_ns", "available_at"],
            orient="row",
        ),
    }


def _sectors():
    """Everyone is filed under software until QQQ is known, from a late session on, to be a shop."""
    first, later = DAYS[0], session(date(2025, 2, 14))
    rows = [(first.date, name, "CS", 7372, first.open_ns) for name in TICKERS]
    rows.append((date(2025, 1, 15), "QQQ", "CS", 5961, later.open_ns))
    columns = ["date", "ticker", "security_type", "sic_code", "available_at"]
    frame = pl.DataFrame(rows, schema=columns, orient="row").with_columns(asked_ns=None)
    return frame.select(pl.col(name).cast(kind) for name, kind in table("classifications").columns.items())


@pytest.fixture(scope="session")
def told_lake(priced_lake, tmp_path_factory):
    """The priced lake with rows in every table of dated facts that features read."""
    lake = Lake(shutil.copytree(priced_lake.root, tmp_path_factory.mktemp("told") / "lake"))
    contracts = lake.scan("option_day_bars").select(
        "date", "occ_symbol", "underlying", "expiration", "option_type", "strike"
    )
    for name, rows in _told(np.random.default_rng(12), contracts.collect()).items():
        absent = [pl.lit(None).alias(each) for each in table(name).columns if each not in rows.columns]
        put(lake, name, rows.with_columns(absent))
    return lake


@pytest.fixture
def lake(market_lake, tmp_path):
    """A copy of the market lake that a test may write to."""
    return Lake(shutil.copytree(market_lake.root, tmp_path / "lake"))
