from datetime import date
from decimal import Decimal

import polars as pl
import pytest

from strikelake.calendar import session
from strikelake.strategy.selection import debit_spreads, long_option, tradable_contracts
from strikelake.strategy.selection import listed as listed_on
from strikelake.strategy.signals import Signal

TODAY = date(2025, 1, 14)
NEAR, FAR = date(2025, 1, 24), date(2025, 2, 21)
NEVER = 0


def row(strike, delta, *, expiration=NEAR, kind="C", bid=1.0, ask=1.1, root="SPY"):
    return {
        "occ_symbol": f"{root}{expiration:%y%m%d}{kind}{int(strike * 1000):08d}",
        "underlying": "SPY",
        "expiration": expiration,
        "option_type": kind,
        "strike": float(strike),
        "bid_price": bid,
        "ask_price": ask,
        "quote_ts_ns": 1,
        "delta": delta,
    }


def chain(*rows):
    return pl.DataFrame(rows, schema_overrides={"bid_price": pl.Float64, "delta": pl.Float64})


def listed(rows, underlying, direction, today, exit_at, dte):
    signals = [Signal(1, underlying, 2, 0.5 + 0.4 * direction)]
    return listed_on(tradable_contracts(rows, signals, today, dte), underlying, direction, exit_at)


def strikes(contracts):
    return [int(contract.strike) for contract in contracts]


@pytest.mark.parametrize(("direction", "expected"), [(1, [500]), (-1, [490])])
def test_a_rise_takes_calls_and_a_fall_takes_puts(direction, expected):
    both = chain(row(500, 0.5), row(490, -0.4, kind="P"))
    assert expected == strikes(listed(both, "SPY", direction, TODAY, NEVER, (5, 45)))


@pytest.mark.parametrize(
    ("dte", "expected"), [((10, 38), [500, 510]), ((11, 38), [510]), ((10, 37), [500]), ((1, 9), [])]
)
def test_days_to_expiration_are_calendar_days_with_both_ends(dte, expected):
    both = chain(row(510, 0.5, expiration=FAR), row(500, 0.5))
    assert expected == strikes(listed(both, "SPY", 1, TODAY, NEVER, dte))


def test_a_contract_must_outlast_the_planned_exit():
    both = chain(row(500, 0.5), row(510, 0.5, expiration=FAR))
    at_expiry = session(NEAR).close_ns
    assert strikes(listed(both, "SPY", 1, TODAY, at_expiry - 1, (5, 45))) == [500, 510]
    assert strikes(listed(both, "SPY", 1, TODAY, at_expiry, (5, 45))) == [510]


def test_adjusted_contracts_and_other_underlyings_are_left_out():
    found = listed(chain(row(500, 0.5, root="SPY1"), row(505, 0.5)), "SPY", 1, TODAY, NEVER, (5, 45))
    assert strikes(found) == [505]
    assert list(listed(chain(row(500, 0.5)), "QQQ", 1, TODAY, NEVER, (5, 45))) == []


def test_the_nearest_expiration_comes_first_then_the_nearest_delta_then_the_lower_strike():
    rows = chain(
        row(500, 0.45, expiration=FAR),
        row(495, 0.60),
        row(500, 0.50),
        row(505, 0.40),
        row(520, 0.10),
        row(530, None),
    )
    contracts = listed(rows, "SPY", 1, TODAY, NEVER, (5, 45))
    expected = [(NEAR, 500), (NEAR, 505), (NEAR, 495), (FAR, 500)]
    assert expected == [(c.expiration, int(c.strike)) for c in contracts.by_delta(0.45, 0.2)]


def test_puts_are_ranked_by_absolute_delta():
    contracts = listed(
        chain(row(490, -0.3, kind="P"), row(500, -0.5, kind="P")), "SPY", -1, TODAY, NEVER, (5, 45)
    )
    assert strikes(contracts.by_delta(0.45, 0.2)) == [500, 490]


@pytest.mark.parametrize(("direction", "name"), [(1, "long_call"), (-1, "long_put")])
def test_a_long_option_pays_the_ask(direction, name):
    (contract,) = listed(chain(row(500, 0.5)), "SPY", 1, TODAY, NEVER, (5, 45))
    structure = long_option(contract, Decimal("1.1"), direction)
    assert (name, Decimal("1.1"), 2, 1) == (
        structure.strategy,
        structure.debit,
        structure.level,
        len(structure.legs),
    )


def test_debit_spreads_are_vertical_bounded_and_the_widest_first():
    rows = chain(
        row(500, 0.5, bid=5.0, ask=5.1),
        row(495, 0.6, bid=8.0, ask=8.1),
        row(505, 0.4, bid=2.9, ask=3.0),
        row(510, 0.3, bid=1.5, ask=1.6),
        row(515, 0.2, bid=None, ask=0.9),
        row(502, 0.48, bid=3.0, ask=3.2),
        row(510, 0.3, expiration=FAR, bid=3.0, ask=3.1),
    )
    contracts = listed(rows, "SPY", 1, TODAY, NEVER, (5, 45))
    long = next(c for c in contracts if c.strike == 500)
    found = debit_spreads(long, contracts, 1)
    assert [(510, Decimal("3.6")), (505, Decimal("2.2"))] == [(int(s.strike), x.debit) for x, s in found]
    assert {("call_debit_spread", 3)} == {(x.strategy, x.level) for x, _ in found}


def test_a_put_spread_sells_the_lower_strike():
    rows = chain(row(500, -0.5, kind="P", bid=5.0, ask=5.1), row(490, -0.3, kind="P", bid=2.0, ask=2.1))
    contracts = listed(rows, "SPY", -1, TODAY, NEVER, (5, 45))
    ((spread, short),) = debit_spreads(list(contracts)[1], contracts, -1)
    assert ("put_debit_spread", Decimal("3.1"), 490) == (spread.strategy, spread.debit, int(short.strike))
