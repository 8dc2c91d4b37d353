import json
import os
import subprocess
import sys
import urllib.request
from datetime import datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from flows import services
from flows.settings import home
from strikelake.calendar import NEW_YORK
from strikelake.errors import ServiceError


def test_a_process_ends_with_its_context_and_takes_its_children_along(tmp_path, until):
    script = (
        "import subprocess, time; print(subprocess.Popen(['sleep', '600']).pid, flush=True); time.sleep(600)"
    )
    log = tmp_path / "log"
    with services.process([sys.executable, "-c", script], log=log) as child:
        until(lambda: log.read_text().endswith("\n"))
    grandchild = int(log.read_text())
    assert child.returncode is not None
    until(lambda: not alive(grandchild))


def alive(pid):
    """A zombie, which only its new parent can bury, is dead."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except FileNotFoundError:
        return False


def test_a_process_that_dies_is_reported_with_its_last_words(tmp_path):
    log = tmp_path / "log"
    with (
        services.process([sys.executable, "-c", "print('no such luck')"], log=log) as child,
        pytest.raises(ServiceError, match=rf"no such luck \(log: {log}\)"),
    ):
        services.wait_for("http://127.0.0.1:9/", child, log)


def test_a_server_that_dies_while_it_starts_is_reported_to_who_waits_for_it(tmp_path):
    log = tmp_path / "log"
    with services.process([sys.executable, "-c", "print('no such luck')"], log=log) as child:
        server = services.Starting("http://127.0.0.1:9/api", log, child)
        with pytest.raises(
            ServiceError,
            match=r":9/api/health and it ended with 0: no such luck",
        ):
            server.ready()


def test_who_waits_for_long_is_told_what_for(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(services, "_QUIET_SECONDS", 0.0)
    answers = iter([False, False, True])
    monkeypatch.setattr(services, "answers", lambda _: next(answers))
    log = tmp_path / "log"
    with services.process([sys.executable, "-c", "import time; time.sleep(600)"], log=log) as child:
        services.wait_for("http://127.0.0.1:9/", child, log)
    assert caplog.messages == [f"waiting for http://127.0.0.1:9/ to answer; what it says is in {log}"]


def test_a_server_that_never_answers_is_told_from_one_that_ended(tmp_path, monkeypatch):
    monkeypatch.setattr(services, "_START_SECONDS", 0.0)
    log = tmp_path / "log"
    with (
        services.process([sys.executable, "-c", "import time; time.sleep(600)"], log=log) as child,
        pytest.raises(ServiceError, match=r"no answer from http://127.0.0.1:9/ for 0 s: it printed nothing"),
    ):
        services.wait_for("http://127.0.0.1:9/", child, log)


def test_a_server_with_a_page_for_every_address_is_told_from_one_that_is_well():
    class Page(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"<html>")

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Page) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/api/health"
        assert services.answers(url)
        assert not services.answers(url, b"true")
        server.shutdown()


def test_a_taken_port_is_refused_by_name(tmp_path):
    with services.socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        with pytest.raises(ServiceError, match=f"port {port} is taken.*--prefect-port"):
            services.refuse_taken(port, "Prefect")


@pytest.mark.parametrize("option", ["prefect_port", "mlflow_port"])
def test_a_taken_port_is_refused_before_anything_starts(option, tmp_path):
    said = []
    with services.socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        ports = {"prefect_port": services.free_port(), "mlflow_port": services.free_port()}
        taken = ports | {option: holder.getsockname()[1]}
        with pytest.raises(ServiceError, match=f"choose another with --{option.replace('_', '-')}"):
            services.up(None, tmp_path / "prefect", **taken, say=said.append)
    assert said == []
    assert not (tmp_path / "prefect").exists()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("prefect")
    with services.prefect_server(folder, services=True) as url:
        environment = {"PREFECT_HOME": str(folder), "PREFECT_API_URL": url}
        services.deploy(home(), environment)
        yield environment


def prefect(environment, *arguments):
    command = [sys.executable, "-m", "prefect", *arguments]
    return subprocess.run(
        command, cwd=home(), env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )


def ask(environment, path, body):
    request = urllib.request.Request(
        f"{environment['PREFECT_API_URL']}{path}",
        json.dumps(body).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=120) as response:
        return json.load(response)


def test_schedules_produce_scheduled_runs_at_half_past_four_in_new_york(server, until):
    deployments = {d["name"]: d["id"] for d in ask(server, "/deployments/filter", {})}
    assert sorted(deployments) == [
        "after-close", "backtest", "crosscheck", "featurize", "ingest", "live-trade", "maintain", "train",
    ]  # fmt: skip
    wanted = {
        "flow_runs": {
            "state": {"type": {"any_": ["SCHEDULED"]}},
            "deployment_id": {"any_": [deployments["train"]]},
        }
    }
    runs = until(lambda: ask(server, "/flow_runs/filter", wanted))
    starts = [datetime.fromisoformat(run["expected_start_time"]).astimezone(NEW_YORK) for run in runs]
    times = {f"{start:%H:%M}" for start in starts}
    assert times == {"16:30"}


def test_the_bare_name_starts_the_live_trader(server):
    done = prefect(server, "deployment", "run", "live-trade")
    assert done.returncode == 0, done.stderr
    assert "live-trade/live-trade" in done.stdout


def test_an_unknown_bare_name_is_refused(server):
    done = prefect(server, "deployment", "run", "live-trad")
    assert done.returncode != 0
    assert "live-trad" in done.stdout + done.stderr


def test_only_one_live_trader_runs_at_a_time(server):
    found = ask(server, "/deployments/filter", {"deployments": {"name": {"any_": ["live-trade"]}}})
    assert found[0]["global_concurrency_limit"]["limit"] == 1
    assert found[0]["concurrency_options"]["collision_strategy"] == "CANCEL_NEW"
