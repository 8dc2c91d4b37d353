"""`strikelake features`: what there is, what each is, and values into a lake."""

import sys
from contextlib import nullcontext

import pytest

from features.catalog import catalog
from flows import cli, runtime


@pytest.fixture
def run(monkeypatch, capsys):
    def command(*arguments):
        monkeypatch.setenv("COLUMNS", "160")
        monkeypatch.setattr(runtime, "prefect_api", lambda *_, **__: nullcontext(lambda: None))
        monkeypatch.setattr(sys, "argv", ["strikelake", "features", *map(str, arguments)])
        code = 0
        try:
            cli.main()
        except SystemExit as ended:
            code = ended.code
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return command


def test_every_feature_is_listed_with_its_history(run):
    code, out, _ = run("list")
    assert code in {0, None}
    assert [name for name in catalog() if name not in out] == []
    assert f"{len(catalog())} features; * is computed daily" in out
    _, some, _ = run("list", "--family", "volume")
    assert "obv_slope_20" in some
    assert "rsi_7" not in some


def test_a_feature_is_described(run):
    _, out, _ = run("show", "iv_rank_252")
    for expected in ("252 of options", "volatility", "atm_iv", "definition"):
        assert expected in out


def test_a_misspelt_feature_is_one_line(run):
    code, _, err = run("show", "rsi_15")
    assert code == 1
    assert err.startswith("error: there is no feature 'rsi_15': the nearest names are rsi_14")


def test_a_lake_without_bars_is_named(run, tmp_path):
    code, _, err = run("build", "--lake", tmp_path / "none")
    assert code == 1
    assert f"the lake {tmp_path / 'none'} has no day bars: run `strikelake ingest`" in " ".join(err.split())
