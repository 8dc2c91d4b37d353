"""The 30-day index of quoted chains: the Cboe's own example through the lake's rows, and its reasons."""

from datetime import date
from pathlib import Path

import polars as pl
import pytest

from pipelines.slices import STEP
from pipelines.volatility_index import volatility_indices
from strikelake.calendar import session
from strikelake.contracts import OptionContract, settlement_ns
from strikelake.pricing import european
from strikelake.pricing.options import Options
from strikelake.pricing.vix import index_value, term_variance
from strikelake.schemas import table

EXAMPLE = Path(__file__).parents[1] / "strikelake" / "pricing"
DAY = date(2013, 10, 8)
CLOSE = session(DAY).close_ns


def _flat(_days):
    return 0.0003


def _quotes(chain, root, expiration, at=CLOSE):
    """Rows of option_quotes from strike, call_bid, call_ask, put_bid, put_ask."""
    rows = []
    for strike, *sides in chain:
        for side, bid, ask in (("C", *sides[:2]), ("P", *sides[2:])):
            contract = OptionContract(root, expiration, side, strike)
            terms = {
                "occ_symbol": contract.occ_symbol,
                "underlying": contract.underlying,
                "strike": float(strike),
            }
            quote = {"bid_price": bid or None, "bid_size": 1.0, "ask_price": ask, "ask_size": 1.0}
            times = {"date": DAY, "ts_ns": at, "available_at": at}
            rows.append(terms | quote | times | {"expiration": expiration, "option_type": side})
    return pl.DataFrame(rows, schema=table("option_quotes").columns)


def _example(name):
    return pl.read_csv(EXAMPLE / f"cboe_{name}.tsv", separator="\t").cast(pl.Float64)


def test_the_example_of_the_cboe_with_an_expiration_in_the_morning_and_one_in_the_evening():
    near, following = date(2013, 11, 2), date(2013, 11, 8)
    quotes = pl.concat(
        [
            _quotes(_example("near").rows(), "SPX", near),
            _quotes(_example("next").rows(), "SPXW", following),
        ]
    )
    found = volatility_indices(quotes, session(DAY), _flat).row(-1, named=True)
    minutes = [
        (settlement_ns(day, root) - CLOSE) / 6e10 for day, root in ((near, "SPX"), (following, "SPXW"))
    ]
    assert minutes == [23.0 * 1440 + 1050, 31.0 * 1440 + 60]  # a Saturday's date settles on Friday's open
    variances = [
        term_variance(*_example(name).get_columns(), years=each / 525_600, rate=0.0003).variance
        for name, each in zip(("near", "next"), minutes, strict=True)
    ]
    assert found["value"] == pytest.approx(index_value(variances[0], minutes[0], variances[1], minutes[1]))
    assert (found["near_forward"], found["next_forward"]) == pytest.approx((1962.9, 1962.4), abs=0.01)
    assert (found["near_strikes"], found["next_strikes"], found["reason"]) == (146, 122, None)


def _flat_chain(days, vol=0.2, spot=100.0):
    years = days / 365
    strikes = [float(strike) for strike in range(60, 150)]
    calls, puts = (european.price(Options(sign, spot, strikes, years, 0.0), vol) for sign in (1, -1))
    return [(k, c, c, p, p) for k, c, p in zip(strikes, calls, puts, strict=True) if min(c, p) > 0.0]


def test_a_flat_smile_gives_its_volatility_at_every_decision_while_the_quotes_stand():
    at = session(DAY).open_ns + STEP
    quotes = pl.concat(
        [
            _quotes(_flat_chain(24), "SPY", date(2013, 11, 1), at),
            _quotes(_flat_chain(38), "SPY", date(2013, 11, 15), at),
        ]
    )
    found = volatility_indices(quotes, session(DAY), lambda _: 0.0)
    assert found["asof"].to_list() == [at, at + STEP]
    assert found["value"].to_list() == pytest.approx([20.0, 20.0], abs=0.2)
    assert found["available_at"].to_list() == [at, at]


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ([("SPY", date(2013, 11, 1), 24)], "no expirations around 30 days"),
        ([("SPY", date(2013, 10, 9), 24), ("SPY", date(2013, 11, 15), 38)], "no expirations around 30 days"),
        ([("SPY1", date(2013, 11, 1), 24)], None),
    ],
)
def test_a_chain_without_the_expirations_says_so(parts, reason):
    quotes = pl.concat([_quotes(_flat_chain(days), root, day) for root, day, days in parts])
    found = volatility_indices(quotes, session(DAY), _flat)
    assert found["reason"].unique().to_list() == ([reason] if reason else [])
    assert found["value"].null_count() == found.height


def test_one_sided_quotes_name_the_expiration():
    calls_only = [(k, c, a, 0.0, 0.0) for k, c, a, *_ in _flat_chain(24)]
    quotes = pl.concat(
        [_quotes(calls_only, "SPY", date(2013, 11, 1)), _quotes(_flat_chain(38), "SPY", date(2013, 11, 15))]
    ).filter(pl.col("ask_price") > 0)
    found = volatility_indices(quotes, session(DAY), _flat)
    assert found["reason"].unique().to_list() == ["near expiration: no strike with a call and a put"]
