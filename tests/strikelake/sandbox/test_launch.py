import signal
import socket
import subprocess
import sys
import threading
import time
from urllib.parse import urlsplit

import pytest

from strikelake.errors import SandboxError
from strikelake.sandbox import launch, simulator
from strikelake.sandbox.clock import SandboxClock

PARENT = """
import sys, time
from pathlib import Path
from strikelake.sandbox import launch
from strikelake.sandbox.config import SimulatorConfig
sandbox = launch.start(SimulatorConfig(symbols=("AAPL", "SPY"), sessions=3), Path(sys.argv[1]))
print(sandbox.clock_url, flush=True)
time.sleep(600)
"""


def answers(url: str) -> bool:
    parts = urlsplit(url)
    with socket.socket() as connection:
        return connection.connect_ex((parts.hostname, parts.port)) == 0


def test_the_server_dies_with_its_killed_parent(running, until):
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(running.directory)], stdout=subprocess.PIPE)
    with parent:
        url = parent.stdout.readline().decode().strip()
        assert answers(url)
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    until(lambda: not answers(url))


def test_the_server_outlives_the_thread_that_started_it(config, running):
    started: list[launch.RunningSandbox] = []
    thread = threading.Thread(target=lambda: started.append(launch.start(config, running.directory)))
    thread.start()
    thread.join()
    [sandbox] = started
    with sandbox:
        time.sleep(0.1)
        assert SandboxClock(sandbox.clock_url).now() > 0
    assert not answers(sandbox.clock_url)
    sandbox.stop()


def test_a_server_that_takes_too_long_is_told_from_one_that_ended(config, running, monkeypatch):
    monkeypatch.setattr(launch, "_START_SECONDS", 0.0)
    with pytest.raises(SandboxError, match=r"the sandbox did not start within 0 s: .+sandbox\.log"):
        launch.start(config, running.directory)


def test_it_says_what_it_serves(running):
    assert str(running.first_session) == "2025-01-02"
    assert str(running.last_session) == "2025-01-06"
    assert str(running.live_session) == "2025-01-07"
    assert (running.directory / "reference" / "treasury_curves.csv").exists()


def test_a_server_that_cannot_start_is_reported_with_its_log(config, tmp_path):
    simulator.write(config, tmp_path)
    (tmp_path / "market" / "quotes.parquet").write_bytes(b"broken")
    with pytest.raises(SandboxError, match=r"the sandbox did not start: .+ \(see .*sandbox\.log\)"):
        launch.start(config, tmp_path)
