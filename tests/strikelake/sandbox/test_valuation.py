"""No arbitrage in a whole chain at a moment: the day before an ex-date, a report among the expirations."""

from datetime import date

import numpy as np
import polars as pl
import pytest

from strikelake.calendar import NS_PER_MINUTE
from strikelake.sandbox.config import SimulatorConfig
from strikelake.sandbox.listings import listed
from strikelake.sandbox.simulator import simulate
from strikelake.sandbox.tape import option_quotes
from strikelake.sandbox.valuation import option_state, session_terms

MINUTE = 150
SLACK = 0.001
"""Dollars that interpolation in the tables may be off."""


@pytest.fixture(scope="module")
def before_dividend():
    """AAPL reported the week before and goes ex on 2025-02-10; AMZN reports after the close of 02-06."""
    return simulate(SimulatorConfig(symbols=("AAPL", "AMZN", "SPY"), sessions=4, start=date(2025, 2, 4)))


@pytest.fixture(scope="module")
def chain(before_dividend):
    market, index = before_dividend, 2
    contracts = listed(market.contracts, market.paths, index)
    terms, group = session_terms(
        market.config, market.paths, market.clock, market.plan, market.curves, contracts, index
    )
    nodes = np.full(contracts.height, int(market.paths.first_node[index]) + MINUTE)
    moments = np.full(contracts.height, market.paths.sessions[index].open_ns + MINUTE * NS_PER_MINUTE)
    state = option_state(market.paths, market.clock, terms, contracts, group, nodes, moments)
    return contracts.with_columns(
        **{
            name: getattr(state, name)
            for name in ("value", "spot", "implied_vol", "forward", "years", "rate")
        }
    )


def chains(chain):
    for (_, _, sign), rows in chain.group_by("underlying", "expiration", "sign"):
        ordered = rows.sort("strike")
        yield sign, ordered["strike"].to_numpy(), ordered["value"].to_numpy()


def test_no_vertical_and_no_butterfly_costs_less_than_it_may_pay(chain):
    for sign, strike, value in chains(chain):
        slope = np.diff(value) / np.diff(strike)
        assert (slope * sign <= 1e-6).all()
        assert (np.abs(slope) <= 1.0 + 1e-6).all()
        wings = np.minimum(np.diff(strike)[:-1], np.diff(strike)[1:])
        assert (np.diff(slope) * wings >= -SLACK).all()


def test_a_longer_option_is_worth_no_less(chain):
    pairs = 0
    for _, rows in chain.group_by("underlying", "strike", "sign"):
        value = rows.sort("expiration")["value"].to_numpy()
        pairs += value.size - 1
        assert (np.diff(value) >= -1e-9).all()
    assert pairs > 200


def test_values_keep_the_bounds_of_american_options(chain):
    intrinsic = (pl.col("sign") * (pl.col("spot") - pl.col("strike"))).clip(0.0, None)
    assert chain.filter(pl.col("value") < intrinsic).is_empty()
    most = pl.when(pl.col("sign") > 0).then("spot").otherwise("strike")
    assert chain.filter(pl.col("value") > most).is_empty()
    key = ["underlying", "expiration", "strike"]
    calls, puts = (chain.filter(pl.col("sign") == sign) for sign in (1, -1))
    pairs = calls.join(puts, on=key, suffix="_put")
    gap = pairs["value"] - pairs["value_put"]
    discount = (-pairs["rate"] * pairs["years"]).exp()
    # forward = (spot - dividends) / discount; American parity is an inequality on both sides.
    assert (gap >= pairs["forward"] * discount - pairs["strike"] - SLACK).all()
    assert (gap <= pairs["spot"] - pairs["strike"] * discount + SLACK).all()


def test_mid_quotes_carry_no_more_than_rounding(before_dividend):
    """Butterflies in mids cost at least minus the ticks that their four sides are rounded by."""
    market, index = before_dividend, 1
    contracts = listed(market.contracts, market.paths, index)
    terms, group = session_terms(
        market.config, market.paths, market.clock, market.plan, market.curves, contracts, index
    )
    quotes, state = option_quotes(market.config, market.paths, market.clock, terms, contracts, group, index)
    mid = (quotes["bid_price"] + quotes["ask_price"]) / 2
    two_sided = (quotes["bid_price"] > 0) & (quotes["ask_price"] > quotes["bid_price"])
    tick = np.where((state.value < 3.0) | quotes["ticker"].str.starts_with("O:SPY").to_numpy(), 0.01, 0.05)
    off = np.abs(mid.to_numpy() - state.value)[two_sided.to_numpy()]
    assert (off <= 0.5 * tick[two_sided.to_numpy()] + 1e-9).all()


def test_a_report_ahead_is_in_the_price_and_gone_after_it(before_dividend):
    market, vols = before_dividend, {}
    for index in (2, 3):
        contracts = listed(market.contracts, market.paths, index).filter(pl.col("underlying") == "AMZN")
        terms, group = session_terms(
            market.config, market.paths, market.clock, market.plan, market.curves, contracts, index
        )
        nodes = np.full(contracts.height, int(market.paths.first_node[index]) + 10)
        moments = np.full(contracts.height, market.paths.sessions[index].open_ns + 10 * NS_PER_MINUTE)
        state = option_state(market.paths, market.clock, terms, contracts, group, nodes, moments)
        near = np.argmin(
            np.abs(np.log(contracts["strike"].to_numpy() / state.forward))
            + (contracts["expiration"] != date(2025, 2, 14)).to_numpy()
        )
        vols[index] = state.implied_vol[near]
    assert vols[2] > 1.3 * vols[3]


def test_the_forward_misses_the_dividend(chain):
    apple = chain.filter(pl.col("underlying") == "AAPL")
    carried = apple.with_columns(
        lost=pl.col("spot") - pl.col("forward") * (-pl.col("rate") * pl.col("years")).exp()
    )
    before = carried.filter(pl.col("expiration") == date(2025, 2, 7))["lost"]
    after = carried.filter(pl.col("expiration") == date(2025, 2, 21))["lost"]
    assert before.abs().max() < 1e-9
    assert after.to_numpy() == pytest.approx(0.25, abs=0.005)
