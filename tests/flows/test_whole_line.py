"""The README's commands, from a shell, with a home of their own: minutes, so they are slow tests."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from flows.settings import home

pytestmark = pytest.mark.slow


@pytest.fixture
def own_home(tmp_path):
    shutil.copytree(home() / "config", tmp_path / "config")
    return tmp_path


def strikelake(folder, *arguments):
    command = [str(Path(sys.executable).with_name("strikelake")), *map(str, arguments)]
    environment = {**os.environ, "STRIKELAKE_HOME": str(folder), "COLUMNS": "200", "PREFECT_API_URL": ""}
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def test_two_demos_with_one_seed_agree_on_every_metric_and_order(own_home):
    summaries, prints = [], []
    for _ in range(2):
        out = strikelake(own_home, "demo", "--sessions", 40, "--seed", 11)
        summaries.append(json.loads((own_home / "data/demo/summary.json").read_text()))
        prints.append(re.search(r"fingerprint +(\w{12})", out)[1])
    assert summaries[0] == summaries[1]
    assert prints[0] == prints[1]
    assert sorted(summaries[0]["models"]) == ["boosted", "forest", "neural"]
    assert len(summaries[0]["session"]["orders"]) > 0
    assert summaries[0]["session"]["by_status"]["filled"] > 0
    assert (own_home / "data/demo/reports/options/index.html").is_file()


@pytest.mark.real
def test_the_real_stock_days_run_from_files_to_backtest(own_home, real_data):
    span = ("--start", "2003-09-10", "--end", "2014-12-31")
    out = strikelake(own_home, "run", "--flat-files", real_data / "flatfiles", *span)
    ingested = next(line.split() for line in out.splitlines() if line.strip().startswith("stock_day_bars"))
    assert ingested[1:6] == ["2,848", "2,848", "0", "33,046", "0"]
    rows = re.findall(r"^ +(forest|boosted|neural) v\d+(?: champion)? +([\d.]+)", out, re.MULTILINE)
    models = {kind: float(accuracy) for kind, accuracy in rows}
    assert sorted(models) == ["boosted", "forest", "neural"]
    # Daily direction is close to a coin; far above it would be a look-ahead to hunt.
    assert all(0.45 < accuracy < 0.56 for accuracy in models.values())
    assert (own_home / "data/reports/underlyings/index.html").is_file()
