"""The vendor's numbers against ours: planted conventions are found, noise is not explained."""

import json
from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from pipelines.causes import AGREES, INSIDE, UNEXPLAINED
from pipelines.convention_search import UNITS
from pipelines.conventions import OURS, Convention, Valuer
from pipelines.crosscheck import cross_check
from pipelines.crosscheck_page import write_crosscheck
from pipelines.crosscheck_summary import by_bucket, by_cause
from pipelines.reference_rest import load_reference_from_rest
from pipelines.snapshot_chain import read_snapshot
from pipelines.snapshots import snap_chains, stamped
from pipelines.top_up import top_up
from strikelake.calendar import et_ns, session
from strikelake.errors import EmptyLakeError
from strikelake.lake.store import Lake
from strikelake.pricing import american
from strikelake.pricing.options import Options
from strikelake.sandbox.clock import SandboxClock
from strikelake.schemas import table
from strikelake.vendors.rest import RestMarketData, chain_frame

DAY = date(2025, 3, 3)
QUOTED = et_ns(DAY, "15:59") + 7
SPOT, VOL, RATE = 100.0, 0.3, 0.04
EXPIRATIONS = (date(2025, 3, 21), date(2025, 4, 17), date(2025, 6, 20))


def terms():
    for expiration in EXPIRATIONS:
        for strike in range(84, 118, 4):
            for kind, sign in (("C", 1.0), ("P", -1.0)):
                yield f"XYZ{expiration:%y%m%d}{kind}{strike * 1000:08d}", expiration, float(strike), sign


def quoted(change=None):
    """Return a snapshot at the model's prices, a cent wide; `change` gives what the vendor tells."""
    rows = []
    for symbol, expiration, strike, sign in terms():
        years = (et_ns(expiration, "16:00") - QUOTED) / (365 * 86_400e9)
        vol = VOL + 0.1 * (strike / SPOT - 1.0) ** 2
        middle = round(float(american.price(Options(sign, SPOT, strike, years, RATE), vol)), 2)
        half = max(0.01, round(0.01 * middle, 2))
        quote = {"bid": max(middle - half, 0.01), "ask": middle + half, "last_updated": QUOTED}
        rows.append(
            {
                "details": {"ticker": f"O:{symbol}"},
                "last_quote": quote | {"bid_size": 1, "ask_size": 1},
                "underlying_asset": {"price": SPOT},
                "implied_volatility": 0.5,
                "greeks": {"delta": 0.5, "gamma": 0.1, "vega": 0.1, "theta": -0.1},
                "open_interest": 7,
            }
        )
    return stamped(chain_frame(rows), DAY, et_ns(DAY, "16:05"))


def lake_of(tmp_path, rows):
    lake = Lake(tmp_path / "lake")
    lake.replace("chain_snapshots", DAY, rows)
    before = DAY - timedelta(days=3)
    curve = {"date": [before] * 2, "tenor_days": [30, 365], "yield_rate": [0.04, 0.05]}
    curve["available_at"] = [et_ns(before, "18:00")] * 2
    lake.overwrite("treasury_yields", pl.DataFrame(curve, schema=dict(table("treasury_yields").columns)))
    return lake


def told_by(tmp_path, how, flat=None, units=("a vol point", "a calendar day"), noise=0.0):
    """Return a lake whose vendor values by a convention, and the chain read from it."""
    plain = read_snapshot(lake_of(tmp_path / "plain", quoted()), DAY)
    valuer, every = Valuer(plain, flat), np.arange(plain.size)
    vol = valuer.vols(how, every)
    vol = vol + noise * np.random.default_rng(1).standard_normal(vol.size)
    greeks = valuer.greeks(how, every, vol)
    scales = {"vega": UNITS["vega"][units[0]], "theta": UNITS["theta"][units[1]]}
    numbers = {"implied_vol": vol} | {name: found * scales.get(name, 1.0) for name, found in greeks.items()}
    told = plain.rows.select("occ_symbol", **{n: pl.Series(v).fill_nan(None) for n, v in numbers.items()})
    rows = quoted().drop(numbers).join(told, on="occ_symbol", how="left")
    lake = lake_of(
        tmp_path / "told", rows.select(quoted().columns).filter(pl.col("implied_vol").is_not_null())
    )
    return read_snapshot(lake, DAY)


@pytest.mark.parametrize(
    ("how", "flat"),
    [
        (OURS, None),
        (Convention(model="european"), None),
        (Convention(price="ask", clock="days"), None),
        (Convention(clock="trading", rate="zero", model="european"), None),
        (Convention(clock="midnight", rate="flat", model="tree"), 0.0123),
    ],
    ids=lambda value: value.label if isinstance(value, Convention) else "",
)
def test_a_planted_convention_is_found_and_explains_every_row(tmp_path, how, flat):
    found = cross_check(told_by(tmp_path, how, flat))
    assert (found.convention, found.greek_convention.model) == (how, how.model)
    assert found.flat_rate == flat
    assert set(found.causes()) <= {AGREES, how.label}
    assert found.rows["left_bp"].abs().max() < 0.01
    if found.steps:
        added = pl.sum_horizontal((f"by_{step}" for step in found.steps), ignore_nulls=False)
        sums = found.rows.select("diff_bp", added=added).drop_nulls()
        assert sums.height > 20
        np.testing.assert_allclose(sums["added"], sums["diff_bp"], atol=0.01)
    for name in ("delta", "gamma", "vega", "theta"):
        assert UNEXPLAINED not in found.causes(f"cause_{name}")


def test_units_are_told_from_the_numbers(tmp_path):
    found = cross_check(told_by(tmp_path, OURS, units=("1.00 of volatility", "a trading day")))
    assert found.units == {"vega": "1.00 of volatility", "theta": "a trading day"}


def test_noise_is_not_explained(tmp_path):
    found = cross_check(told_by(tmp_path, OURS, noise=0.03))
    causes = found.causes()
    assert causes.get(UNEXPLAINED, 0) + causes.get(INSIDE, 0) > 0.8 * found.rows.height
    assert found.by_chance < 0.2


def test_a_dividend_that_only_the_vendor_knows_of_is_another_forward(tmp_path):
    chain = told_by(tmp_path, OURS)
    last = chain.rows["expiration"].max() == chain.series.frame["expiration"]
    years = float(chain.rows.filter(pl.col("expiration") == EXPIRATIONS[-1])["years_settlement"][0])
    yields = np.where(last.to_numpy() if isinstance(last, pl.Series) else last, 0.8 / SPOT / years, 0.0)
    how = Convention(carry="fitted")
    theirs = Valuer(chain, fitted=chain.carry["snapshot"] + yields).vols(how, np.arange(chain.size))
    rows = chain.rows.with_columns(told_implied_vol=pl.Series(theirs).fill_nan(None))
    found = cross_check(type(chain)(chain.session, rows, {}, chain.series, chain.carry))
    assert found.forwards["expiration"].to_list() == [EXPIRATIONS[-1]]
    assert found.forwards["dollars"][0] == pytest.approx(-0.8, abs=0.02)
    assert found.causes()["another forward"] > 10


def test_summaries_and_page_count_every_contract(tmp_path):
    found = cross_check(told_by(tmp_path, Convention(model="european"), noise=0.001))
    assert sum(count for _, count, *_ in by_cause(found.rows)) == found.rows.height
    buckets = list(by_bucket(found.rows, found.steps))
    assert sum(count for _, _, count, *_ in buckets) == found.rows.height
    assert {days for days, *_ in buckets} == {"7 to 30", "30 to 90", "beyond 90"}
    page = write_crosscheck(tmp_path / "page", found).read_text()
    assert "How the vendor values" in page
    assert page.count("plotly-graph-div") == 2


def test_what_cannot_be_compared_is_counted(tmp_path):
    rows = (
        quoted()
        .with_row_index()
        .with_columns(
            ask_price=pl.when(pl.col("index") == 0).then(None).otherwise("ask_price"),
            underlying_price=pl.when(pl.col("index") == 1).then(None).otherwise("underlying_price"),
            implied_vol=pl.when(pl.col("index") == 2).then(None).otherwise("implied_vol"),
        )
    )
    chain = read_snapshot(lake_of(tmp_path, rows.drop("index")), DAY)
    assert set(chain.left_out.values()) == {1}
    assert chain.size == rows.height - 3


def test_another_underlying_is_refused_by_name(tmp_path):
    with pytest.raises(EmptyLakeError, match=r"no snapshot of ABC on 2025-03-03: there are those of XYZ"):
        read_snapshot(lake_of(tmp_path, quoted()), DAY, ["ABC"])


@pytest.mark.real
def test_the_vendor_s_own_answer_is_reproduced(tmp_path, real_data):
    """A tree of thirty steps until 24:00 UTC, one rate, no dividends: to seven digits."""
    file = real_data / "fixtures" / "massive_rest" / "v3" / "snapshot" / "options" / "AAPL.json"
    rows = chain_frame(json.loads(file.read_text())["results"])
    day = date(2022, 4, 29)
    lake = Lake(tmp_path / "lake")
    lake.replace("chain_snapshots", day, stamped(rows, day, int(rows["quote_ts_ns"].max()) + 1))
    found = cross_check(read_snapshot(lake, day))
    how = found.convention
    assert (how.model, how.clock, how.rate, how.price) == ("tree", "midnight", "flat", "mid")
    assert found.greek_convention == how
    assert found.flat_rate == 0.0028
    assert found.units == {"vega": "a vol point", "theta": "a calendar day"}
    chain = read_snapshot(lake, day)
    plain = Valuer(chain, 0.0028).greeks(how, np.array([0]), chain.column("told_implied_vol"))
    for name, scale in (("delta", 1.0), ("gamma", 1.0), ("vega", 0.01), ("theta", 1 / 365)):
        assert plain[name][0] * scale == pytest.approx(chain.column(f"told_{name}")[0], rel=1e-6)
    assert abs(found.rows["left_bp"][0]) < 1e-3


def test_the_local_market_s_snapshots_are_explained(sandbox, tmp_path):
    """The simulator's values are its own: American volatilities, European Greeks, spots of its minutes."""
    day, clock = sandbox.live_session, SandboxClock(sandbox.clock_url)
    clock.sleep_until(et_ns(day, "16:05"))
    rest, lake, names = (
        RestMarketData(sandbox.api_key, sandbox.rest_url),
        Lake(tmp_path / "lake"),
        ["AAPL", "SPY"],
    )
    load_reference_from_rest(lake, rest.connection, names, day - timedelta(days=400))
    snap_chains(lake, rest, names, clock)
    top_up(lake, rest, session(day), names, clock)
    rest.close()
    found = cross_check(read_snapshot(lake, day))
    assert (found.convention.spot, found.convention.model) == ("bars", "own")
    assert found.greek_convention.model == "european"
    assert found.units == {"vega": "a vol point", "theta": "a calendar day"}
    causes = found.causes()
    assert causes[UNEXPLAINED] < 0.15 * found.rows.height
    for name in ("delta", "gamma", "vega", "theta"):
        assert found.causes(f"cause_{name}").get(UNEXPLAINED, 0) < 0.02 * found.rows.height
