"""`strikelake sandbox …` as a user meets it."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from flows import cli, sandbox_cli
from strikelake.calendar import et_ns
from strikelake.errors import SandboxError
from strikelake.sandbox import console
from strikelake.sandbox.addresses import Addresses
from strikelake.sandbox.clock import SandboxClock

COMMAND = str(Path(sys.executable).with_name("strikelake"))


@pytest.fixture
def state(sandbox, tmp_path, monkeypatch):
    """The state file of a running market."""
    file = tmp_path / "state.json"
    sandbox.save(file)
    monkeypatch.setattr(sandbox_cli, "_state_file", lambda: file)
    monkeypatch.setenv("COLUMNS", "200")
    return file


def run(*arguments):
    done = CliRunner().invoke(cli.app, ["sandbox", *arguments], catch_exceptions=False)
    return done.exit_code, done.output


def test_a_state_file_names_the_sandbox(sandbox, state):
    assert Addresses.read(state) == console.find(state)
    assert json.loads(state.read_text())["pid"] == sandbox.process.pid


def test_status_shows_where_everything_is(sandbox, state):
    code, shown = run("status")
    assert code == 0
    for part in ("2025-01-07 09:29:00 ET, at rest", f"{sandbox.rest_url}, sandbox-data", "0 orders, 0 open"):
        assert part in shown


def test_status_exports_the_variables(sandbox, state):
    code, shown = run("status", "--export")
    assert code == 0
    assert f"export ALPACA_ENDPOINT={sandbox.broker_url}" in shown.splitlines()
    assert f"export SANDBOX={sandbox.control_url}" in shown.splitlines()


def test_the_clock_moves_when_told(sandbox, state):
    assert run("clock") == (0, "2025-01-07 09:29:00 ET\n")
    assert run("clock", "--to", "10:30") == (0, "2025-01-07 10:30:00 ET\n")
    assert run("clock", "--advance", "90s") == (0, "2025-01-07 10:31:30 ET\n")
    assert run("clock", "--to", "2025-01-08T11:00")[1] == "2025-01-08 11:00:00 ET\n"
    assert run("clock", "--reset") == (0, "2025-01-07 09:29:00 ET\n")


def test_the_clock_runs_at_a_chosen_speed(sandbox, state, until):
    clock = SandboxClock(sandbox.clock_url)
    assert "running 36000 times as fast" in run("clock", "--speed", "36000")[1]
    until(lambda: clock.now() >= et_ns(sandbox.live_session, "10:00"))
    run("clock", "--speed", "0")
    stopped = clock.now()
    time.sleep(0.1)
    assert clock.now() == stopped


@pytest.mark.parametrize(
    ("arguments", "said"), [(("--to", "noon"), "is no time"), (("--advance", "5x"), "is no span")]
)
def test_times_that_make_no_sense_are_refused(state, arguments, said):
    code, shown = run("clock", *arguments)
    assert (code, said in shown) == (2, True)


def test_a_speed_out_of_range_is_refused(state):
    with pytest.raises(SandboxError, match="0 stops the time"):
        run("clock", "--speed", "1e9")


def test_faults_are_listed_asked_for_and_taken_back(sandbox, state):
    assert run("fault", "s3.late", "--times", "3", "--after", "2", "--on", "*2025*") == (
        0,
        "s3.late: 3 times, after 2, on *2025*\n",
    )
    assert run("fault", "s3.reset", "--times", "0")[1] == "s3.reset: until taken back, after 0, on *\n"
    assert "3 times, after 2, on *2025*" in run("fault")[1]
    assert "s3.late: 3 times" in run("status")[1]
    assert run("fault", "--clear", "s3.late") == (0, "")
    assert [one["name"] for one in console.ask(f"{sandbox.control_url}/sandbox")["faults"]] == ["s3.reset"]
    assert run("fault", "--clear") == (0, "")
    with pytest.raises(SandboxError, match=r"did you mean s3\.late"):
        run("fault", "s3.lat")


def test_a_second_market_is_refused(state):
    with pytest.raises(SandboxError, match="is running already"):
        run("up")


def test_what_is_not_running_is_named_with_its_remedy(state):
    state.unlink()
    with pytest.raises(
        SandboxError, match=r"no sandbox is running .* start one with `strikelake sandbox up`"
    ):
        run("status")


def test_a_stale_state_file_is_removed(sandbox, state):
    text = state.read_text().replace(sandbox.control_url, "http://127.0.0.1:9")
    state.write_text(text)
    with pytest.raises(SandboxError, match="has ended"):
        run("status")
    assert not state.exists()


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"directory": 5}', '{"directory": ".", "pid": 1}'])
def test_a_state_file_that_says_nothing_is_named(state, content):
    state.write_text(content)
    with pytest.raises(SandboxError, match=r"state\.json does not say where a sandbox is .*: remove it"):
        run("status")


def test_a_slow_sandbox_has_not_ended(state, monkeypatch):
    with socket.socket() as slow:
        slow.bind(("127.0.0.1", 0))
        slow.listen()
        text = json.loads(state.read_text())
        state.write_text(json.dumps(text | {"control_url": f"http://127.0.0.1:{slow.getsockname()[1]}"}))
        monkeypatch.setattr(console, "_ANSWER_SECONDS", 0.1)
        with pytest.raises(SandboxError, match="has not answered for"):
            run("status")
    assert state.exists()


@pytest.fixture(scope="module")
def own_home(tmp_path_factory):
    """The environment of a project of its own; its market is simulated once."""
    home = tmp_path_factory.mktemp("home")
    (home / "config").symlink_to(Path(cli.__file__).parents[1] / "config")
    return {**os.environ, "STRIKELAKE_HOME": str(home)}


def strikelake(*arguments, env):
    done = subprocess.run(
        [COMMAND, "sandbox", *arguments], env=env, capture_output=True, text=True, check=True
    )
    return done.stdout


def test_up_in_the_background_until_down(own_home):
    lines = strikelake("up", "--detach", "--sessions", "5", "-s", "SPY", env=own_home).splitlines()
    assert all(line.startswith("export ") for line in lines)
    state = Path(own_home["STRIKELAKE_HOME"]) / "data" / "sandbox" / "state.json"
    running = console.find(state)
    assert f"export SANDBOX={running.control_url}" in lines
    assert "has ended" in strikelake("down", env=own_home)
    assert not state.exists()
    with pytest.raises(SandboxError, match="does not answer"):
        console.ask(f"{running.control_url}/sandbox")


def test_up_in_the_foreground_ends_with_its_shell(own_home):
    state = Path(own_home["STRIKELAKE_HOME"]) / "data" / "sandbox" / "state.json"
    command = [COMMAND, "sandbox", "up", "--sessions", "5", "-s", "SPY"]
    with subprocess.Popen(command, env=own_home, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as shell:
        assert shell.stdout.readline().startswith(b"export ")
        running = console.find(state)
        shell.send_signal(signal.SIGTERM)
        assert shell.wait(120) == 143
    assert not state.exists()
    with pytest.raises(SandboxError, match="does not answer"):
        console.ask(f"{running.control_url}/sandbox")
