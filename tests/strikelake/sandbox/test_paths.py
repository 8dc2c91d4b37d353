from datetime import date

import numpy as np
import pytest

from strikelake.sandbox.bars import stock_minutes
from strikelake.sandbox.config import MARKET_VOL, STOCKS, SimulatorConfig
from strikelake.sandbox.paths import market_sessions, minute_profile, session_minutes, stock_paths

HORIZON = 30


def forecast_power(edge: float, seed: int = 3) -> tuple[float, float]:
    """Correlation of the latent interest, and of visible volume, with the next half hour's return."""
    config = SimulatorConfig(edge=edge, seed=seed, sessions=40)
    paths = stock_paths(config)
    latent, visible, future = [], [], []
    for index in range(len(paths.sessions)):
        rows = paths.nodes(index)
        log_price, interest = np.log(paths.price[rows]), paths.interest[rows]
        minutes = log_price.shape[0] - 1
        volume = stock_minutes(config, paths, index)["volume"].to_numpy().reshape(-1, minutes).T
        usual = np.log(volume / minute_profile(minutes)[:, None])
        for node in range(HORIZON, minutes - HORIZON, HORIZON):
            latent.append(interest[node])
            visible.append(usual[node - HORIZON : node].mean(axis=0))
            future.append(log_price[node + HORIZON] - log_price[node])
    returns = np.array(future) / np.std(future, axis=0)
    volumes = np.array(visible) - np.mean(visible, axis=0)
    return (
        float(np.corrcoef(np.ravel(latent), returns.ravel())[0, 1]),
        float(np.corrcoef(volumes.ravel(), returns.ravel())[0, 1]),
    )


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
    config = SimulatorConfig(sessions=250, edge=0.0)
    paths = stock_paths(config)
    closes = np.log(paths.price[paths.first_node[1:] - 1])
    realised = np.diff(closes, axis=0).std(axis=0) * np.sqrt(252)
    wanted = np.array([stock.vol for stock in STOCKS])
    assert realised == pytest.approx(wanted, rel=0.35)
    assert next(s.vol for s in STOCKS if s.ticker == "SPY") == pytest.approx(MARKET_VOL, rel=0.01)


def test_the_edge_is_there_and_can_be_seen_in_volume():
    latent, visible = forecast_power(edge=0.2)
    assert latent == pytest.approx(0.2, abs=0.05)
    assert visible > 0.08


def test_without_an_edge_nothing_is_predictable():
    latent, visible = forecast_power(edge=0.0)
    assert abs(latent) < 0.04
    assert abs(visible) < 0.04


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
