"""Decisions on small made-up chains; every denial code has its test here or beside its rule."""

import random
from dataclasses import replace
from datetime import date
from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strikelake.calendar import NS_PER_MINUTE, NS_PER_SECOND, et_ns, session
from strikelake.decide import DayState, Decision, decide
from strikelake.orders import Effect, Leg, OrderIntent, Side
from strikelake.portfolio import Account, Holding
from strikelake.risk.limits import DenialCode, RiskRules, limits_for
from strikelake.risk.tiers import Tier, TrainingPlan
from strikelake.strategy.signals import Signal

DAY = session(date(2025, 1, 14))
ASOF = et_ns(DAY.date, "11:00")
EXIT_AT = ASOF + 120 * NS_PER_MINUTE
EXPIRATION = date(2025, 1, 24)
NAMES = ("AAA", "BBB", "CCC", "DDD")
TIER = Tier("medium", Decimal(0), NAMES, 5, Decimal("0.03"), 10, 2_000, TrainingPlan(60, ("forest",), 0))
LIMITS = limits_for(TIER, "medium", RiskRules(limit_slippage=Decimal(0), fee_per_contract=Decimal(0)))
UNRELATED = {frozenset((a, b)): 0.0 for a in NAMES for b in NAMES if a != b}
STATE = DayState(DAY, Decimal(20_000), correlations=UNRELATED)


def account(equity=20_000, *, level=3, buying_power=None):
    money = Decimal(equity)
    return Account("A1", money, money, money if buying_power is None else Decimal(buying_power), level)


def contract(name, strike, kind, bid, ask, delta, *, age_s=60):
    return {
        "occ_symbol": f"{name}{EXPIRATION:%y%m%d}{kind}{strike * 1000:08d}",
        "underlying": name,
        "expiration": EXPIRATION,
        "option_type": kind,
        "strike": float(strike),
        "bid_price": bid,
        "ask_price": ask,
        "quote_ts_ns": ASOF - age_s * NS_PER_SECOND,
        "underlying_price": 100.0,
        "years": 10 / 365,
        "implied_vol": 0.3,
        "delta": delta,
    }


def chain_of(name, scale=1.0):
    rows = [
        contract(name, 100, "C", 1.96 * scale, 2.0 * scale, 0.45),
        contract(name, 102, "C", 1.2 * scale, 1.24 * scale, 0.33),
        contract(name, 104, "C", 0.7 * scale, 0.72 * scale, 0.22),
        contract(name, 100, "P", 1.96 * scale, 2.0 * scale, -0.45),
        contract(name, 98, "P", 1.2 * scale, 1.24 * scale, -0.33),
    ]
    return pl.DataFrame(rows)


CHAIN = pl.concat([chain_of(name) for name in NAMES])
RISE = Signal(ASOF, "AAA", EXIT_AT, 0.60)
CALL = "AAA250124C00100000"
HOLDING = Holding(
    client_order_id="sl-held",
    underlying="AAA",
    strategy="long_call",
    legs=(Leg(CALL, Side.BUY, Effect.OPEN),),
    quantity=3,
    entry_price=Decimal("2.00"),
    opened_at=ASOF - 60 * NS_PER_MINUTE,
    exit_at=ASOF,
    direction=1,
    max_loss=Decimal(240),
)


def run(*signals, asof=ASOF, who=None, holdings=(), chain=CHAIN, limits=LIMITS, state=STATE):
    return decide(asof, who or account(), holdings, signals, chain, limits, state)


def only_denial(decision):
    assert decision.intents == ()
    (denial,) = decision.denials
    return denial.code


def test_a_rise_buys_calls_up_to_the_risk_budget():
    (intent,) = run(RISE).intents
    # 3 % of 20,000 is 600; a call at 2.00 loses 80 at a stop of 40 %.
    assert (7, Decimal("2.00"), Decimal(560)) == (intent.quantity, intent.limit_price, intent.max_loss)
    assert ("long_call", (Leg(CALL, Side.BUY, Effect.OPEN),)) == (intent.strategy, intent.legs)
    assert (
        intent.underlying,
        intent.reason,
        intent.exit_at,
        intent.direction,
        intent.asof,
    ) == ("AAA", "entry", EXIT_AT, 1, ASOF)


def test_a_fall_buys_puts():
    (intent,) = run(replace(RISE, probability=0.4)).intents
    assert (
        intent.strategy,
        intent.direction,
        intent.legs[0].occ_symbol,
    ) == ("long_put", -1, "AAA250124P00100000")


def test_a_weak_signal_is_neither_traded_nor_denied():
    assert Decision((), ()) == run(replace(RISE, probability=0.51))


def test_the_limit_gives_way_by_the_slippage_and_counts_fees():
    limits = limits_for(TIER, "medium", RiskRules())
    (intent,) = run(RISE, limits=limits).intents
    assert (Decimal("2.04"), 7, Decimal("580.30")) == (intent.limit_price, intent.quantity, intent.max_loss)


def test_a_call_too_dear_for_the_budget_becomes_the_widest_spread_that_fits():
    # 2 % of 2,000 is 40 and a call at 2.00 loses 80: the spread 100/102 at 0.80 loses 32, 100/104 at 1.30 52.
    who, state = account(2_000), replace(STATE, opening_equity=Decimal(2_000))
    limits = replace(LIMITS, risk_per_trade=Decimal("0.02"))
    (intent,) = run(RISE, who=who, limits=limits, state=state).intents
    assert ("call_debit_spread", Decimal("0.80"), 1, Decimal(32)) == (
        intent.strategy,
        intent.limit_price,
        intent.quantity,
        intent.max_loss,
    )
    assert tuple((leg.occ_symbol, leg.side) for leg in intent.legs) == (
        (CALL, Side.BUY),
        ("AAA250124C00102000", Side.SELL),
    )


def test_a_spread_is_never_bid_up_to_its_width():
    who, state = account(4_000), replace(STATE, opening_equity=Decimal(4_000))
    limits = replace(LIMITS, risk_per_trade=Decimal("0.02"), limit_slippage=Decimal("0.50"))
    dear = pl.when(pl.col("occ_symbol") == CALL).then(2.9).otherwise(pl.col("ask_price"))
    wide = CHAIN.with_columns(
        ask_price=dear, bid_price=pl.when(pl.col("occ_symbol") == CALL).then(2.85).otherwise("bid_price")
    )
    (intent,) = run(RISE, who=who, limits=limits, state=state, chain=wide).intents
    # The spread 100/102 costs 1.70 of its 2.00; half as much again would be 2.55.
    assert ("call_debit_spread", Decimal("1.99")) == (intent.strategy, intent.limit_price)


@pytest.mark.parametrize(("level", "code"), [(1, DenialCode.OPTIONS_LEVEL), (2, DenialCode.ZERO_SIZE)])
def test_the_options_level_decides_what_can_be_built(level, code):
    limits = replace(LIMITS, risk_per_trade=Decimal("0.002"))
    assert code == only_denial(run(RISE, who=account(level=level), limits=limits))


@pytest.mark.parametrize(
    ("limits", "who", "code"),
    [
        (replace(LIMITS, risk_per_trade=Decimal("0.0001")), account(), DenialCode.ZERO_SIZE),
        (replace(LIMITS, position_limit=Decimal("0.001")), account(), DenialCode.POSITION_LIMIT),
        (replace(LIMITS, max_portfolio_risk=Decimal("0.0001")), account(), DenialCode.PORTFOLIO_RISK),
        (LIMITS, account(buying_power=50), DenialCode.BUYING_POWER),
    ],
)
def test_a_size_of_zero_names_the_budget_that_binds(limits, who, code):
    assert code == only_denial(run(RISE, who=who, limits=limits))


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"bid_price": None}, DenialCode.NO_QUOTE),
        ({"ask_price": None}, DenialCode.NO_QUOTE),
        ({"quote_ts_ns": ASOF - 601 * NS_PER_SECOND}, DenialCode.STALE_QUOTE),
        ({"quote_ts_ns": ASOF + 1}, DenialCode.STALE_QUOTE),
        ({"bid_price": 1.0}, DenialCode.WIDE_SPREAD),
        ({"delta": None}, DenialCode.NO_CONTRACT),
        ({"delta": 0.9}, DenialCode.NO_CONTRACT),
        ({"expiration": date(2025, 1, 15)}, DenialCode.NO_CONTRACT),
        ({"underlying": "ZZZ"}, DenialCode.NO_CONTRACT),
    ],
)
def test_a_chain_without_a_contract_to_trade_says_why(change, code):
    alone = CHAIN.filter(pl.col("occ_symbol") == CALL)
    changed = alone.with_columns(
        pl.lit(value, dtype=alone.schema[name]).alias(name) for name, value in change.items()
    )
    assert code == only_denial(run(RISE, chain=changed))


def test_a_contract_with_a_wide_spread_gives_way_to_the_next():
    wide = pl.when(pl.col("occ_symbol") == CALL).then(1.0).otherwise(pl.col("bid_price"))
    (intent,) = run(RISE, chain=CHAIN.with_columns(bid_price=wide)).intents
    assert intent.legs[0].occ_symbol == "AAA250124C00102000"


def test_an_empty_chain_denies_and_does_not_fail():
    assert only_denial(run(RISE, chain=CHAIN.clear())) == DenialCode.NO_CONTRACT


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"state": replace(STATE, halted=True)}, DenialCode.HALTED),
        ({"state": replace(STATE, opening_equity=Decimal(22_000))}, DenialCode.DAILY_LOSS),
        ({"limits": replace(LIMITS, universe=frozenset({"BBB"}))}, DenialCode.UNIVERSE),
        ({"limits": replace(LIMITS, max_positions=0)}, DenialCode.MAX_POSITIONS),
        ({"asof": DAY.close_ns}, DenialCode.SESSION_CLOSED),
        ({"asof": ASOF + 1}, DenialCode.STALE_SIGNAL),
        ({"asof": ASOF - 1}, DenialCode.STALE_SIGNAL),
    ],
)
def test_rules_that_need_no_contract(changes, code):
    assert code == only_denial(run(RISE, **changes))


def test_no_entry_at_the_last_decision_that_would_have_to_close_by_the_bell():
    last = et_ns(DAY.date, "15:30")
    late = Signal(last, "AAA", DAY.close_ns, 0.6)
    fresh = CHAIN.with_columns(quote_ts_ns=pl.lit(last))
    assert only_denial(run(late, asof=last, chain=fresh)) == DenialCode.SESSION_CLOSED
    assert len(run(replace(late, exit_at=DAY.close_ns + 1), asof=last, chain=fresh).intents) == 1


def test_a_name_that_is_held_is_not_entered_again():
    held = replace(HOLDING, exit_at=EXIT_AT)
    assert only_denial(run(RISE, holdings=(held,))) == DenialCode.ALREADY_HELD


def test_one_entry_per_underlying_and_decision():
    twice = run(RISE, replace(RISE, probability=0.3))
    assert [intent.strategy for intent in twice.intents] == ["long_put"]
    assert [denial.code for denial in twice.denials] == [DenialCode.ALREADY_HELD]


def test_the_same_bet_twice_is_refused():
    state = replace(STATE, correlations=UNRELATED | {frozenset(("AAA", "BBB")): 0.9})
    decision = run(RISE, replace(RISE, underlying="BBB", probability=0.7), state=state)
    assert (
        [intent.underlying for intent in decision.intents],
        [(denial.underlying, denial.code) for denial in decision.denials],
    ) == (["BBB"], [("AAA", DenialCode.CORRELATION)])


def test_entries_come_by_strength_and_use_up_places_and_money():
    signals = [Signal(ASOF, name, EXIT_AT, p) for name, p in zip(NAMES, (0.6, 0.9, 0.6, 0.2), strict=True)]
    decision = run(*signals, limits=replace(LIMITS, max_positions=3))
    assert [intent.underlying for intent in decision.intents] == ["BBB", "DDD", "AAA"]
    assert [(d.underlying, d.code) for d in decision.denials] == [("CCC", DenialCode.MAX_POSITIONS)]


def test_capital_of_earlier_entries_is_not_spent_twice():
    signals = [Signal(ASOF, name, EXIT_AT, 0.6) for name in NAMES[:2]]
    decision = run(*signals, who=account(level=2, buying_power=1_500))
    assert [intent.quantity for intent in decision.intents] == [7]
    assert [denial.code for denial in decision.denials] == [DenialCode.BUYING_POWER]


def test_portfolio_risk_counts_holdings_working_entries_and_this_decision():
    (working,) = run(replace(RISE, underlying="CCC")).intents
    held = replace(HOLDING, exit_at=EXIT_AT, max_loss=Decimal(1_000))
    state = replace(STATE, working=(working,))
    # 10 % of 20,000 less the pending spread of 28 is 1,997; 1,560 are taken: five calls at 80, then none.
    signals = [Signal(ASOF, name, EXIT_AT, 0.6) for name in ("BBB", "DDD")]
    who = replace(account(level=2), cash=Decimal(19_412))
    wide = replace(LIMITS, max_portfolio_risk=Decimal("0.10"))
    decision = run(*signals, who=who, holdings=(held,), state=state, limits=wide)
    assert [(intent.underlying, intent.quantity) for intent in decision.intents] == [("BBB", 5)]
    assert [(d.underlying, d.code) for d in decision.denials] == [("DDD", DenialCode.PORTFOLIO_RISK)]


def test_exits_come_first_and_sell_at_the_bid():
    first, second = run(replace(RISE, underlying="BBB"), holdings=(HOLDING,)).intents
    assert ("time", Decimal("-1.96"), 3, None, Decimal(0)) == (
        first.reason,
        first.limit_price,
        first.quantity,
        first.exit_at,
        first.max_loss,
    )
    assert (Leg(CALL, Side.SELL, Effect.CLOSE),) == first.legs
    assert (second.underlying, second.reason) == ("BBB", "entry")


def test_an_exit_is_made_while_halted():
    decision = run(holdings=(HOLDING,), state=replace(STATE, halted=True))
    assert [intent.reason for intent in decision.intents] == ["time"]
    assert decision.halted


def test_an_exit_that_is_working_is_not_sent_twice():
    (exit_order,) = run(holdings=(HOLDING,)).intents
    assert run(holdings=(HOLDING,), state=replace(STATE, working=(exit_order,))) == Decision((), ())


@pytest.mark.parametrize("bid", [None, 0.0])
def test_an_exit_without_a_price_is_reported_and_waits(bid):
    chain = CHAIN.with_columns(bid_price=pl.lit(bid, dtype=pl.Float64))
    assert only_denial(run(holdings=(HOLDING,), chain=chain)) == DenialCode.NO_QUOTE


def test_no_exit_is_sent_outside_the_session():
    assert run(asof=DAY.close_ns, holdings=(HOLDING,)) == Decision((), ())


def test_the_daily_loss_is_measured_at_the_side_we_would_trade_at():
    # Cash and three calls worth 588 at the bid: 19,000 is the limit, whatever the broker's own mark says.
    held, quiet = replace(HOLDING, exit_at=EXIT_AT), replace(LIMITS, stop_loss=Decimal("0.5"))
    safe = replace(account(), cash=Decimal(18_413))
    lost = replace(account(), cash=Decimal(18_412))
    assert not run(who=safe, holdings=(held,), limits=quiet).halted
    assert run(who=lost, holdings=(held,), limits=quiet).halted


def test_reaching_the_daily_loss_flattens_by_configuration():
    held = replace(HOLDING, exit_at=EXIT_AT)
    lost = replace(account(), cash=Decimal(18_000))
    assert run(who=lost, holdings=(held,)).intents == ()
    flat = run(who=lost, holdings=(held,), limits=replace(LIMITS, flatten_on_halt=True))
    assert [intent.reason for intent in flat.intents] == ["halt"]


def test_pending_entries_count_at_their_worst_price():
    (working,) = run(replace(RISE, underlying="BBB")).intents
    dear = replace(working, limit_price=Decimal("3.00"))
    state = replace(STATE, working=(dear,))
    # 7 calls bought at 3.00 and sold at 1.96 lose 728: 19,727 is just above the limit after it.
    assert not run(who=account(19_729), state=state).halted
    assert run(who=account(19_728), state=state).halted


def test_the_order_id_depends_on_the_decision_alone():
    ids = {run(RISE).intents[0].client_order_id, run(RISE).intents[0].client_order_id}
    assert len(ids) == 1
    assert ids != {run(RISE, who=replace(account(), account_id="A2")).intents[0].client_order_id}


prices = st.decimals(min_value="0.02", max_value="40", places=2)


@st.composite
def situations(draw):
    names = draw(st.permutations(NAMES))
    scales = {name: draw(st.floats(0.02, 20)) for name in NAMES}
    signals = [
        Signal(ASOF, name, EXIT_AT, draw(st.floats(0, 1)))
        for name in names
        for _ in range(draw(st.integers(0, 2)))
    ]
    held = [
        replace(
            HOLDING,
            client_order_id=f"sl-{name}",
            underlying=name,
            legs=(Leg(f"{name}250124C00100000", Side.BUY, Effect.OPEN),),
            entry_price=draw(prices),
            max_loss=draw(st.decimals(min_value=0, max_value=3_000, places=2)),
            exit_at=draw(st.sampled_from([ASOF, EXIT_AT])),
        )
        for name in names[: draw(st.integers(0, 2))]
    ]
    equity = draw(st.integers(0, 300_000))
    who = account(equity, level=draw(st.integers(0, 3)), buying_power=draw(st.integers(0, equity)))
    limits = replace(
        LIMITS,
        max_positions=draw(st.integers(1, 5)),
        risk_per_trade=draw(st.sampled_from([Decimal("0.02"), Decimal("0.04")])),
        limit_slippage=draw(st.sampled_from([Decimal(0), Decimal("0.05")])),
        fee_per_contract=draw(st.sampled_from([Decimal(0), Decimal("0.65")])),
    )
    opening = Decimal(draw(st.integers(0, 300_000)))
    return signals, held, who, limits, scales, replace(STATE, opening_equity=opening)


def decide_in(situation, shuffled=None):
    signals, held, who, limits, scales, state = situation
    chain = pl.concat([chain_of(name, scales[name]) for name in NAMES])
    if shuffled is not None:
        order = random.Random(shuffled)
        signals, held = order.sample(signals, len(signals)), order.sample(held, len(held))
        chain = chain.sample(fraction=1.0, shuffle=True, seed=shuffled)
    return decide(ASOF, who, held, signals, chain, limits, state)


@settings(max_examples=60, deadline=None)
@given(situations())
def test_no_limit_is_ever_exceeded(situation):
    _, held, who, limits, _, state = situation
    decision = decide_in(situation)
    entries = [intent for intent in decision.intents if intent.reason == "entry"]
    costs = [cost(intent, limits) for intent in entries]
    risks = [intent.max_loss for intent in entries]
    assert all(risk <= who.equity * limits.risk_per_trade for risk in risks)
    assert all(price <= who.equity * limits.position_limit for price in costs)
    assert sum(costs) <= who.buying_power
    if entries:
        assert sum(risks) + sum(h.max_loss for h in held) <= who.equity * limits.max_portfolio_risk
        assert len(held) + len(entries) <= limits.max_positions
        assert who.equity > state.opening_equity * (1 - limits.max_daily_loss)
    names = [intent.underlying for intent in entries] + [h.underlying for h in held]
    assert len(set(names)) == len(names)
    assert all(intent.quantity > 0 for intent in decision.intents)
    assert all(len(intent.legs) < who.options_level for intent in entries)


@settings(max_examples=30, deadline=None)
@given(situations(), st.integers(0, 1_000))
def test_the_order_of_inputs_changes_nothing(situation, seed):
    assert decide_in(situation) == decide_in(situation, shuffled=seed)


def cost(intent: OrderIntent, limits):
    return intent.quantity * (intent.limit_price * 100 + limits.fee_per_contract * len(intent.legs))
