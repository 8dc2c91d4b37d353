from datetime import date

import numpy as np
import pytest
from scipy.stats import binom, norm

from strikelake.sandbox.config import SimulatorConfig
from strikelake.sandbox.paths import (
    FULL_DAY,
    TILT,
    market_sessions,
    minute_profile,
    session_minutes,
    stock_paths,
)
from strikelake.sandbox.universe import MARKET_VOL, STOCKS

HORIZON = 30


SEEDS = range(40)
SYMBOLS = ("AAPL", "SPY", "TSLA")
FALSE_POSITIVES = 0.05


def t_statistics(edge: float, seed: int) -> tuple[float, float]:
    """t of the regression of the next half hour's return on the interest, latent and as volume shows it.

    Half hours do not overlap, so that without an edge the returns are independent of one another.
    """
    config = SimulatorConfig(symbols=SYMBOLS, edge=edge, seed=seed, sessions=19)
    paths = stock_paths(config)
    rng = np.random.default_rng(seed)
    latent, visible, future = [], [], []
    for index in range(len(paths.sessions)):
        rows = paths.nodes(index)
        log_price, interest = np.log(paths.price[rows]), paths.interest[rows]
        noise = 0.35 * rng.standard_normal(interest.shape)
        volume = TILT * interest + paths.attention[rows] + noise
        for node in range(HORIZON, log_price.shape[0] - HORIZON, HORIZON):
            latent.append(interest[node])
            visible.append(volume[node - HORIZON : node].mean(axis=0))
            future.append(log_price[node + HORIZON] - log_price[node])
    returns = np.array(future) / np.std(future, axis=0)
    return _t(np.array(latent), returns), _t(np.array(visible), returns)


def _t(signal, returns) -> float:
    """t of a correlation over columns that share a market: sums over columns, whose rows are independent."""
    scores = ((signal - signal.mean(axis=0)) * returns).sum(axis=1)
    return float(scores.mean() / scores.std(ddof=1) * np.sqrt(scores.size))


@pytest.fixture(scope="module")
def statistics():
    """The two t statistics of every seed, without and with the default edge; shape (seeds, 2) each."""
    return {edge: np.array([t_statistics(edge, seed) for seed in SEEDS]) for edge in (0.0, 0.2)}


def test_sessions_skip_holidays_and_end_with_the_live_one():
    found = market_sessions(SimulatorConfig(sessions=5, start=date(2025, 1, 6)))
    days = [str(s.date) for s in found]
    # 2025-01-09 was a day of mourning.
    assert days == ["2025-01-06", "2025-01-07", "2025-01-08", "2025-01-10", "2025-01-13", "2025-01-14"]


def test_half_days_are_shorter():
    config = SimulatorConfig(symbols=("SPY",), sessions=1, start=date(2025, 7, 2))
    paths = stock_paths(config)
    assert [session_minutes(s) for s in paths.sessions] == [390, 210]
    assert paths.price.shape == (391 + 211, 1)


def test_the_year_is_as_volatile_as_the_stock():
    """Jumps are part of it; reports, dividends and splits are not."""
    symbols = ("IWM", "QQQ", "SPY")
    paths = stock_paths(SimulatorConfig(symbols=symbols, sessions=500, edge=0.0))
    closes = np.log(paths.price[paths.first_node[1:] - 1])
    realised = np.diff(closes, axis=0).std(axis=0) * np.sqrt(252)
    wanted = np.array([stock.vol for stock in STOCKS if stock.ticker in symbols])
    assert realised == pytest.approx(wanted, rel=0.35)
    assert next(s.vol for s in STOCKS if s.ticker == "SPY") == pytest.approx(MARKET_VOL, rel=0.01)


def test_without_an_edge_nothing_is_predictable(statistics):
    """At 5 % per test, 40 seeds reject at most 6 times (99 % of all runs), and the mean t is nothing."""
    rejected = (np.abs(statistics[0.0]) > norm.ppf(1.0 - FALSE_POSITIVES / 2)).sum(axis=0)
    assert (rejected <= binom.ppf(0.99, len(SEEDS), FALSE_POSITIVES)).all()
    assert (np.abs(statistics[0.0].mean(axis=0)) * np.sqrt(len(SEEDS)) < norm.ppf(0.995)).all()


def test_the_default_edge_is_found(statistics):
    """The same tests have the power to see it: the latent interest always, volume nearly always."""
    found = (statistics[0.2] > norm.ppf(1.0 - FALSE_POSITIVES / 2)).mean(axis=0)
    assert found[0] == 1.0
    assert found[1] > 0.7


def test_the_edge_is_the_correlation_with_the_next_half_hour():
    paths = stock_paths(SimulatorConfig(symbols=SYMBOLS, edge=0.2, sessions=120))
    interest, future = [], []
    for index in range(len(paths.sessions)):
        rows = paths.nodes(index)
        log_price = np.log(paths.price[rows])
        starts = np.arange(0, log_price.shape[0] - HORIZON, HORIZON)
        interest.append(paths.interest[rows][starts])
        future.append(
            (log_price[starts + HORIZON] - log_price[starts]) / np.sqrt(paths.variance[rows][starts])
        )
    found = np.corrcoef(np.concatenate(interest).ravel(), np.concatenate(future).ravel())[0, 1]
    assert found == pytest.approx(0.2, abs=0.05)


def test_a_path_does_not_depend_on_the_other_symbols():
    alone, among = (
        stock_paths(SimulatorConfig(symbols=symbols, sessions=2)) for symbols in (("AAPL",), ("AAPL", "XOM"))
    )
    assert np.array_equal(alone.price[:, 0], among.price[:, 0])


def test_the_price_opens_lower_by_the_dividend():
    """Beside itself without dividends: the ratio changes at the open of the ex-date, by the amount."""
    paths = stock_paths(SimulatorConfig(symbols=("MSFT",), sessions=2, start=date(2025, 2, 19)))
    assert [str(s.date) for s in paths.sessions] == ["2025-02-19", "2025-02-20", "2025-02-21"]
    later = stock_paths(SimulatorConfig(symbols=("MSFT",), sessions=2, start=date(2025, 3, 5)))
    node = int(paths.first_node[1])
    # The same draws in another month, where nothing goes ex.
    ratio = (paths.price[node] / paths.price[node - 1]) / (later.price[node] / later.price[node - 1])
    assert 1.0 - ratio == pytest.approx(0.83 / paths.price[node - 1], rel=1e-9)


def test_a_split_divides_the_price():
    paths = stock_paths(SimulatorConfig(symbols=("META",), sessions=2, start=date(2025, 2, 20)))
    opened, closed = paths.price[paths.first_node[2], 0], paths.price[paths.first_node[2] - 1, 0]
    assert opened / closed == pytest.approx(0.5, rel=0.08)


def test_reports_move_the_open_and_wake_volume():
    moves, attention = [], []
    for seed in range(30):
        config = SimulatorConfig(symbols=("TSLA",), sessions=3, start=date(2025, 1, 27), seed=seed)
        paths = stock_paths(config)
        # 2025-01-28 after the close: the third open of the four, the 29th, reacts.
        opens = paths.first_node[1:4]
        moves.append(np.log(paths.price[opens, 0] / paths.price[opens - 1, 0]))
        attention.append(paths.attention[opens + FULL_DAY // 2, 0])
    spread, awake = np.std(moves, axis=0), np.mean(attention, axis=0)
    assert spread[1] > 2.5 * max(spread[0], spread[2])
    assert awake[1] > awake[0] + 0.3


def test_the_edge_changes_neither_volume_nor_volatility():
    plain, planted = (stock_paths(SimulatorConfig(sessions=3, edge=edge)) for edge in (0.0, 0.5))
    assert np.array_equal(plain.interest, planted.interest)
    assert np.array_equal(plain.variance, planted.variance)
    assert np.array_equal(plain.attention, planted.attention)


def test_volume_is_u_shaped():
    profile = minute_profile(390)
    assert profile.mean() == pytest.approx(1.0)
    assert profile[0] > 2 * profile[195]
    assert profile[-1] > 1.5 * profile[195]
