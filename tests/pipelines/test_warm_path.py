"""After the rehearsal a session imports nothing: with the real clients and a real model, in a new process."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np

from flows.settings import load

FEATURES = tuple(load().research.features)

_PROGRAM = """
import json, sys
sys.path.insert(0, {folder!r})
import test_trade_sandbox as t
from models.scoring import load_scorer
from strikelake.sandbox.launch import start

class Witness(t.SandboxClock):
    before = None

    def sleep_until(self, moment):
        # Sleeping starts when the rehearsal is over.
        self.before = self.before or set(sys.modules)
        super().sleep_until(moment)

with start(t.SimulatorConfig(symbols=t.SYMBOLS, sessions=2), t.Path({market!r})) as sandbox:
    clock = Witness(sandbox.clock_url)
    broker = t.AlpacaBroker(sandbox.broker_key, sandbox.broker_secret, url=sandbox.broker_url)
    market = t.LiveMarketData(t.RestMarketData(sandbox.api_key, sandbox.rest_url), clock)
    model = t.Path({model!r}).read_bytes()
    scorer = load_scorer(
        model, name="m", version=1, kind="forest", features={features!r}, bar="30m", horizon=2
    )
    with t.IntentJournal({journal!r}) as journal:
        report = t.run_session(t.TradingDesk(broker, market, clock, scorer, journal), t.plan(sandbox))
print(json.dumps([report.decisions, len(report.client_order_ids), sorted(set(sys.modules) - clock.before)]))
"""


def test_a_session_imports_nothing_after_its_rehearsal(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(_model(len(FEATURES)))
    program = _PROGRAM.format(
        folder=str(Path(__file__).parent),
        features=FEATURES,
        market=str(tmp_path / "market"),
        model=str(tmp_path / "model.onnx"),
        journal=str(tmp_path / "j.db"),
    )

    ended = subprocess.run(
        [sys.executable, "-c", program], check=False, capture_output=True, text=True, timeout=600
    )

    assert ended.returncode == 0, ended.stderr
    decisions, orders, imported = json.loads(ended.stdout.splitlines()[-1])
    assert decisions == 12
    assert orders > 0
    assert imported == []


def _model(features: int) -> bytes:
    """Return a forest that has learned noise, and so has opinions."""
    from models.export import export
    from models.kinds import fit

    rng = np.random.default_rng(1)
    X = rng.normal(size=(300, features)).astype(np.float32)
    return export(fit("forest", X, rng.integers(0, 2, 300), seed=0), X)
