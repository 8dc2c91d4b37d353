"""Backtests of the underlyings by hand, and against accounting of our own."""

from datetime import date

import numpy as np
import polars as pl
import pytest

from backtests.matrices import LONGEST_GAP, carried, price_matrices
from backtests.positions import plan, wanted
from backtests.underlyings import underlying_signals
from strikelake.calendar import et_ns, sessions
from strikelake.errors import DatasetError

DATES = [date(2025, 1, 6), date(2025, 1, 7), date(2025, 1, 8), date(2025, 1, 10)]
LONG_DATES = [day.date for day in sessions(date(2025, 1, 6), date(2025, 4, 30))]


def prices(opens, closes, name="A", dates=DATES):
    return pl.DataFrame({"date": dates, "underlying": [name] * len(dates), "open": opens, "close": closes})


def forecasts(*probabilities, name="A", dates=DATES):
    return pl.DataFrame(
        {
            "asof": [et_ns(day, "16:00") for day in dates[: len(probabilities)]],
            "underlying": [name] * len(probabilities),
            "probability": probabilities,
        },
        schema={"asof": pl.Int64, "underlying": pl.String, "probability": pl.Float64},
    )


def flat(name, dates, price):
    return prices([price] * len(dates), [price] * len(dates), name, dates)


def test_a_signal_is_bought_at_the_next_open_and_sold_at_the_open_after_it_ends():
    result = underlying_signals(
        prices([10.0, 20.0, 30.0, 40.0], [11.0, 21.0, 31.0, 41.0]),
        forecasts(0.6, 0.7, 0.5),
        fees_bps=0.0,
        initial_cash=1_000.0,
    )
    # 50 shares at 20, sold at 40: the close of 11 that the first forecast knew is not paid.
    assert pytest.approx(result.curve["equity"].to_list()) == [1_000.0, 1_050.0, 1_550.0, 2_000.0]
    assert pytest.approx(result.curve["exposure"].to_list()) == [0.0, 1.0, 1.0, 0.0]
    assert [
        ("A", 1, DATES[1], DATES[3], 20.0, 40.0, pytest.approx(1_000.0), pytest.approx(1.0), "forecast")
    ] == result.trades.rows()
    assert (result.metrics.trades, result.metrics.win_rate, result.metrics.profit_factor) == (1, 1.0, None)
    assert (result.forecasts, result.lapsed, result.series, result.tickers) == (3, 0, 1, 1)
    # Bought at the same open, and kept.
    assert pytest.approx(2_050.0) == result.buy_and_hold.final_equity == result.curve["buy_and_hold"][-1]


def test_fees_are_taken_both_ways():
    result = underlying_signals(
        prices([10.0] * 4, [10.0] * 4), forecasts(0.6, 0.5), fees_bps=100.0, initial_cash=1_000.0
    )
    # Two fees of 1 % are held back, so that the other 98 % can be traded whatever it takes.
    assert pytest.approx(19.6) == result.metrics.fees
    assert pytest.approx(980.4) == result.metrics.final_equity
    assert pytest.approx(990.2) == result.buy_and_hold.final_equity


def test_falls_are_traded_only_when_asked():
    falling = prices([40.0, 30.0, 20.0, 10.0], [39.0, 29.0, 19.0, 9.0])
    quiet = underlying_signals(falling, forecasts(0.3, 0.3), fees_bps=0.0)
    assert (quiet.metrics.total_return, quiet.trades.height) == (0.0, 0)
    active = underlying_signals(falling, forecasts(0.3, 0.3), fees_bps=0.0, short=True, initial_cash=900.0)
    # 30 shares sold short at 30 and bought back at 10.
    assert pytest.approx(1_500.0) == active.metrics.final_equity
    assert active.trades["direction"].to_list() == [-1]


def test_the_names_held_share_the_equity_and_a_trade_is_one_until_it_is_flat():
    both = pl.concat(
        [
            prices([10.0, 10.0, 20.0, 20.0], [10.0, 10.0, 20.0, 20.0], "A"),
            prices([10.0, 10.0, 10.0, 20.0], [10.0, 10.0, 10.0, 20.0], "B"),
        ]
    )
    made = pl.concat([forecasts(0.6, 0.6, 0.6, name="A"), forecasts(0.4, 0.6, 0.6, name="B")])
    result = underlying_signals(both, made, fees_bps=0.0, initial_cash=1_000.0)
    # A alone doubles; then half of the 2,000 is moved to B, which doubles.
    assert pytest.approx(result.curve["equity"].to_list()) == [1_000.0, 1_000.0, 2_000.0, 3_000.0]
    assert pytest.approx([1_000.0, 1_000.0]) == result.trades["pnl"].to_list()
    assert result.trades.select("underlying", "exit").rows() == [("A", "open"), ("B", "open")]


def test_a_trade_still_open_at_the_end_is_listed_but_not_counted():
    result = underlying_signals(prices([10.0] * 4, [10.0] * 4), forecasts(0.6, 0.6, 0.6))
    assert (result.trades["exit"].to_list(), result.metrics.trades) == (["open"], 0)


def test_a_failed_company_is_closed_at_its_last_close_and_its_ticker_is_nobody_elses():
    last, back = 5, 5 + LONGEST_GAP + 4
    bars = pl.concat(
        [
            prices([10.0] * 5, [10.0, 10.0, 10.0, 10.0, 1.0], "WM", LONG_DATES[:last]),
            flat("WM", LONG_DATES[back:], 30.0),
        ]
    )
    made = forecasts(*[0.9] * len(LONG_DATES), name="WM", dates=LONG_DATES)
    result = underlying_signals(bars, made, fees_bps=0.0, initial_cash=1_000.0)
    ended = LONG_DATES[last + LONGEST_GAP + 1]
    rows = result.trades.select("underlying", "opened", "closed", "entry_price", "exit_price", "exit").rows()
    assert rows == [
        ("WM", LONG_DATES[1], ended, 10.0, 1.0, "ended"),
        ("WM from " + str(LONG_DATES[back]), LONG_DATES[back + 1], LONG_DATES[-1], 30.0, 30.0, "open"),
    ]
    assert pytest.approx(100.0) == result.ended_value == result.metrics.final_equity
    assert (result.series, result.tickers) == (2, 1)


def test_an_entry_without_an_open_is_not_made_up():
    bars = pl.concat([flat("SPY", DATES, 100.0), flat("A", [DATES[0], *DATES[2:]], 10.0)])
    made = pl.concat([forecasts(0.9, name="A"), forecasts(0.9, 0.9, 0.9, name="SPY")])
    result = underlying_signals(bars, made)
    assert (result.lapsed, set(result.trades["underlying"])) == (1, {"SPY"})
    assert pytest.approx([0.0, 0.5, 1.0, 1.0], abs=1e-3) == result.curve["exposure"].to_list()


def random_market(seed, n_names=5):
    """Random walks with IPOs, delistings, reused tickers and holes; forecasts at random."""
    rng = np.random.default_rng(seed)
    parts, made = [], []
    for name in "ABCDE"[:n_names]:
        level = 50 * np.exp(np.cumsum(0.02 * rng.normal(size=len(LONG_DATES))))
        bars = prices(level * np.exp(0.01 * rng.normal(size=len(level))), level, name, LONG_DATES)
        start, stop = sorted(rng.integers(0, len(LONG_DATES), size=2))
        gone = (np.arange(len(LONG_DATES)) >= start) & (np.arange(len(LONG_DATES)) < stop)
        holes = rng.random(len(LONG_DATES)) < 0.1
        parts.append(bars.filter(pl.Series(~(gone | holes)) if name != "A" else pl.lit(value=True)))
        made.append(forecasts(*rng.uniform(0.3, 0.7, len(LONG_DATES)), name=name, dates=LONG_DATES))
    return pl.concat(parts), pl.concat(made)


@pytest.mark.parametrize("seed", range(3))
def test_the_books_are_those_of_a_trader_with_a_pencil(seed):
    bars, made = random_market(seed)
    result = underlying_signals(bars, made, fees_bps=0.0, initial_cash=1_000.0, edge=0.05)
    matrices = price_matrices(bars, set("ABCDE"))
    share = plan(wanted(made, matrices, edge=0.05, short=False).target, matrices).share
    last = np.nan_to_num(carried(matrices.closes), nan=1.0)
    shares, cash, books = np.zeros(len(matrices.names)), 1_000.0, []
    for t, row in enumerate(share):
        at = np.where(matrices.priced[t], matrices.opens[t], last[t - 1])
        equity, ordered = cash + shares @ at, np.isfinite(row)
        moved = np.where(ordered, np.nan_to_num(row) * equity / at, shares) - shares
        bought = np.clip(moved, 0, None) @ at
        assert bought <= cash - np.clip(moved, None, 0) @ at + 1e-6
        shares, cash = shares + moved, cash - moved @ at
        books.append(cash + shares @ last[t])
    assert pytest.approx(books) == result.curve["equity"].to_list()
    assert pytest.approx(result.metrics.final_equity - 1_000.0) == result.trades["pnl"].sum()


@pytest.mark.parametrize("short", [False, True])
def test_later_prices_change_nothing_before(short):
    bars, made = random_market(11)
    whole = underlying_signals(bars, made, short=short).curve
    for cut in (2, 17, 30, 48, 63):
        known = bars.filter(pl.col("date") < LONG_DATES[cut])
        part = underlying_signals(known, made, short=short).curve
        for column in ("equity", "buy_and_hold"):
            assert whole.head(cut)[column].to_list() == part[column].to_list()


def test_the_scale_of_prices_does_not_matter():
    bars, made = random_market(5)
    scaled = bars.with_columns(
        pl.when(pl.col("underlying") == "B")
        .then(pl.col("open", "close") / 20)
        .otherwise(pl.col("open", "close"))
    )
    found = underlying_signals(scaled, made).curve["equity"].to_list()
    assert pytest.approx(underlying_signals(bars, made).curve["equity"].to_list()) == found


def test_prices_of_other_names_are_refused():
    with pytest.raises(DatasetError, match="ingest stock_day_bars of these underlyings"):
        underlying_signals(flat("A", DATES, 1.0), forecasts(0.6, name="B"))
