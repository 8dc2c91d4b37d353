"""The command line as a user meets it: help, imports, and one-line errors for bad input."""

import gzip
import json
import subprocess
import sys
import threading
from contextlib import nullcontext
from datetime import date
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
import typer

from flows import cli, runtime
from flows.settings import home
from strikelake.calendar import et_ns


def commands(app):
    return sorted(typer.main.get_group(app).commands)


COMMANDS = commands(cli.app)
GROUPS = {
    "sandbox": cli.sandbox_app,
    "lake": cli.lake_app,
    "audit": cli.audit_app,
    "features": cli.features_app,
}
LEAVES = [[command] for command in COMMANDS if command not in GROUPS] + [
    [group, command] for group, app in GROUPS.items() for command in commands(app)
]
DAY = date(2025, 1, 2)
HEADER = "ticker,volume,open,close,high,low,window_start,transactions"


def strikelake(monkeypatch, capsys, *arguments):
    """Run a command in this process; return its exit code and what it printed."""
    monkeypatch.setattr(runtime, "prefect_api", lambda *_, **__: nullcontext(lambda: None))
    monkeypatch.setattr(sys, "argv", ["strikelake", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    printed = capsys.readouterr()
    return ended.value.code, printed.out, printed.err


def test_the_commands_are_those_promised():
    assert COMMANDS == [
        "analytics", "audit", "backtest", "demo", "doctor", "features", "featurize", "ingest", "lake", "run",
        "sandbox", "surface", "trade", "train", "up",
    ]  # fmt: skip


@pytest.mark.parametrize("while_it_runs", [True, False])
def test_ctrl_c_is_told_once(while_it_runs, monkeypatch, capsys):
    def pressed():
        raise KeyboardInterrupt

    monkeypatch.setattr("flows.doctor.examine" if while_it_runs else "flows.cli.app", pressed)
    code, out, err = strikelake(monkeypatch, capsys, "doctor")
    assert (code, out, err) == (130, "", "stopped by Ctrl-C\n")


def test_a_demo_too_short_to_learn_from_is_refused_before_anything_starts(monkeypatch, capsys):
    code, _, err = strikelake(monkeypatch, capsys, "demo", "--sessions", 24)
    assert code == 2
    assert "--sessions" in err
    assert "than or equal to 40" in err


@pytest.mark.parametrize("command", LEAVES)
def test_every_command_has_help_with_an_example(monkeypatch, capsys, command):
    code, out, _ = strikelake(monkeypatch, capsys, *command, "--help")
    assert code == 0
    assert "Examples" in out
    assert out.count(f"strikelake {' '.join(command)}") >= 1


def test_every_command_is_in_the_readme():
    readme = (home() / "README.md").read_text()
    assert [words for words in LEAVES if words[-1] not in readme] == []


def test_help_imports_nothing_heavy():
    heavy = ["prefect", "polars", "torch", "mlflow", "vectorbt", "sklearn", "boto3", "pandas", "pydantic"]
    script = f"import sys, flows.cli; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_an_unknown_option_is_a_usage_error(monkeypatch, capsys):
    code, _, err = strikelake(monkeypatch, capsys, "ingest", "--strat", "2025-01-02")
    assert code == 2
    assert "--start" in err


def write(folder, rows, *, dataset="us_stocks_sip/day_aggs_v1", header=HEADER, day=DAY, cut=0):
    path = folder / "flatfiles" / dataset / f"{day:%Y/%m}" / f"{day}.csv.gz"
    path.parent.mkdir(parents=True)
    content = gzip.compress("\n".join([header, *rows, ""]).encode())
    path.write_bytes(content[: len(content) - cut])
    return folder / "flatfiles"


@pytest.fixture
def lake(monkeypatch, tmp_path):
    monkeypatch.setenv("STRIKELAKE_LAKE__ROOT", str(tmp_path / "lake"))
    monkeypatch.setenv("STRIKELAKE_TRACKING__URI", f"sqlite:///{tmp_path}/mlflow.db")
    return tmp_path / "lake"


GOOD = f"SPY,1000,590,591,592,589,{et_ns(DAY, '00:00')},10"
CASES = {
    "no keys": (["ingest"], "POLYGON_S3_ACCESS_KEY and POLYGON_S3_SECRET_KEY are not set"),
    "no session": (
        ["ingest", "--start", "2025-01-04", "--end", "2025-01-05"],
        "no trading session from 2025-01-04 to 2025-01-05: widen",
    ),
    "reversed range": (["ingest", "--start", "2025-01-05", "--end", "2025-01-02"], "swap --start and --end"),
    "unknown dataset": (["ingest", "--dataset", "option_quote"], "did you mean 'option_quotes'"),
    "empty lake": (["featurize"], "run `strikelake ingest`"),
    "nothing to train on": (["train"], "run `strikelake ingest`"),
    "no champion": (["trade", "--session", "2025-01-03"], "ALPACA_API_KEY and ALPACA_SECRET_KEY are not set"),
    "no session to trade": (["trade", "--session", "2025-01-04"], "2025-01-04 is not a trading session"),
}


@pytest.mark.usefixtures("prefect_api", "lake")
@pytest.mark.parametrize("case", CASES)
def test_bad_input_is_one_line_with_the_remedy(monkeypatch, capsys, case):
    arguments, message = CASES[case]
    code, _, err = strikelake(monkeypatch, capsys, *arguments)
    assert code == 1
    assert message in err
    assert [line for line in err.splitlines() if line.startswith("error: ")] == [err.strip().splitlines()[-1]]


@pytest.mark.usefixtures("prefect_api")
def test_a_half_key_pair_names_the_other_half(monkeypatch, capsys, lake):
    monkeypatch.setenv("POLYGON_S3_ACCESS_KEY", "half")
    code, _, err = strikelake(monkeypatch, capsys, "ingest")
    assert code == 1
    assert "error: POLYGON_S3_SECRET_KEY is not set (the other half of the pair is set)" in err


@pytest.mark.usefixtures("prefect_api")
@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"rows": [GOOD], "cut": 12}, "2025-01-02.csv.gz"),
        ({"rows": [GOOD.rsplit(",", 2)[0]], "header": HEADER.rsplit(",", 2)[0]}, "window_start"),
        ({"rows": [GOOD], "dataset": "us_stocks_sip/other_v1"}, "no file"),
        ({"rows": [GOOD.replace("SPY,1000,590", "SPY,1000,-590")]}, "not published"),
    ],
    ids=["truncated gzip", "missing column", "empty source", "bad rows"],
)
def test_a_bad_source_is_one_line_and_leaves_no_rows(monkeypatch, capsys, tmp_path, lake, source, message):
    folder = write(tmp_path, **source)
    code, _, err = strikelake(
        monkeypatch, capsys, "ingest", "--flat-files", folder, "--start", DAY, "--end", DAY
    )  # fmt: skip
    assert code == 1
    assert message in err
    assert not list(lake.glob("stock_day_bars/date=*/*.parquet"))


@pytest.mark.usefixtures("prefect_api")
def test_a_good_source_is_ingested_and_an_unknown_symbol_named(monkeypatch, capsys, tmp_path, lake):
    folder = write(tmp_path, [GOOD])
    reference = tmp_path / "reference"
    reference.mkdir()
    (reference / "splits.csv").write_text("ticker,execution_date,split_from,split_to,prior_close\n")
    code, out, _ = strikelake(
        monkeypatch, capsys, "ingest", "--flat-files", folder, "--start", DAY, "--end", DAY
    )  # fmt: skip
    assert code == 0
    assert "stock_day_bars" in out
    code, _, err = strikelake(monkeypatch, capsys, "featurize", "--bar", "1d", "--symbol", "NOPE")
    assert code == 1
    assert "NOPE" in err


@pytest.fixture
def broken_broker(monkeypatch):
    class Answer(BaseHTTPRequestHandler):
        def do_GET(self):
            body = json.dumps({"message": "internal server error"}).encode()
            self.send_response(500)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv("ALPACA_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("ALPACA_API_KEY", "k")
    monkeypatch.setenv("ALPACA_SECRET_KEY", "s")
    monkeypatch.setenv("POLYGON_API_KEY", "p")
    yield
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.usefixtures("prefect_api", "lake", "broken_broker")
def test_a_broker_that_answers_500_is_one_line(monkeypatch, capsys):
    code, _, err = strikelake(monkeypatch, capsys, "trade", "--session", "2025-01-03")
    assert code == 1
    assert "500" in err
