import numpy as np
import pytest

from strikelake.calendar import NS_PER_MINUTE
from strikelake.sandbox.curves import TENORS, known_curve
from strikelake.sandbox.surface import at_the_money, smile, smile_variances, total_variance
from strikelake.sandbox.universe import STOCKS

APPLE = next(stock for stock in STOCKS if stock.ticker == "AAPL")


def test_the_smile_is_skewed_to_low_strikes_and_more_so_for_indices():
    low, mid, high = (total_variance(k, 0.01, -0.65, 0.95) for k in (-0.1, 0.0, 0.1))
    assert low > mid > high
    assert mid == pytest.approx(0.01)
    assert smile(None).rho < smile(APPLE).rho < 0


@pytest.mark.parametrize("stock", [None, APPLE])
@pytest.mark.parametrize("theta", [1e-6, 1e-3, 0.05, 0.6])
def test_the_surface_has_no_butterflies(stock, theta):
    """Durrleman's function is not negative anywhere."""
    found = smile(stock)
    assert found.eta * (1.0 + abs(found.rho)) <= 2.0
    k = np.linspace(-8.0, 8.0, 4001) * np.sqrt(theta)
    w = smile_variances(k, theta, found.rho, found.eta)
    first = np.gradient(w, k)
    second = np.gradient(first, k)
    durrleman = (1.0 - k * first / (2.0 * w)) ** 2 - first**2 / 4.0 * (1.0 / w + 0.25) + second / 2.0
    assert durrleman[5:-5].min() > -1e-6


def test_total_variance_rises_with_maturity_at_every_moneyness():
    found, k = smile(None), np.linspace(-0.5, 0.5, 101)
    levels = [smile_variances(k, theta, found.rho, found.eta) for theta in np.geomspace(1e-5, 0.5, 60)]
    assert (np.diff(levels, axis=0) > 0.0).all()


def test_a_report_lifts_variance_and_calm_returns_to_the_long_run():
    calm, usual = 0.01, 0.04
    assert at_the_money(0.02, usual, usual, 1.2, 0.05**2) - at_the_money(0.02, usual, usual, 1.2, 0.0) == (
        pytest.approx(1.2 * 0.05**2)
    )
    near, far = (at_the_money(span, calm, usual, 1.0, 0.0) / span for span in (0.01, 2.0))
    assert near == pytest.approx(calm, rel=0.25)
    assert far == pytest.approx(usual, rel=0.1)


def test_trading_time_passes_in_sessions_and_rests_at_night(market):
    clock, session = market.clock, market.paths.sessions[1]
    assert clock.node[-1] == pytest.approx(len(market.paths.sessions) / 252, rel=0.02)
    assert clock.at(session.close_ns) == pytest.approx(clock.closes[session.date])
    hour = 60 * NS_PER_MINUTE
    trading = clock.at(session.open_ns + hour) - clock.at(session.open_ns)
    night = clock.at(session.close_ns + 2 * hour) - clock.at(session.close_ns + hour)
    assert trading > 5.0 * night


def test_a_curve_is_known_before_the_first_session(market):
    before = market.curves.filter(market.curves["date"] < market.paths.sessions[0].date)
    assert before.height == 10
    assert market.curves.columns == ["date", *TENORS]
    assert known_curve(market.curves, 0).tolist() == list(before.row(-1)[1:])
