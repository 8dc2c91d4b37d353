"""The underlying's price: its own bars where it has some, its options' parity where it has none."""

from datetime import date

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.terms import with_root
from pipelines.underlying import OBSERVED, OLDEST_PAIR, observed, with_underlying
from strikelake.calendar import NS_PER_MINUTE, session
from strikelake.contracts import OptionContract, occ_columns, settlement_ns
from strikelake.pricing.parity import implied_spots
from strikelake.pricing.rates import years_between

DAY = date(2021, 1, 5)
INDEX_DAYS = (date(2021, 1, 5), date(2021, 1, 6), date(2021, 1, 7), date(2021, 1, 8))
NO_STOCKS = pl.DataFrame(schema=OBSERVED)


def _with_terms(options, rate):
    """Add root, years to settlement and a flat rate."""
    rows = with_root(options)
    settles = [settlement_ns(*row) for row in rows.select("expiration", "root").rows()]
    years = years_between(rows["available_at"].to_numpy(), np.array(settles, dtype=np.int64))
    return rows.with_columns(pl.Series("years", years), rate=pl.lit(rate), price="close")


def _trade(minute, side, close, strike=3700.0, day=8, root="SPXW"):
    symbol = OptionContract(root, date(2021, 1, day), side, strike).occ_symbol
    return symbol, session(DAY).open_ns + minute * NS_PER_MINUTE, close


def _options(*trades):
    """Option bars of trades, each (minutes after the open, side, close, ...) as `_trade` takes them."""
    columns = {"ticker": pl.String, "ts_ns": pl.Int64, "close": pl.Float64}
    frame = pl.DataFrame([_trade(*row) for row in trades], schema=columns, orient="row")
    minute_end = pl.col("ts_ns") + NS_PER_MINUTE
    return _with_terms(frame.with_columns(*occ_columns("ticker"), available_at=minute_end), 0.0)


def _stocks(*rows):
    start = session(DAY).open_ns
    bars = pl.DataFrame(
        [(ticker, start + minute * NS_PER_MINUTE, close) for ticker, minute, close in rows],
        schema=["ticker", "ts_ns", "close"],
        orient="row",
    ).with_columns(available_at=pl.col("ts_ns") + NS_PER_MINUTE)
    return observed(bars, "stock")


def _found(rows):
    start = session(DAY).open_ns
    minute = (pl.col("ts_ns", "underlying_ts_ns") - start) // NS_PER_MINUTE
    return rows.sort("ts_ns", "occ_symbol").select(minute, "underlying_price", "underlying_source").rows()


def test_the_newest_pair_at_or_before_the_bar_prices_it_while_it_is_fresh():
    options = _options(
        (0, "C", 31.0), (1, "C", 30.0), (1, "P", 4.0), (2, "P", 5.0), (6, "C", 29.0), (7, "C", 29.0)
    )
    assert _found(with_underlying(options, NO_STOCKS)) == [
        (0, None, None, "none"),
        (1, 1, 3726.0, "parity"),
        (1, 1, 3726.0, "parity"),
        (2, 1, 3726.0, "parity"),
        (6, 1, 3726.0, "parity"),
        (7, None, None, "none"),
    ]
    assert OLDEST_PAIR == 5 * NS_PER_MINUTE


def test_each_expiration_has_its_own_forward():
    options = _options((1, "C", 30.0), (1, "P", 4.0), (1, "C", 44.0, 3700.0, 15, "SPXW"))
    sources = with_underlying(options, NO_STOCKS).sort("expiration")["underlying_source"].to_list()
    assert sources == ["parity", "parity", "none"]


def test_an_underlying_with_stock_bars_is_never_implied():
    aapl = [(minute, side, 5.0, 130.0, 8, "AAPL") for minute in (0, 2) for side in "CP"]
    found = with_underlying(_options(*aapl), _stocks(("AAPL", 1, 131.0), ("AAPL", 3, 999.0)))
    assert _found(found) == [(0, None, None, "none")] * 2 + [(2, 1, 131.0, "stock")] * 2


def test_adjusted_contracts_get_no_price_and_give_none():
    adjusted = [(1, side, 5.0, 130.0, 8, "AAPL1") for side in "CP"]
    expected = [(1, None, None, "adjusted")] * 2
    assert _found(with_underlying(_options(*adjusted), NO_STOCKS)) == expected
    assert _found(with_underlying(_options(*adjusted), _stocks(("AAPL", 1, 131.0)))) == expected


def test_every_row_comes_out_once():
    options = _options(
        (1, "C", 30.0), (1, "P", 4.0), (1, "C", 5.0, 130.0, 8, "AAPL"), (1, "C", 5.0, 9.0, 8, "X1")
    )
    found = with_underlying(options, _stocks(("AAPL", 0, 131.0), ("AAPL", 1, 132.0)))
    assert found.select(options.columns).sort("occ_symbol").equals(options.sort("occ_symbol"))
    assert with_underlying(options.clear(), NO_STOCKS).is_empty()


TRADES = st.lists(
    st.tuples(st.integers(0, 30), st.sampled_from("CP"), st.floats(1.0, 60.0)),
    max_size=40,
    unique_by=lambda row: row[:2],
)


@settings(max_examples=40, deadline=None)
@given(TRADES, st.integers(0, 30))
def test_later_bars_never_change_a_price(rows, cut):
    options = _options(*rows)
    known = options.filter(pl.col("ts_ns") <= session(DAY).open_ns + cut * NS_PER_MINUTE)
    then = with_underlying(known, NO_STOCKS)
    later = with_underlying(options, NO_STOCKS).join(known, on=["occ_symbol", "ts_ns"], how="semi")
    assert _found(then) == _found(later)
    assert (then["underlying_ts_ns"] <= then["ts_ns"]).all()


def _real(real_data, kind, day):
    """Option bars of a real day with terms; a day bar's moment is the close."""
    path = real_data / f"flatfiles/us_options_opra/{kind}_aggs_v1/{day:%Y/%m/%Y-%m-%d}.csv.gz"
    end = pl.lit(session(day).close_ns) if kind == "day" else pl.col("window_start") + NS_PER_MINUTE
    rows = pl.read_csv(path, schema_overrides={"close": pl.Float64}).with_columns(
        *occ_columns("ticker"), ts_ns="window_start", available_at=end, date=pl.lit(day)
    )
    return _with_terms(rows, 0.001)


@pytest.fixture(scope="module")
def index_closes(real_data):
    closes = pl.read_csv(real_data / "reference/spx_close_1990_2022.csv", try_parse_dates=True)
    return dict(closes.iter_rows())


@pytest.mark.real
@pytest.mark.parametrize("day", INDEX_DAYS)
def test_real_day_bars_imply_the_index_close(real_data, index_closes, day):
    """Within 5 points, 13 basis points: the closes are last trades, some of 16:15 (seen: median 1.2, 4.8)."""
    found = implied_spots(_real(real_data, "day", day))
    assert found["spot"].to_list() == pytest.approx([index_closes[day]] * found.height, abs=5.0)


@pytest.mark.real
@pytest.mark.parametrize(("day", "pairs"), list(zip(INDEX_DAYS, (2, 0, 1, 2), strict=True)))
def test_real_pairs_of_the_last_minute_imply_the_index_close(real_data, index_closes, day, pairs):
    """Within 1.5 points, 4 basis points (seen: 1.2); on the 6th nothing traded as a pair in that minute."""
    found = implied_spots(_real(real_data, "minute", day))
    last = found.filter(pl.col("available_at") == session(day).close_ns)
    assert last["spot"].to_list() == pytest.approx([index_closes[day]] * pairs, abs=1.5)


@pytest.mark.real
def test_real_pairs_of_trades_agree_with_quotes(real_data):
    """The same parity on the bid-ask midpoints at each minute's end, which are of one moment."""
    seen = pl.concat([_errors_against_quotes(real_data, day) for day in INDEX_DAYS]).abs()
    assert seen.len() > 1000
    assert [seen.quantile(share) < limit for share, limit in ((0.5, 0.5), (0.9, 1.5), (0.99, 5.0))] == [
        True
    ] * 3


def _errors_against_quotes(real_data, day):
    path = real_data / f"flatfiles/us_options_opra/quotes_v1/{day:%Y/%m/%Y-%m-%d}.csv.gz"
    floats = dict.fromkeys(("bid_price", "ask_price"), pl.Float64)
    minute = pl.col("sip_timestamp") // NS_PER_MINUTE * NS_PER_MINUTE
    quotes = (
        pl.read_csv(path, schema_overrides=floats)
        .filter(pl.col("bid_price") > 0, pl.col("ask_price") > 0)
        .sort("sip_timestamp")
        .with_columns(*occ_columns("ticker"), ts_ns=minute, available_at=minute + NS_PER_MINUTE)
        .unique(["occ_symbol", "available_at"], keep="last")
        .with_columns(close=(pl.col("bid_price") + pl.col("ask_price")) / 2)
    )
    both = implied_spots(_real(real_data, "minute", day)).join(
        implied_spots(_with_terms(quotes, 0.001)), on=["expiration", "available_at"], suffix="_quoted"
    )
    return both["spot"] - both["spot_quoted"]


@pytest.mark.real
def test_real_index_minutes_find_a_fresh_pair_for_most_rows(real_data):
    found = pl.concat([with_underlying(_real(real_data, "minute", day), NO_STOCKS) for day in INDEX_DAYS])
    counts = dict(found.group_by("underlying_source").len().rows())
    assert counts == {"parity": 4821, "none": 1011}
    age = (found["ts_ns"] - found["underlying_ts_ns"]).drop_nulls()
    assert (age.min(), age.max()) == (0, OLDEST_PAIR)
    assert (age == 0).mean() > 0.6
