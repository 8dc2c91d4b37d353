"""`strikelake lake …` as a user meets it."""

import logging
import sys
from datetime import date
from io import StringIO

import polars as pl
import pytest
from rich.console import Console

from flows import cli, doctor, lake_tables, wiring
from flows.settings import load
from strikelake.calendar import et_ns
from strikelake.lake.diffs import Diff
from strikelake.lake.store import Lake
from strikelake.schemas import table

THU, FRI, MON = date(2025, 1, 2), date(2025, 1, 3), date(2025, 1, 6)
TABLE = "stock_day_bars"


def bars(day, **closes):
    rows = [
        {"date": day, "ticker": ticker, "ts_ns": et_ns(day, "00:00"), "available_at": et_ns(day, "16:00")}
        | dict.fromkeys(["open", "high", "low", "close"], close)
        | {"volume": 1.0}
        for ticker, close in closes.items()
    ]
    return pl.DataFrame(rows, schema=table(TABLE).columns)


@pytest.fixture
def lake(tmp_path, monkeypatch):
    lake = Lake(tmp_path / "lake")
    monkeypatch.setenv("STRIKELAKE_LAKE__ROOT", str(lake.root))
    monkeypatch.setenv("STRIKELAKE_TRACKING__URI", f"sqlite:///{tmp_path}/mlflow.db")
    monkeypatch.setenv("COLUMNS", "200")
    return lake


@pytest.fixture
def filled(lake):
    lake.replace_many(TABLE, {THU: bars(THU, SPY=1.0, QQQ=2.0), MON: bars(MON, SPY=3.0)})
    lake.replace(TABLE, THU, bars(THU, SPY=1.5, AAPL=4.0))
    rejected = [
        (THU, TABLE, "a/b.csv.gz", n, rule, f"SPY,[{n}]")
        for n, rule in ((2, "low|nan; high|nan"), (3, "low|nan"))
    ]
    lake.replace("quarantine", THU, pl.DataFrame(rejected, schema=table("quarantine").columns, orient="row"))
    return lake


def run(monkeypatch, capsys, *arguments):
    """Return the exit code and what was printed, every run of blanks as one."""
    monkeypatch.setattr(sys, "argv", ["strikelake", "lake", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    printed = capsys.readouterr()
    return ended.value.code, " ".join((printed.out + printed.err).split())


def test_status_shows_tables_and_missing_sessions(monkeypatch, capsys, filled):
    code, said = run(monkeypatch, capsys, "status")
    assert code == 0
    assert "stock_day_bars 2 2025-01-02 2025-01-06 3" in said
    assert "stock_day_bars misses 2025-01-03" in said
    assert "quarantine 1 2025-01-02" in said


@pytest.mark.parametrize(("width", "more"), [("80", False), ("120", True)])
def test_status_is_never_cut(monkeypatch, capsys, filled, width, more):
    monkeypatch.setenv("COLUMNS", width)
    _, said = run(monkeypatch, capsys, "status")
    assert "table sessions first last rows gaps" in said
    assert ("bytes version" in said) == more
    assert "\N{HORIZONTAL ELLIPSIS}" not in said


def test_verify_exits_1_and_names_the_damaged_file(monkeypatch, capsys, filled):
    code, said = run(monkeypatch, capsys, "verify")
    assert (code, "2 tables are as they were written: quarantine, stock_day_bars" in said) == (0, True)
    path = next((filled.root / TABLE / f"date={MON}").iterdir())
    path.write_bytes(path.read_bytes()[:-1])
    code, said = run(monkeypatch, capsys, "verify", "--table", TABLE)
    assert code == 1
    assert f"date={MON}" in said
    assert "bytes and the log says" in said


def test_diff_shows_counts_and_rows(monkeypatch, capsys, filled):
    code, said = run(monkeypatch, capsys, "diff", TABLE, "--date", THU, "--before", 1)
    assert code == 0
    assert "stock_day_bars, 2025-01-02 versions 1 to 2" in said
    assert "added 1 removed 1 changed 1" in said
    assert "2025-01-02 00:00:00 ET" in said
    code, said = run(monkeypatch, capsys, "diff", TABLE, "--before", "2100-01-01T00:00Z", "--limit", 0)
    assert (code, "added 0 removed 0 changed 0" in said) == (0, True)


def test_rows_that_do_not_fit_are_shown_on_end(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    wide = {f"column_{number}": [number * 1.5, None] for number in range(20)} | {"occ_symbol": ["A1", "B2"]}
    added = pl.DataFrame(wide)
    changed = pl.DataFrame(
        {
            "occ_symbol": ["A1"],
            "bid_before": [0.1 + 0.2],
            "bid_after": [0.3],
            "ask_before": [2],
            "ask_after": [2],
        }
    )
    found = Diff("option_quotes", THU, 1, 2, added, added.clear(), changed)
    console = Console(file=StringIO())
    for shown in lake_tables.difference(found, 5):
        console.print(shown)
    lines = console.file.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    said = [" ".join(line.split()) for line in lines]
    assert "occ_symbol A1 B2" in said
    assert "column_3 4.5" in said  # the second row has none
    assert "added: 2 of 2" in said
    # What changed by less than is usually shown is shown to the last digit, and what did not is not.
    assert "A1 0.30000000000000004 → 0.3" in said


def test_quarantine_counts_rules_and_shows_raw_rows(monkeypatch, capsys, filled):
    code, said = run(monkeypatch, capsys, "quarantine", "--table", TABLE, "--date", THU)
    assert code == 0
    assert "stock_day_bars low|nan 2" in said
    assert "SPY,[3]" in said
    assert "SPY,[3]" not in run(monkeypatch, capsys, "quarantine", "--limit", 1)[1]


def test_compact_and_vacuum_say_what_they_did(monkeypatch, capsys, filled):
    assert "stock_day_bars 1 0 3 2025-01" in run(monkeypatch, capsys, "compact")[1]
    assert "stock_day_bars has copies of 1 months" in run(monkeypatch, capsys, "status")[1]
    assert "stock_day_bars 0 1 0" in run(monkeypatch, capsys, "compact", "--table", TABLE)[1]
    _, said = run(monkeypatch, capsys, "vacuum", "--keep-days", 0)
    assert "nothing was removed: --delete removes it" in said
    assert filled.scan(TABLE, as_of=1).collect().height == 3
    _, said = run(monkeypatch, capsys, "vacuum", "--keep-days", 0, "--delete")
    assert "stock_day_bars 1 2 1" in said
    assert "nothing was removed" not in said
    assert filled.scan(TABLE).collect().height == 3


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["status"], "has no tables: run `strikelake ingest`"),
        (["verify", "--table", "stock_day_bar"], "did you mean 'stock_day_bars'"),
        (["quarantine"], "has no table quarantine"),
        (["diff", TABLE, "--before", "yesterday"], "'yesterday' is neither a version nor a moment"),
        (["compact", "--table", "features"], "features have no bars"),
    ],
)
def test_bad_input_is_one_line_with_the_remedy(monkeypatch, capsys, lake, arguments, said):
    code, printed = run(monkeypatch, capsys, *arguments)
    assert code == 1
    assert said in printed
    assert "error: " in printed


@pytest.fixture
def bucket(monkeypatch):
    """An S3 of this machine, and the variables that point at it."""
    import boto3
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hush")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://{}:{}".format(*server.get_host_and_port()))
    boto3.client("s3", region_name="us-east-1").create_bucket(Bucket="research")
    yield "s3://research/lake"
    server.stop()


def test_a_lake_in_a_bucket_is_configured_by_the_usual_variables(monkeypatch, capsys, bucket):
    monkeypatch.setenv("STRIKELAKE_LAKE__ROOT", bucket)
    monkeypatch.setenv("COLUMNS", "200")
    wiring.lake(load()).replace(TABLE, THU, bars(THU, SPY=1.0))
    assert "stock_day_bars 1 2025-01-02" in run(monkeypatch, capsys, "status")[1]
    assert "stock_day_bars 1 2025-01-02" in run(monkeypatch, capsys, "status", "--lake", bucket)[1]
    assert doctor._disk(load()).found == f"{bucket} answers and has 1 tables"
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    code, said = run(monkeypatch, capsys, "status")
    assert (code, "error: cannot reach s3://research/lake" in said) == (1, True)
    assert doctor._disk(load()).status is doctor.Status.FAILURE
