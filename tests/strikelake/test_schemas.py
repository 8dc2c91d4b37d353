from datetime import date

import polars as pl
import pytest

from strikelake.calendar import et_ns, session
from strikelake.errors import LakeError
from strikelake.schemas import table, tables

DAY = date(2025, 1, 2)
OPEN_NS = session(DAY).open_ns

BAR = {
    "date": DAY,
    "ticker": "SPY",
    "ts_ns": OPEN_NS,
    "open": 10.0,
    "high": 12.0,
    "low": 9.0,
    "close": 11.0,
    "volume": 100.5,
    "transactions": None,
    "available_at": OPEN_NS + 60_000_000_000,
}
QUOTE = {
    "date": DAY,
    "occ_symbol": "SPY250117C00500000",
    "underlying": "SPY",
    "expiration": date(2025, 1, 17),
    "option_type": "C",
    "strike": 500.0,
    "ts_ns": OPEN_NS,
    "bid_price": 1.0,
    "bid_size": 1.0,
    "ask_price": 1.1,
    "ask_size": 2.0,
    "available_at": OPEN_NS,
}


def broken(name: str, row: dict[str, object], **changes: object) -> dict[str, int]:
    spec = table(name)
    frame = pl.DataFrame([row | changes], schema=spec.columns)
    return spec.schema.filter(frame)[1].counts()


@pytest.mark.parametrize(
    ("changes", "rules"),
    [
        ({}, {}),
        ({"low": 10.5}, {"low_is_lowest": 1}),
        ({"high": 10.5}, {"high_is_highest": 1}),
        ({"low": 0.0}, {"low|min_exclusive": 1}),
        ({"open": float("nan")}, {"open|max": 1, "open|nan": 1}),
        ({"open": 2e7, "high": 3e7}, {"high|max": 1, "open|max": 1}),
        ({"close": None}, {"close|nullability": 1}),
        ({"volume": -1.0}, {"volume|min": 1}),
        ({"volume": 0.0}, {}),
        ({"transactions": -1}, {"transactions|min": 1}),
        ({"ticker": "NWSA/FOXA"}, {"ticker|regex": 1}),
        ({"ticker": "BRK.B"}, {}),
        ({"ticker": "ABRpD"}, {}),
        ({"available_at": OPEN_NS - 1}, {"known_after_start": 1}),
        ({"ts_ns": OPEN_NS // 1_000_000}, {"ts_ns|min": 1}),
    ],
)
def test_bars(changes: dict[str, object], rules: dict[str, int]):
    assert rules == broken("stock_minute_bars", BAR, **changes)


@pytest.mark.parametrize(
    ("changes", "rules"),
    [
        ({"bid_price": 1.2}, {}),
        ({"bid_price": None, "bid_size": None}, {}),
        ({"bid_price": None}, {"sides_are_whole": 1}),
        ({"ask_price": 0.0}, {"ask_price|min_exclusive": 1}),
        ({"option_type": "X"}, {"option_type|regex": 1}),
        ({"strike": 0.0}, {"strike|min_exclusive": 1}),
    ],
)
def test_quotes_may_be_crossed_or_one_sided(changes: dict[str, object], rules: dict[str, int]):
    assert rules == broken("option_quotes", QUOTE, **changes)


def test_several_quotes_may_share_a_nanosecond():
    spec = table("option_quotes")
    frame = pl.DataFrame([QUOTE, QUOTE | {"bid_price": 1.05}], schema=spec.columns)
    assert spec.schema.filter(frame)[1].counts() == {}
    assert spec.key == ()


@pytest.mark.parametrize(
    ("changes", "rules"),
    [
        ({}, {}),
        ({"split_to": None}, {"split_has_ratio": 1}),
        ({"split_to": 1.0027}, {}),
        ({"cash_amount": 1.0}, {"dividend_has_amount": 1}),
        ({"action": "merger"}, {"action|regex": 1, "split_has_ratio": 1}),
    ],
)
def test_corporate_actions(changes: dict[str, object], rules: dict[str, int]):
    split = {
        "ticker": "AAPL",
        "action": "split",
        "ex_date": DAY,
        "split_from": 1.0,
        "split_to": 7.0,
        "cash_amount": None,
        "available_at": OPEN_NS,
    }
    assert rules == broken("corporate_actions", split, **changes)


@pytest.mark.parametrize(
    ("rate", "rules"), [(0.05, {}), (0.0, {}), (-0.001, {}), (5.0, {"yield_rate|max": 1})]
)
def test_yields_are_decimal(rate: float, rules: dict[str, int]):
    row = {"date": DAY, "tenor_days": 30, "yield_rate": rate, "available_at": OPEN_NS}
    assert rules == broken("treasury_yields", row)


@pytest.mark.parametrize(
    ("changes", "rules"),
    [
        ({}, {}),
        ({"value": None, "null_reason": "warm_up"}, {}),
        ({"value": None}, {"reason_for_null": 1}),
        ({"value": float("nan")}, {"value|nan": 1}),
        ({"available_at": OPEN_NS + 1}, {"known_at_asof": 1}),
    ],
)
def test_features_are_known_when_they_are_used(changes: dict[str, object], rules: dict[str, int]):
    row = {
        "date": DAY,
        "asof": OPEN_NS,
        "underlying": "SPY",
        "bar": "30m",
        "feature": "rsi_14",
        "value": 50.0,
        "null_reason": None,
        "definition": "0a",
        "inputs": "0b",
        "available_at": OPEN_NS,
    }
    assert rules == broken("features", row, **changes)


def test_every_table_is_described_by_its_own_columns():
    for name, spec in tables().items():
        named = {*spec.sort, *spec.key, *spec.partition_by, spec.day}
        assert spec.name == name
        assert named <= set(spec.columns), name
        assert spec.available_at, name
        assert spec.schema.__doc__, name


def test_an_unknown_table_is_answered_with_the_nearest():
    with pytest.raises(LakeError, match=r"no table 'option_minute_bar': did you mean 'option_minute_bars'\?"):
        table("option_minute_bar")


SNAPSHOT = {
    "date": DAY,
    "occ_symbol": "SPY250117C00500000",
    "underlying": "SPY",
    "expiration": date(2025, 1, 17),
    "option_type": "C",
    "strike": 500.0,
    "ts_ns": OPEN_NS,
    "available_at": OPEN_NS,
}
FILED = {
    "date": DAY, "ticker": "AMZN", "security_type": "CS", "sic_code": 5961, "asked_ns": None,
    "available_at": OPEN_NS,
}  # fmt: skip
SYMBOL = {"security": "WM", "ticker": "WMI", "first_date": DAY, "last_date": None, "available_at": OPEN_NS}


@pytest.mark.parametrize(
    ("changes", "rules"),
    [
        ({}, {}),
        ({"quote_ts_ns": OPEN_NS + 1}, {"known_when_taken": 1}),
        ({"available_at": OPEN_NS - 1}, {"known_when_taken": 1}),
        ({"bid_price": 0.0}, {"bid_price|min_exclusive": 1}),
        ({"implied_vol": 0.0}, {"implied_vol|min_exclusive": 1}),
        ({"delta": -1.2}, {"delta|min": 1}),
        ({"open_interest": -1}, {"open_interest|min": 1}),
    ],
)
def test_snapshots_of_chains(changes, rules):
    assert broken("chain_snapshots", SNAPSHOT, **changes) == rules


@pytest.mark.parametrize(
    ("changes", "rules"),
    [
        ({}, {}),
        ({"sic_code": None, "security_type": "ETF"}, {}),
        ({"sic_code": 99}, {"sic_code|min": 1}),
        ({"available_at": et_ns(DAY, "09:30") - 86_400 * 10**9}, {"known_on_its_date_or_later": 1}),
    ],
)
def test_classifications(changes, rules):
    assert broken("classifications", FILED, **changes) == rules


@pytest.mark.parametrize(
    ("changes", "rules"),
    [
        ({}, {}),
        ({"last_date": DAY}, {}),
        ({"last_date": date(2025, 1, 1)}, {"ends_after_it_starts": 1}),
        ({"ticker": ""}, {"ticker|regex": 1}),
    ],
)
def test_symbols(changes, rules):
    assert broken("symbols", SYMBOL, **changes) == rules
