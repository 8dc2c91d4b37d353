"""Reference data of the simulated market: what is announced by its live session, as CSV files."""

from __future__ import annotations

import json
import uuid
from datetime import date
from typing import TYPE_CHECKING

import polars as pl

from strikelake.sandbox import news
from strikelake.sandbox.classifications import classifications
from strikelake.sandbox.indices import LEVEL, VOLATILITY
from strikelake.sandbox.paths import Stream, generator

if TYPE_CHECKING:
    from pathlib import Path

    from strikelake.sandbox.config import SimulatorConfig
    from strikelake.sandbox.simulator import Market

_LISTED = date(1990, 1, 2)
_NASDAQ, _NYSE, _ARCA = "XNAS", "XNYS", "ARCX"
_ON_NYSE = {"CRM", "HD", "JNJ", "JPM", "MA", "PG", "UNH", "V", "XOM"}
_SURPRISE = 0.05


def write(market: Market, folder: Path) -> None:
    """Write splits, dividends, earnings, treasury curves, tickers, what they are filed under, and news."""
    folder.mkdir()
    config, today = market.config, market.live.date
    frames = {
        "splits": _splits(market),
        "dividends": _dividends(market),
        "earnings": _earnings(config, market, today),
        "treasury_curves": market.curves,
        "tickers": _tickers(config),
        "classifications": classifications(config, _LISTED, today),
    }
    for name, frame in frames.items():
        frame.write_csv(folder / f"{name}.csv")
    lines = [json.dumps(article) for article in news.articles(config, market.paths)]
    (folder / "news.jsonl").write_text("".join(f"{line}\n" for line in lines))


def write_open_interest(interest: pl.DataFrame, folder: Path) -> None:
    """Write what was open after each published session, as a clearing house lists it."""
    interest.select("date", "ticker", "open_interest").write_csv(folder / "open_interest.csv")


def _splits(market: Market) -> pl.DataFrame:
    shown = [split for split in market.plan.splits if split.declared <= market.live.date]
    columns = {"ticker": pl.String, "execution_date": pl.Date, "split_from": pl.Int64, "split_to": pl.Int64}
    rows = [(s.ticker, s.ex_date, s.old, s.new, s.declared) for s in shown]
    return pl.DataFrame(rows, schema=columns | {"declaration_date": pl.Date}, orient="row")


def _dividends(market: Market) -> pl.DataFrame:
    shown = [d for paid in market.plan.dividends for d in paid if d.declared <= market.live.date]
    rows = [(d.ticker, d.ex_date, d.amount, d.declared, d.ex_date, d.paid, 4, "CD") for d in shown]
    columns = {
        "ticker": pl.String,
        "ex_dividend_date": pl.Date,
        "cash_amount": pl.Float64,
        "declaration_date": pl.Date,
        "record_date": pl.Date,
        "pay_date": pl.Date,
        "frequency": pl.Int64,
        "dividend_type": pl.String,
    }
    return pl.DataFrame(rows, schema=columns, orient="row").sort("ex_dividend_date", "ticker")


def _earnings(config: SimulatorConfig, market: Market, today: date) -> pl.DataFrame:
    """Return reports whose dates are known; earnings per share once they are out, with a random surprise."""
    rows = []
    for stock, planned in zip(config.stocks, market.plan.reports, strict=True):
        rng = generator(config, Stream.REPORTS, stock.number)
        for report in (r for r in planned if r.announced <= today):
            estimate = round(stock.price / 100.0, 2)
            actual = round(estimate * (1.0 + _SURPRISE * rng.standard_normal()), 2)
            out = report.day < today
            rows.append(
                (
                    stock.ticker,
                    report.announced,
                    report.day,
                    "bmo" if report.before_open else "amc",
                    f"Q{report.quarter}",
                    estimate,
                    actual if out else None,
                )
            )
    columns = {
        "ticker": pl.String,
        "announced_date": pl.Date,
        "report_date": pl.Date,
        "timing": pl.String,
        "fiscal_period": pl.String,
        "eps_estimate": pl.Float64,
        "eps_actual": pl.Float64,
    }
    return pl.DataFrame(rows, schema=columns, orient="row").sort("report_date", "ticker")


def _tickers(config: SimulatorConfig) -> pl.DataFrame:
    rows = [
        (
            stock.ticker,
            stock.name,
            "ETF" if stock.fund else "CS",
            _ARCA if stock.fund else _NYSE if stock.ticker in _ON_NYSE else _NASDAQ,
        )
        for stock in config.stocks
    ]
    rows += [
        (LEVEL, "Simulated market index", "INDEX", ""),
        (VOLATILITY, "Its 30-day volatility", "INDEX", ""),
    ]
    figis = ["BBG" + uuid.uuid5(uuid.NAMESPACE_OID, row[0]).hex[:9].upper() for row in rows]
    frame = pl.DataFrame(rows, schema=["ticker", "name", "type", "primary_exchange"], orient="row")
    return frame.with_columns(pl.Series("composite_figi", figis), pl.lit(str(_LISTED)).alias("list_date"))
