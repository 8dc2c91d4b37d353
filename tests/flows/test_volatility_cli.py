"""`strikelake analytics report` and `check`, and `strikelake surface`, as a user meets them."""

import sys
from datetime import date

import numpy as np
import polars as pl
import pytest

from flows import cli, crosscheck
from flows.settings import load
from pipelines.analytics import analyse
from pipelines.snapshots import stamped
from pipelines.surfaces import build_surfaces
from strikelake.calendar import et_ns, session
from strikelake.lake.store import Lake
from strikelake.pricing import european
from strikelake.pricing.options import Options
from strikelake.schemas import table
from strikelake.vendors.rest import chain_frame

DAY = date(2025, 3, 3)
CLOSE = session(DAY).close_ns
SPOT = 100.0


@pytest.fixture
def run(monkeypatch, capsys):
    """Run a command; return its exit code, its lines, and all it printed in one line."""

    def command(*arguments, columns=100):
        monkeypatch.setenv("COLUMNS", str(columns))
        monkeypatch.setattr(sys, "argv", ["strikelake", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        printed = capsys.readouterr()
        return ended.value.code, printed.out.splitlines(), " ".join((printed.out + printed.err).split())

    return command


def _quotes():
    """Return quotes of one underlying before the close; the second expiration is cheaper than the first."""
    rows = []
    for expiration, vol in ((date(2025, 4, 17), 0.35), (date(2025, 5, 16), 0.25), (date(2025, 6, 20), 0.3)):
        years = (et_ns(expiration, "16:00") - CLOSE) / (365 * 86_400e9)
        for strike in range(84, 118, 4):
            for kind, sign in (("C", 1.0), ("P", -1.0)):
                value = round(float(european.price(Options(sign, SPOT, strike, years, 0.0), vol)), 2)
                symbol = f"XYZ{expiration:%y%m%d}{kind}{strike * 1000:08d}"
                rows.append((symbol, expiration, kind, float(strike), value, vol))
    names = ["occ_symbol", "expiration", "option_type", "strike", "value", "vol"]
    return pl.DataFrame(rows, schema=names, orient="row")


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    """A session's quotes, priced and fitted, and the vendor's snapshot of them."""
    made = Lake(tmp_path_factory.mktemp("volatility") / "lake")
    rows = _quotes()
    quotes = rows.with_columns(
        date=pl.lit(DAY),
        underlying=pl.lit("XYZ"),
        ts_ns=pl.lit(CLOSE - 1),
        sequence_number=pl.int_range(pl.len(), dtype=pl.Int64),
        bid_price=(pl.col("value") - 0.01).clip(0.01),
        ask_price=pl.col("value") + 0.01,
        available_at=pl.lit(CLOSE - 1),
    )
    columns = table("option_quotes").columns
    filled = [pl.lit(1).alias(name) for name in columns if name not in quotes.columns]
    made.replace("option_quotes", DAY, quotes.with_columns(filled).select(_cast(columns)))
    minute = {
        "date": DAY,
        "ticker": "XYZ",
        "ts_ns": CLOSE - 120_000_000_000,
        "available_at": CLOSE - 60_000_000_000,
    }
    bar = minute | dict.fromkeys(("open", "high", "low", "close"), SPOT) | {"volume": 1.0, "transactions": 1}
    made.replace(
        "stock_minute_bars", DAY, pl.DataFrame([bar]).select(_cast(table("stock_minute_bars").columns))
    )
    analyse(made, DAY, DAY, bar="quote")
    build_surfaces(made, DAY, DAY, bar="quote")
    told = [
        {
            "details": {"ticker": f"O:{row['occ_symbol']}"},
            "last_quote": {"bid": max(row["value"] - 0.01, 0.01), "ask": row["value"] + 0.01}
            | {"bid_size": 1, "ask_size": 1, "last_updated": CLOSE - 1},
            "underlying_asset": {"price": SPOT},
            "implied_volatility": row["vol"] + 0.001 * np.sin(row["strike"]),
        }
        for row in rows.iter_rows(named=True)
    ]
    made.replace("chain_snapshots", DAY, stamped(chain_frame(told), DAY, CLOSE + 300_000_000_000))
    return made


def _cast(columns):
    return [pl.col(name).cast(kind) for name, kind in columns.items()]


def test_the_report_shows_statuses_gaps_and_calendar_gaps(run, lake, tmp_path):
    code, lines, said = run("analytics", "report", "--lake", lake.root, "-o", tmp_path / "page")
    assert code == 0
    [row] = [line for line in lines if line.startswith("  XYZ") and "54" in line]
    assert row.split()[:3] == ["XYZ", "quote", "54"]
    assert "calendar gaps" in said
    assert max(map(len, lines)) <= 100
    assert (tmp_path / "page" / f"XYZ-{DAY}" / "index.html").exists()


def test_a_surface_says_that_it_crosses(run, lake, tmp_path):
    code, lines, said = run("surface", "XYZ", "--date", DAY, "--lake", lake.root, "-o", tmp_path / "page")
    assert code == 0
    assert "Calendar: 1 of 3 smiles dip below the one before (2025-05-16 by up to" in said
    assert max(map(len, lines[:-1])) <= 100
    page = (tmp_path / "page" / "index.html").read_text()
    assert "reported, not repaired" in page
    assert "calendar gap" in page


def test_smiles_fit_a_narrow_terminal(run, lake, tmp_path):
    arguments = ("XYZ", "--date", DAY, "--lake", lake.root, "-o", tmp_path / "page")
    _, lines, said = run("surface", *arguments, columns=80)
    assert "…" not in said
    assert max(map(len, lines[:-1])) <= 80
    assert all(expiration in said for expiration in ("2025-04-17", "2025-05-16", "2025-06-20"))


def test_the_check_shows_how_the_vendor_values(run, lake, tmp_path):
    code, lines, said = run("analytics", "check", "--lake", lake.root, "-o", tmp_path / "page")
    assert code == 0
    assert "how the vendor values session of 2025-03-03, 54 contracts" in said
    assert "inside the quote" in said
    assert max(map(len, lines[:-1])) <= 100
    assert (tmp_path / "page" / "index.html").exists()


def test_a_lake_without_snapshots_says_what_stores_them(run, tmp_path):
    code, _, said = run("analytics", "check", "--lake", tmp_path / "empty")
    assert code == 1
    assert "no chain snapshots" in said
    assert "after-close" in said


def test_a_session_without_snapshots_names_what_there_is(run, lake):
    code, _, said = run("analytics", "check", "--date", "2025-03-04", "--lake", lake.root)
    assert code == 1
    assert "it holds 2025-03-03 to 2025-03-03" in said


@pytest.mark.parametrize("command", ["report", "check"])
def test_help_has_examples(run, command):
    code, _, said = run("analytics", command, "--help")
    assert code == 0
    assert f"strikelake analytics {command}" in said.split("Examples")[1]


def test_the_task_writes_a_page(lake, monkeypatch):
    monkeypatch.setenv("STRIKELAKE_LAKE__ROOT", str(lake.root))
    found = crosscheck._compare.fn(lake, load())
    assert found.rows.height == 54
