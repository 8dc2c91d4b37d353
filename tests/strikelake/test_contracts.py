from datetime import date
from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strikelake.calendar import et_ns
from strikelake.contracts import OptionContract, expiry_ns, occ_columns
from strikelake.errors import ContractError

contracts = st.builds(
    OptionContract,
    root=st.from_regex(r"[A-Z]{1,5}[1-9]?", fullmatch=True),
    expiration=st.dates(date(2005, 1, 1), date(2060, 12, 31)),
    option_type=st.sampled_from(["C", "P"]),
    strike=st.integers(1, 99_999_999).map(lambda mills: Decimal(mills) / 1000),
)


@given(contracts)
def test_parsing_undoes_writing(contract):
    assert OptionContract.parse(contract.occ_symbol) == contract
    assert OptionContract.parse(f"O:{contract.occ_symbol}") == contract


@given(st.lists(contracts, min_size=1, max_size=20))
def test_columns_say_what_parsing_says(found):
    frame = pl.DataFrame({"ticker": [f"O:{c.occ_symbol}" for c in found]}).select(occ_columns("ticker"))
    expected = [(c.occ_symbol, c.underlying, c.expiration, c.option_type, float(c.strike)) for c in found]
    assert frame.rows() == expected


@pytest.mark.parametrize(
    ("symbol", "underlying"),
    [
        ("O:SPXW210108C03700000", "SPX"),
        ("O:AAPL1140621P00092860", "AAPL"),
        ("O:BRK.B250117C00400000", "BRK.B"),
    ],
)
def test_the_underlying_is_not_the_root(symbol, underlying):
    assert OptionContract.parse(symbol).underlying == underlying


@pytest.mark.parametrize(
    "symbol", ["", "AAPL", "AAPL251301C00100000", "AAPL250117X00100000", "aapl250117C00100000"]
)
def test_what_is_no_symbol_is_refused_and_null_in_columns(symbol):
    with pytest.raises(ContractError, match="is not an OCC option symbol"):
        OptionContract.parse(symbol)
    frame = pl.DataFrame({"ticker": [symbol]}).select(occ_columns("ticker"))
    assert frame["expiration"].null_count() == 1


@pytest.mark.parametrize(
    ("in_symbol", "last_day"),
    [
        (date(2014, 6, 21), date(2014, 6, 20)),  # Saturday
        (date(2025, 4, 18), date(2025, 4, 17)),  # Good Friday
        (date(2025, 1, 17), date(2025, 1, 17)),
    ],
)
def test_expiration_is_the_close_of_the_last_session(in_symbol, last_day):
    assert expiry_ns(in_symbol) == et_ns(last_day, "16:00")
