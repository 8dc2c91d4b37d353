"""Sectors: the published grouping, and what was known of them at each moment."""

from datetime import date

import numpy as np
import polars as pl
import pytest

from features.catalog import build, build_at, null_reasons
from features.panel import Panel
from features.sectors import _CODES, SECTORS, known_sectors, sectors_of
from strikelake.schemas import table

NAMES = ["return_13", "sector_strength_13", "sector_performance_13", "relative_strength_13"]
TECH, SHOPS = 7372, 5961


def told(*rows):
    """Rows of `classifications`: ticker, date, sic_code and when they are known, in ns or as a date."""
    columns = ("ticker", "date", "sic_code", "available_at")
    return pl.DataFrame(
        rows, schema={name: table("classifications").columns[name] for name in columns}, orient="row"
    )


def sectors(*rows):
    return {"classifications": known_sectors(told(*rows))}


def moment(found, asof, name):
    rows = found.filter(asof=asof)
    return dict(rows.select("underlying", name).iter_rows())


@pytest.mark.parametrize(
    ("code", "sector"),
    [
        (100, "consumer nondurables"), (1311, "energy"), (2834, "health care"), (2840, "chemicals"),
        (3571, "business equipment"), (3693, "health care"), (3711, "consumer durables"),
        (3712, "manufacturing"), (4899, "telecommunications"), (4911, "utilities"), (4950, "other"),
        (5961, "shops"), (6021, "finance"), (7389, "other"), (9999, "other"),
    ],
)  # fmt: skip
def test_a_code_belongs_to_one_of_twelve_sectors(code, sector):
    [number] = sectors_of(pl.Series([code]))
    assert SECTORS[int(number) - 1] == sector


def test_every_code_has_a_sector_and_ranges_do_not_overlap():
    members = [code for ranges in _CODES for first, last in ranges for code in range(first, last + 1)]
    assert len(members) == len(set(members))
    assert sectors_of(pl.Series(range(100, 10_000))).is_between(1.0, 12.0).all()


def test_peers_are_those_of_the_moment(bars):
    every = bars["asof"].unique().sort()
    before, after = every[200], every[201]
    first = int(every[0])
    facts = sectors(
        ("AAPL", date(2025, 1, 1), TECH, first),
        ("QQQ", date(2025, 1, 1), TECH, first),
        ("SPY", date(2025, 1, 1), SHOPS, first),
        ("QQQ", date(2025, 1, 2), SHOPS, after),
    )
    found = build(bars, facts, NAMES)
    own, strength = (moment(found, before, name) for name in ("return_13", "sector_strength_13"))
    assert strength["AAPL"] == pytest.approx(own["AAPL"] - own["QQQ"])
    assert (strength["SPY"], strength["MSFT"]) == (None, None)
    own, strength = (moment(found, after, name) for name in ("return_13", "sector_strength_13"))
    assert strength["SPY"] == pytest.approx(own["SPY"] - own["QQQ"])
    assert strength["AAPL"] is None
    performance, relative = (moment(found, after, name) for name in NAMES[2:])
    assert performance["SPY"] == pytest.approx(relative["SPY"] - strength["SPY"])


def test_one_moment_is_a_row_of_all(bars):
    every = bars["asof"].unique().sort()
    facts = sectors(
        *((name, date(2025, 1, 1), TECH, int(every[0])) for name in ("AAPL", "QQQ", "SPY")),
        ("SPY", date(2025, 1, 2), SHOPS, int(every[300])),
    )
    whole = build(bars, facts, NAMES)
    for asof in (every[299], every[300], every[-1]):
        known = bars.filter(pl.col("asof") <= asof)
        assert build_at(Panel.of(known)[0], facts, asof, NAMES).equals(whole.filter(asof=asof))


def test_without_the_table_nothing_is_known_and_the_reason_is_told(bars):
    assert build(bars, None, NAMES[1:3]).select(NAMES[1:3]).null_count().row(0) == (len(bars),) * 2
    assert null_reasons(bars, None, ["sector_strength_13"]).rows() == [
        ("sector_strength_13", "no classifications", len(bars))
    ]


def test_what_is_told_late_about_an_earlier_date_does_not_take_the_place_of_later_dates():
    day, later = date(2025, 1, 2), date(2025, 4, 1)
    found = known_sectors(told(("A", later, SHOPS, 7 * 10**17), ("A", day, TECH, 8 * 10**17)))
    assert found.rows() == [(7 * 10**17, 9.0, "A")]


def test_only_changes_are_kept_and_a_code_that_goes_is_one():
    days = [date(2024, month, 1) for month in (1, 4, 7, 10)]
    codes = [TECH, 7370, None, None]
    rows = [("A", day, code, (7 + n) * 10**17) for n, (day, code) in enumerate(zip(days, codes, strict=True))]
    found = known_sectors(told(*rows, ("B", days[0], None, 7 * 10**17)))
    assert found.rows() == [(7 * 10**17, 6.0, "A"), (9 * 10**17, None, "A")]
    assert known_sectors(told()).schema == found.schema


def test_the_latest_date_of_one_answer_counts():
    found = known_sectors(
        told(("A", date(2024, 4, 1), SHOPS, 7 * 10**17), ("A", date(2024, 1, 2), TECH, 7 * 10**17))
    )
    assert found.rows() == [(7 * 10**17, 9.0, "A")]


def test_a_sector_without_an_end_does_not_grow_old(bars):
    long_ago = bars["asof"].min() - 40 * 365 * 86_400 * 10**9
    facts = sectors(*((name, date(1985, 1, 1), TECH, long_ago) for name in ("AAPL", "SPY")))
    found = build(bars, facts, NAMES).filter(underlying="AAPL")
    assert np.flatnonzero(found["sector_strength_13"].is_null()).tolist() == list(range(13))
