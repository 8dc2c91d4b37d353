"""Replays small enough to be followed by hand, and properties on a made-up market."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from fractions import Fraction

import polars as pl
import pytest

from backtests.costs import Costs
from backtests.engine import replay
from backtests.results import Assumptions
from backtests.vectorized import portfolio_from_fills
from strikelake.calendar import NS_PER_MINUTE, NS_PER_SECOND, et_ns, session, sessions
from strikelake.contracts import occ_columns
from strikelake.errors import DatasetError
from strikelake.portfolio import Account
from strikelake.splits import Split
from strikelake.strategy.signals import Signal

DAY, NEXT = session(date(2025, 1, 14)), session(date(2025, 1, 15))
EXPIRY = session(date(2025, 1, 17))
CALL = "AAA250117C00100000"
LATER = "AAA250221C00100000"
ACCOUNT = Account("backtest", Decimal(10_000), Decimal(10_000), Decimal(10_000), 2)
SUPPOSED = Assumptions(latency_ns=NS_PER_SECOND, costs=Costs(Decimal("0.50")))


class Script:
    """A market of written-down quotes: (session, symbol, clock, bid, ask); the delta is always 0.45."""

    def __init__(self, *rows, prices=(), splits=()):
        self.rows, self.closes, self.known = rows, prices, splits

    def quotes(self, session):
        rows = [
            (symbol, et_ns(day.date, clock), bid, ask)
            for day, symbol, clock, bid, ask in self.rows
            if day == session
        ]
        schema = {
            "symbol": pl.String,
            "ts_ns": pl.Int64,
            "bid_price": pl.Float64,
            "ask_price": pl.Float64,
        }
        return pl.DataFrame(rows, schema=schema, orient="row").select(
            *occ_columns("symbol"), "ts_ns", "bid_price", "ask_price"
        )

    def prices(self, session):
        rows = [("AAA", day.close_ns, price) for day, price in self.closes if day == session]
        return pl.DataFrame(
            rows,
            schema={"underlying": pl.String, "available_at": pl.Int64, "price": pl.Float64},
            orient="row",
        )

    def chain(self, session, quotes, prices, asof, solve):  # noqa: ARG002 - the engine's protocol
        last = quotes.filter(pl.col("ts_ns") <= asof).sort("ts_ns").unique("occ_symbol", keep="last")
        return last.with_columns(quote_ts_ns=pl.col("ts_ns"), delta=pl.lit(0.45))

    def correlations(self, session):  # noqa: ARG002 - as above
        return {}

    def splits(self, after, session):
        return [split for split in self.known if after < split.ex_date <= session.date]


def signal(clock, *, day=DAY, until="12:00", until_day=None, probability=0.6):
    return Signal(et_ns(day.date, clock), "AAA", et_ns((until_day or day).date, until), probability)


@pytest.fixture
def limits(made_limits):
    return made_limits(("AAA",), limit_slippage=Decimal("0.05"), fee_per_contract=Decimal("0.50"))


def equity_at(result, day, clock):
    return result.curve.filter(pl.col("ts_ns") == et_ns(day.date, clock))["equity"].item()


def test_a_trade_from_entry_to_exit(limits):
    market = Script(
        (DAY, CALL, "09:58", 1.96, 2.00),
        (DAY, CALL, "10:00", 1.96, 2.00),
        (DAY, CALL, "10:00:01", 1.80, 1.84),
        (DAY, CALL, "10:05", 2.04, 2.08),
        (DAY, CALL, "11:59", 2.40, 2.44),
        (DAY, CALL, "12:03", 2.36, 2.40),
        (DAY, CALL, "12:06", 2.90, 2.94),
    )
    result = replay(market, (DAY,), [signal("10:00")], ACCOUNT, limits, SUPPOSED)
    # 3 % of 10,000 is 300; at a limit of 2.10 a call loses 84 and 1.00 of fees: three calls.
    entry, exit_ = result.fills
    assert (3, Decimal("2.08"), et_ns(DAY.date, "10:05"), Decimal("1.50")) == (
        entry.quantity,
        entry.price,
        entry.ts_ns,
        entry.fees,
    )
    assert (3, Decimal("2.36"), et_ns(DAY.date, "12:03")) == (exit_.quantity, exit_.price, exit_.ts_ns)
    (trade,) = result.trades
    assert (Decimal("81.00"), Decimal("3.00"), "time") == (trade.pnl, trade.fees, trade.reason)
    # Marked at the bid: 300 shares at 2.04 after paying 2.08 and 1.50.
    assert pytest.approx(10_000 - 12 - 1.5) == equity_at(result, DAY, "10:30")
    assert pytest.approx(10_081) == result.curve["equity"][-1]
    assert result.curve.select("kind", "positions").rows()[:3] == [
        ("start", 0),
        ("decision", 0),
        ("decision", 1),
    ]


def test_an_order_whose_limit_is_not_reached_is_cancelled_at_the_next_decision(limits):
    market = Script(
        (DAY, CALL, "09:58", 1.96, 2.00),
        (DAY, CALL, "10:10", 2.20, 2.24),
        (DAY, CALL, "10:31", 1.96, 2.00),
    )
    result = replay(market, (DAY,), [signal("10:00")], ACCOUNT, limits, SUPPOSED)
    assert (result.fills, result.orders["filled"].to_list()) == ((), [False])
    assert {10_000.0} == set(result.curve["equity"])


@pytest.mark.parametrize(("clock", "fills"), [("10:29:55", 1), ("10:29:57", 0), ("10:30", 0)])
def test_orders_are_withdrawn_five_seconds_before_the_next_decision(limits, clock, fills):
    market = Script((DAY, CALL, "09:58", 1.96, 2.00), (DAY, CALL, clock, 1.96, 2.00))
    result = replay(market, (DAY,), [signal("10:00")], ACCOUNT, limits, SUPPOSED)
    assert [et_ns(DAY.date, clock)] * fills == [fill.ts_ns for fill in result.fills]
    assert fills == len(result.holdings)


def test_the_last_orders_of_a_session_work_until_its_close(limits):
    market = Script((DAY, CALL, "15:28", 1.96, 2.00), (DAY, CALL, "16:00", 1.96, 2.00))
    late = signal("15:30", until="10:30", until_day=NEXT)
    result = replay(market, (DAY,), [late], ACCOUNT, limits, SUPPOSED)
    assert [DAY.close_ns] == [fill.ts_ns for fill in result.fills]


def test_the_stop_is_watched_at_every_decision(limits):
    market = Script(
        (DAY, CALL, "09:58", 1.96, 2.00),
        (DAY, CALL, "10:05", 1.96, 2.00),
        (DAY, CALL, "10:25", 1.16, 1.20),
        (DAY, CALL, "10:35", 1.14, 1.18),
    )
    (trade,) = replay(market, (DAY,), [signal("10:00")], ACCOUNT, limits, SUPPOSED).trades
    assert ("stop", Decimal("1.14")) == (trade.reason, trade.exit_price)


def test_a_contract_kept_over_night_keeps_its_last_quote_until_the_next_one(limits):
    market = Script(
        (DAY, LATER, "09:58", 1.96, 2.00),
        (DAY, LATER, "10:05", 1.96, 2.00),
        (DAY, LATER, "15:59", 1.90, 1.94),
        (NEXT, LATER, "10:10", 2.00, 2.04),
        (NEXT, LATER, "10:40", 2.10, 2.14),
    )
    overnight = signal("10:00", until="10:30", until_day=NEXT)
    result = replay(market, (DAY, NEXT), [overnight], ACCOUNT, limits, SUPPOSED)
    bought = 10_000 - 600 - 1.5
    assert pytest.approx(bought + 570) == equity_at(result, DAY, "16:00")
    assert pytest.approx(bought + 570) == equity_at(result, NEXT, "10:00")
    assert pytest.approx(bought + 600) == equity_at(result, NEXT, "10:30")
    assert [Decimal("2.1")] == [trade.exit_price for trade in result.trades]


def test_what_finds_no_buyer_on_expiration_day_settles_at_intrinsic_value_without_fees(limits):
    market = Script(
        (DAY, CALL, "09:58", 1.96, 2.00),
        (DAY, CALL, "10:05", 1.96, 2.00),
        (EXPIRY, CALL, "09:40", None, 0.05),
        prices=[(EXPIRY, 103.25)],
    )
    days = sessions(DAY.date, EXPIRY.date)
    # The planned exit is just before expiration; the missing bids keep the contract to the end.
    result = replay(
        market, days, [signal("10:00", until="15:59", until_day=EXPIRY)], ACCOUNT, limits, SUPPOSED
    )
    (trade,) = result.trades
    assert ("settled", Decimal("3.25"), Decimal("1.50"), EXPIRY.close_ns) == (
        trade.reason,
        trade.exit_price,
        trade.fees,
        trade.closed_at,
    )
    assert pytest.approx(10_000 + 375 - 1.5) == result.curve["equity"][-1]
    assert {"NO_QUOTE"} == set(result.denials["code"])
    # Nobody quoted it on the two days between either.
    assert [(day.date, CALL) for day in days[1:-1]] == list(result.unquoted)
    # Until then it was worth nothing: nobody bid.
    assert pytest.approx(10_000 - 601.5) == equity_at(result, EXPIRY, "15:30")


HELD = ((DAY, LATER, "09:58", 1.96, 2.00), (DAY, LATER, "10:05", 1.96, 2.00))
OVERNIGHT = signal("10:00", until="12:00", until_day=NEXT)


def test_a_contract_held_over_a_split_is_closed_as_the_contracts_it_has_become(limits):
    new = "AAA250221C00050000"
    market = Script(
        *HELD,
        (NEXT, new, "11:59", 1.20, 1.22),
        (NEXT, new, "12:03", 1.18, 1.20),
        splits=[Split("AAA", NEXT.date, Fraction(2)), Split("BBB", NEXT.date, Fraction(3))],
    )
    result = replay(market, (DAY, NEXT), [OVERNIGHT], ACCOUNT, limits, SUPPOSED)
    (trade,) = result.trades
    assert (6, Decimal("1.00"), Decimal("1.18"), "time") == (
        trade.quantity,
        trade.entry_price,
        trade.exit_price,
        trade.reason,
    )
    # Three contracts paid 0.50 each, six leave for as much.
    assert trade.pnl == Decimal("0.18") * 600 - Decimal("4.50")
    assert [(LATER, 3), (LATER, 3), (new, 6), (new, 6)] == [(f.occ_symbol, f.quantity) for f in result.fills]
    # The split itself makes nothing: until it is quoted anew, the position is worth its last bid.
    night = result.curve.filter(pl.col("ts_ns").is_between(DAY.close_ns, et_ns(NEXT.date, "11:30")))
    assert set(night["equity"]) == {10_000 - 600 - 1.5 + 588}


def test_books_that_know_nothing_of_splits_agree_over_one(limits):
    market = Script(
        *HELD,
        (NEXT, "AAA250221C00033330", "12:03", 0.70, 0.72),
        splits=[Split("AAA", NEXT.date, Fraction(3))],
    )
    result = replay(market, (DAY, NEXT), [OVERNIGHT], ACCOUNT, limits, SUPPOSED)
    books = portfolio_from_fills(result.fills, result.marks, result.curve["ts_ns"], ACCOUNT.cash)
    assert result.curve["equity"].to_list() == pytest.approx(books.equity["equity"].to_list())
    assert [trade.quantity for trade in result.trades] == [9]


@pytest.mark.parametrize(("ratio", "settled"), [(Fraction(1, 10), 1_032.5), (Fraction(3, 2), 68.8333)])
def test_another_split_changes_what_a_contract_delivers(limits, ratio, settled):
    market = Script(
        (DAY, CALL, "09:58", 1.96, 2.00),
        (DAY, CALL, "10:05", 1.96, 2.00),
        (NEXT, "AAA1250117C00100000", "09:40", None, 0.05),
        prices=[(EXPIRY, settled)],
        splits=[Split("AAA", NEXT.date, ratio)],
    )
    held = signal("10:00", until="15:59", until_day=EXPIRY)
    result = replay(market, sessions(DAY.date, EXPIRY.date), [held], ACCOUNT, limits, SUPPOSED)
    (trade,) = result.trades
    assert (trade.quantity, trade.reason) == (3, "settled")
    assert pytest.approx(3.25, abs=1e-4) == float(trade.exit_price)
    assert result.fills[-1].occ_symbol == "AAA1250117C00100000"


def test_a_split_while_nothing_is_held_changes_nothing(limits):
    market = Script(
        *HELD, splits=[Split("AAA", DAY.date, Fraction(2)), Split("AAA", date(2025, 1, 16), Fraction(2))]
    )
    result = replay(market, (DAY, NEXT), [OVERNIGHT], ACCOUNT, limits, SUPPOSED)
    assert [leg.occ_symbol for holding in result.holdings for leg in holding.legs] == [LATER]


def test_an_expiry_without_a_price_names_what_to_ingest(limits):
    market = Script((DAY, CALL, "09:58", 1.96, 2.00), (DAY, CALL, "10:05", 1.96, 2.00))
    days = sessions(DAY.date, EXPIRY.date)
    with pytest.raises(DatasetError, match=r"AAA has no price by .* 16:00:00 ET.*ingest stock_minute"):
        replay(market, days, [signal("10:00", until="15:59", until_day=EXPIRY)], ACCOUNT, limits, SUPPOSED)


def test_a_daily_loss_halts_entries_for_the_session_only(limits):
    fall = [
        (DAY, CALL, "09:58", 1.96, 2.00),
        (DAY, CALL, "10:05", 1.96, 2.00),
        (DAY, CALL, "10:29", 0.10, 0.12),
        (DAY, CALL, "10:59", 1.96, 2.00),
        (NEXT, LATER, "09:58", 1.96, 2.00),
        (NEXT, LATER, "10:05", 1.96, 2.00),
    ]
    signals = [
        signal("10:00"),
        signal("10:30", probability=0.7),
        signal("11:00"),
        signal("10:00", day=NEXT),
    ]
    result = replay(Script(*fall), (DAY, NEXT), signals, ACCOUNT, limits, SUPPOSED)
    assert result.denials.filter(pl.col("asof") < DAY.close_ns)["code"].to_list() == ["DAILY_LOSS", "HALTED"]
    assert et_ns(NEXT.date, "10:05") in {fill.ts_ns for fill in result.fills}


def test_progress_counts_sessions(limits):
    seen = []
    replay(Script(), (DAY, NEXT), [], ACCOUNT, limits, SUPPOSED, lambda *done: seen.append(done))
    assert seen == [(1, 2), (2, 2)]


def test_a_range_without_sessions_is_refused(limits):
    with pytest.raises(DatasetError, match="holds no session: widen it"):
        replay(Script(), (), [], ACCOUNT, limits, SUPPOSED)


def test_a_signal_that_no_decision_acts_on_is_refused(limits):
    stray = replace(signal("10:00"), asof=et_ns(DAY.date, "10:00") + 1)
    with pytest.raises(
        DatasetError, match="1 signal times, the first 2025-01-14 10:00:00 ET, are no decision"
    ):
        replay(Script(), (DAY,), [stray], ACCOUNT, limits, SUPPOSED)


@pytest.fixture(scope="module")
def replayed(made_market, made_signals, made_limits, made_account):
    signals = made_signals(made_market.names, made_market.days)
    limits = made_limits(made_market.names)
    return (
        signals,
        limits,
        replay(made_market, made_market.days, signals, made_account, limits, Assumptions()),
    )


def test_every_fill_is_later_than_its_decision_and_the_latency(replayed):
    _, _, result = replayed
    decided = dict(result.orders.select("client_order_id", "asof").iter_rows())
    traded = [fill for fill in result.fills if fill.fees]
    assert len(traded) > 20
    assert all(fill.ts_ns > decided[fill.client_order_id] + NS_PER_SECOND for fill in traded)


def test_later_quotes_change_nothing_before(replayed, made_market, made_account):
    signals, limits, whole = replayed
    cut = made_market.days[4].open_ns + 150 * NS_PER_MINUTE

    class Cut:
        prices, chain, correlations = made_market.prices, made_market.chain, made_market.correlations
        splits = made_market.splits

        def quotes(self, session):
            return made_market.quotes(session).filter(pl.col("ts_ns") <= cut)

    part = replay(
        Cut(),
        made_market.days[:5],
        signals_until(signals, made_market.days[4]),
        made_account,
        limits,
        Assumptions(),
    )
    known = pl.col("ts_ns") <= cut
    assert whole.curve.filter(known).rows() == part.curve.filter(known).rows()
    decided = pl.col("asof") < cut - 30 * NS_PER_MINUTE
    assert whole.orders.filter(decided).rows() == part.orders.filter(decided).rows()


def test_a_replay_is_the_same_every_time(replayed, made_market, made_account):
    signals, limits, first = replayed
    again = replay(made_market, made_market.days, reversed(signals), made_account, limits, Assumptions())
    assert (first.fills, first.trades) == (again.fills, again.trades)
    assert first.curve.equals(again.curve)


def test_cash_and_positions_explain_the_equity(replayed):
    _, _, result = replayed
    gained = sum(trade.pnl for trade in result.trades)
    open_cost = sum(h.entry_price * h.quantity * 100 for h in result.holdings)
    open_fees = sum(fill.fees for fill in result.fills) - sum(trade.fees for trade in result.trades)
    cash = result.initial_cash + gained - open_cost - open_fees
    assert float(cash) == pytest.approx(result.curve["cash"][-1])


def signals_until(signals, day):
    return [signal for signal in signals if signal.asof < day.close_ns]
