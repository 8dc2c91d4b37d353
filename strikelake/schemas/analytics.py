"""What options say of volatility: per row, per expiration, per underlying; and what each run made it from."""

from __future__ import annotations

import dataframely as dy
import polars as pl

from strikelake.schemas.columns import EARLIEST_NS, TICKER, Contract, Session, Terms, time
from strikelake.schemas.spec import TableSpec

_ROOT = r"^[A-Z][A-Z0-9.]*$"
_CARRY = r"^(implied|parity|dividends|none)$"


def _bar() -> dy.String:
    """Return the column that says which prices a row is made of: day bars, minute bars or quotes."""
    return dy.String(regex=r"^(1d|1m|quote)$", primary_key=True)


def _number() -> dy.Float64:
    return dy.Float64(nullable=True)


def _count() -> dy.Int64:
    return dy.Int64(nullable=True, min=0)


class OptionAnalytics(Contract, Terms):
    """Implied volatility and Greeks of an option bar or quote, or the status that says why there are none.

    `price` is a bar's close or a quote's mid; only quotes have a `bid_iv` and an `ask_iv`. `years` run to
    settlement. `forward` is what the row was priced on and `carry` the continuous yield beside the discrete
    dividends in it; `underlying_age_ns` is how old the underlying's price was. Greeks are plain derivatives:
    vega per 1.00 of volatility, theta per year.
    """

    ts_ns = time(primary_key=True)
    bar = _bar()
    style = dy.String(regex=r"^(american|european)$")
    price = _number()
    underlying_price = _number()
    underlying_ts_ns = dy.Int64(nullable=True, min=EARLIEST_NS)
    underlying_age_ns = dy.Int64(nullable=True, min=0)
    underlying_source = dy.String(regex=r"^(stock|index|quote|parity|adjusted|none)$")
    rate = _number()
    years = _number()
    forward = _number()
    carry = _number()
    carry_source = dy.String(regex=_CARRY)
    implied_vol = dy.Float64(nullable=True, min_exclusive=0.0)
    iv_error = dy.Float64(nullable=True, min=0.0)
    status = dy.String(min_length=1)
    delta = _number()
    gamma = _number()
    vega = _number()
    theta = _number()
    rho = _number()
    bid_iv = dy.Float64(nullable=True, min_exclusive=0.0)
    bid_status = dy.String(nullable=True, min_length=1)
    ask_iv = dy.Float64(nullable=True, min_exclusive=0.0)
    ask_status = dy.String(nullable=True, min_length=1)
    available_at = time()

    @dy.rule()
    def known_after_underlying(cls) -> pl.Expr:  # noqa: N805 - dataframely hands rules the class
        """Check that nobody knows the row before what it is computed from."""
        return pl.col("available_at") >= pl.max_horizontal("ts_ns", "underlying_ts_ns")

    @dy.rule()
    def solved_means_a_number(cls) -> pl.Expr:  # noqa: N805 - as above
        """Check that a row has a volatility exactly where its status is solved."""
        return pl.col("implied_vol").is_not_null() == (pl.col("status") == "solved")


class _Asof(Session):
    asof = time(primary_key=True)
    underlying = dy.String(regex=TICKER, primary_key=True)
    bar = _bar()
    available_at = time()

    @dy.rule()
    def known_at_asof(cls) -> pl.Expr:  # noqa: N805 - as above
        """Check that what a decision reads is known when it is made."""
        return pl.col("available_at") <= pl.col("asof")


class _Expiration(_Asof):
    root = dy.String(regex=_ROOT, primary_key=True)
    expiration = dy.Date(primary_key=True)
    years = dy.Float64()
    forward = _number()


class Forwards(_Expiration):
    """The forward of one expiration at one moment, and what was taken for its dividends and its carry.

    `carry` is the continuous yield beside the discrete dividends. `method` is `implied` (the carry at which
    American calls and puts near the money have one volatility), `parity` (European options) or `dividends`
    (no pair: projected cash alone). `dispersion` is the median absolute deviation of the pairs' carries;
    `gap_before` and `gap_after` are the median |call - put| volatility of the pairs without and with it.
    """

    spot = _number()
    rate = dy.Float64()
    carry = _number()
    method = dy.String(regex=_CARRY)
    dividends = dy.Int64(min=0)
    dividends_projected = dy.Int64(min=0)
    dividend_pv = dy.Float64(min=0.0)
    pairs = dy.Int64(min=0)
    dispersion = _number()
    gap_before = _number()
    gap_after = _number()
    status = dy.String(min_length=1)


class Smiles(_Expiration):
    """The raw SVI slice of one expiration at one moment, or the status that says why there is none.

    Total variance w(k) = a + b (rho (k - m) + sqrt((k - m)^2 + sigma^2)) with k = ln(K / forward). `min_g` is
    the least value of Durrleman's function on the grid that was checked (no butterfly arbitrage where it is
    not negative), `calendar_gap` how far the slice dips below the one before it, in total variance.
    """

    svi_a = _number()
    svi_b = dy.Float64(nullable=True, min=0.0)
    svi_rho = dy.Float64(nullable=True, min=-1.0, max=1.0)
    svi_m = _number()
    svi_sigma = dy.Float64(nullable=True, min=0.0)
    atm_iv = dy.Float64(nullable=True, min_exclusive=0.0)
    skew = _number()
    k_min = _number()
    k_max = _number()
    contracts = dy.Int64(min=0)
    rmse = dy.Float64(nullable=True, min=0.0)
    min_g = _number()
    calendar_gap = dy.Float64(nullable=True, min=0.0)
    status = dy.String(min_length=1)


class Surfaces(_Asof):
    """One underlying's volatility surface at one moment in numbers; `reason` says why any of them is null.

    Volatilities per square root of a year. Risk reversal (call less put) and butterfly (mean of the wings
    less the money) are those of 25 forward delta at 30 days. `term_slope` is 90 less 30 days. `iv_rank` is
    where `atm_iv_30d` lies between the least (0) and the greatest (1) close of the last 252 sessions, this
    row's included, `iv_rank_sessions` of which had one. `realized_vol` is that of 21 sessions' closes.
    """

    atm_iv_7d = _number()
    atm_iv_30d = _number()
    atm_iv_60d = _number()
    atm_iv_90d = _number()
    risk_reversal_25d = _number()
    butterfly_25d = _number()
    term_slope = _number()
    iv_rank = dy.Float64(nullable=True, min=0.0, max=1.0)
    iv_rank_sessions = _count()
    realized_vol = dy.Float64(nullable=True, min=0.0)
    realized_minus_implied = _number()
    expirations = dy.Int64(min=0)
    contracts = dy.Int64(min=0)
    rmse = dy.Float64(nullable=True, min=0.0)
    butterfly_free = dy.Bool(nullable=True)
    calendar_free = dy.Bool(nullable=True)
    reason = dy.String(nullable=True, min_length=1)


class VolatilityIndices(_Asof):
    """A 30-day index by the Cboe's VIX method, in points: 20 is 20 %; or the reason why there is none."""

    value = dy.Float64(nullable=True, min=0.0)
    near_expiration = dy.Date(nullable=True)
    next_expiration = dy.Date(nullable=True)
    near_variance = _number()
    next_variance = _number()
    near_forward = _number()
    next_forward = _number()
    near_strikes = _count()
    next_strikes = _count()
    reason = dy.String(nullable=True, min_length=1)


class Computations(dy.Schema):
    """What a session's rows were last computed from; a run skips a session whose `fingerprint` is unchanged.

    The fingerprint covers the input files of the date, the rates, the dividends and the code's `method`.
    """

    step = dy.String(regex=r"^(analytics|surfaces|volatility_index)$", primary_key=True)
    bar = _bar()
    date = dy.Date(primary_key=True)
    fingerprint = dy.String(min_length=1)
    rows = dy.Int64(min=0)
    curve_date = dy.Date(nullable=True)
    dividends = dy.String()
    method = dy.String(min_length=1)
    table_version = dy.Int64(min=0)


def specs() -> tuple[TableSpec, ...]:
    """Return the tables of volatilities."""
    made_by, contract = "`strikelake analytics`", ("bar", "occ_symbol", "ts_ns")
    inputs = "the later of the option's and the underlying row's"
    decision, slices = ("bar", "underlying", "asof"), ("bar", "underlying", "asof", "expiration", "root")
    latest = "the latest of the rows used"
    return (
        TableSpec("option_analytics", OptionAnalytics, contract, inputs, made_by),
        TableSpec("forwards", Forwards, slices, latest, made_by),
        TableSpec("smiles", Smiles, slices, latest, made_by),
        TableSpec("surfaces", Surfaces, decision, latest, made_by),
        TableSpec("volatility_indices", VolatilityIndices, decision, latest, made_by),
        TableSpec("computations", Computations, ("step", "bar", "date"), "not market data", made_by, ()),
    )
