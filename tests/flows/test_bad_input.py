"""What cannot work is refused in one line, before any work, and leaves nothing behind."""

import sys

import polars as pl
import pytest

from flows import cli, settings
from strikelake.errors import ConfigError


@pytest.fixture
def run(monkeypatch, capsys, tmp_path):
    """Run a command on a lake that is not there; return its exit code and what it said, blanks as one."""
    monkeypatch.setenv("STRIKELAKE_LAKE__ROOT", str(tmp_path / "lake"))
    monkeypatch.setenv("STRIKELAKE_TRACKING__URI", f"sqlite:///{tmp_path}/mlflow.db")
    monkeypatch.setenv("COLUMNS", "400")

    def command(*arguments):
        monkeypatch.setattr(sys, "argv", ["strikelake", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        printed = capsys.readouterr()
        return ended.value.code, " ".join(printed.err.split())

    yield command
    assert sorted(path.name for path in tmp_path.iterdir()) in ([], ["file"])


@pytest.mark.parametrize("command", ["status", "verify", "compact", "vacuum"])
def test_a_lake_that_is_not_there_is_told_by_who_looks_after_it(run, command):
    code, said = run("lake", command)
    assert (code, "has no tables: run `strikelake ingest`" in said) == (1, True)


@pytest.mark.parametrize("command", [("lake", "verify"), ("analytics", "report")])
def test_a_range_that_ends_before_it_starts_is_refused(run, command):
    code, said = run(*command, "--start", "2025-01-06", "--end", "2025-01-02")
    assert (code, "swap --start and --end" in said) == (1, True)


def test_a_table_that_there_is_none_of_cannot_be_compacted(run):
    code, said = run("lake", "compact", "--table", "stock_day_bras")
    assert (code, "there is no table 'stock_day_bras': did you mean 'stock_day_bars'" in said) == (1, True)


@pytest.mark.parametrize(
    "command",
    [
        ("features", "stats", "--report"),
        ("audit", "lookahead", "--report"),
        ("analytics", "report", "--output"),
        ("analytics", "check", "--output"),
        ("surface", "SPY", "--date", "2025-01-02", "--output"),
    ],
)
def test_a_page_that_cannot_be_written_is_refused_before_the_work(run, tmp_path, command):
    (tmp_path / "file").touch()
    for place in (tmp_path / "file", tmp_path / "file" / "below"):
        code, said = run(*command, place)
        assert (code, f"{tmp_path / 'file'} is no folder that may be written to" in said) == (2, True)


@pytest.mark.parametrize(
    ("command", "option", "value"),
    [
        (("demo",), "--seed", -1),
        (("sandbox", "up"), "--seed", -1),
        (("audit", "selftest"), "--seed", -1),
        (("up",), "--prefect-port", 65_536),
        (("up",), "--mlflow-port", 0),
        (("surface", "SPY", "--date", "2025-01-02"), "--time", "25:99"),
    ],
)
def test_numbers_out_of_range_are_refused_by_option(run, command, option, value):
    code, said = run(*command, option, value)
    assert (code, f"Invalid value for '{option}'" in said) == (2, True)


def test_a_family_that_there_is_none_of_is_called_a_family(run):
    code, said = run("features", "list", "--family", "prise")
    assert (code, "there is no family 'prise': did you mean price?" in said) == (1, True)


def test_a_place_that_cannot_be_used_is_one_line(run, monkeypatch):
    def refuse():
        raise PermissionError(13, "Permission denied", "/somewhere")

    monkeypatch.setattr(settings, "load", refuse)
    said = "error: /somewhere cannot be used (Permission denied): check that it is there and may be read"
    code, told = run("lake", "status")
    assert (code, told.startswith(f"{said} and written, or give STRIKELAKE_HOME a folder")) == (1, True)


def test_a_damaged_file_of_the_lake_is_one_line(run, monkeypatch, tmp_path_factory):
    file = tmp_path_factory.mktemp("lake") / "part-1.parquet"
    file.write_bytes(b"no parquet")
    monkeypatch.setattr(settings, "load", lambda: pl.scan_parquet(file).collect())
    for _ in range(2):
        code, said = run("lake", "status")
        assert (code, said.startswith("error: a file of the lake does not read (")) == (1, True)
        assert said.endswith("`strikelake lake verify` names all such")
        file.unlink(missing_ok=True)  # what is gone is told alike


def test_what_is_no_file_of_anybodys_is_not_hidden(run, monkeypatch):
    monkeypatch.setattr(settings, "load", lambda: {}["nothing"])
    with pytest.raises(KeyError):
        run("lake", "status")


def test_a_list_in_a_variable_is_json(monkeypatch):
    monkeypatch.setenv("STRIKELAKE_FLAT_FILES__DATASETS", "stock_day_bars")
    with pytest.raises(ConfigError, match=r"flat_files.*: lists are written as JSON, such as"):
        settings.load()


def test_an_environment_file_that_is_no_text_is_named(monkeypatch, tmp_path):
    (tmp_path / "config").mkdir()
    text = (settings.home() / "config" / "config.yaml").read_text()
    (tmp_path / "config" / "config.yaml").write_text(text)
    (tmp_path / ".env").write_bytes(b"ALPACA_API_KEY=\xff\n")
    monkeypatch.setenv("STRIKELAKE_HOME", str(tmp_path))
    with pytest.raises(ConfigError, match=r"\.env is no UTF-8"):
        settings.load()
