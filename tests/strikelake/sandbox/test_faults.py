"""The registry of faults, its endpoint, and the promise that every fault is shown by a test."""

import ast
import json
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from strikelake.errors import SandboxError
from strikelake.sandbox.fault_table import KNOWN
from strikelake.sandbox.faults import ActiveFault, Fault, Faults, Surface

NAME = "broker.http_500"


@pytest.fixture
def faults():
    return Faults(
        {name: Fault(name, "Does.", "Vendor.", "Ours.", "POST *") for name in ("rest.one", "s3.two")}
    )


def control(sandbox, method, body=None, query=""):
    parts = urlsplit(sandbox.control_url)
    connection = HTTPConnection(parts.hostname, parts.port, timeout=120)
    connection.request(method, f"/sandbox/fault{query}", None if body is None else json.dumps(body))
    answer = connection.getresponse()
    found = answer.status, json.loads(answer.read())
    connection.close()
    return found


def test_a_fault_lets_opportunities_pass_and_happens_as_often_as_asked(faults):
    faults.inject("rest.one", times=2, after=1)
    assert [faults.take("rest.one", "POST /x") for _ in range(4)] == [False, True, True, False]
    assert faults.active() == []


def test_what_the_pattern_does_not_match_is_no_opportunity(faults):
    faults.inject("rest.one", after=1)
    assert not faults.take("rest.one", "GET /x")
    assert faults.active() == [ActiveFault("rest.one", 1, 1, "POST *")]
    faults.inject("rest.one", on="GET /x")
    assert faults.take("rest.one", "GET /x")


def test_a_fault_without_end_is_taken_back_by_name_or_with_all(faults):
    for name in faults.known:
        faults.inject(name, times=None)
    assert [faults.take("s3.two", "POST /") for _ in range(5)] == [True] * 5
    faults.inject("s3.two", times=0)
    assert [asked.name for asked in faults.active()] == ["rest.one"]
    faults.clear("s3.two")
    faults.clear()
    assert faults.active() == []


def test_the_first_that_is_due_happens_alone(faults):
    for name in faults.known:
        faults.inject(name)
    assert faults.first(faults.known, "POST /") == "rest.one"
    assert faults.first(faults.known, "POST /") == "s3.two"
    assert faults.first(faults.known, "POST /") is None


@pytest.mark.parametrize(
    ("name", "times", "after", "said"),
    [
        ("rest.on", 1, 0, "did you mean rest.one"),
        ("rest.one", -1, 0, "times is -1"),
        ("rest.one", 1, -2, "-2"),
    ],
)
def test_what_cannot_be_asked_for_is_refused(faults, name, times, after, said):
    with pytest.raises(SandboxError, match=said):
        faults.inject(name, times, after)


def test_the_endpoint_lists_asks_and_takes_back(sandbox):
    status, listed = control(sandbox, "GET")
    assert (status, listed["active"]) == (200, [])
    assert {fault["name"] for fault in listed["known"]} == set(KNOWN)
    assert set(listed["known"][0]) == {"name", "surface", "does", "vendor", "ours", "on"}
    asked = {"name": NAME, "times": 3, "after": 2, "on": "GET *"}
    assert control(sandbox, "POST", asked) == (200, asked)
    assert control(sandbox, "GET")[1]["active"] == [asked]
    assert control(sandbox, "DELETE", query=f"?name={NAME}")[1]["active"] == []
    assert control(sandbox, "POST", {"name": NAME, "times": None})[1]["times"] is None
    assert control(sandbox, "DELETE")[1]["active"] == []


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"name": "broker.http_50"}, "did you mean broker.http_5"),
        ({"name": NAME, "times": "often"}, "send"),
        ({"times": 1}, "send"),
        ([], "send"),
    ],
)
def test_the_endpoint_says_what_is_wrong(sandbox, body, said):
    status, answer = control(sandbox, "POST", body)
    assert status == 422
    assert said in answer["message"]


def test_every_surface_and_sentence_is_there():
    for fault in KNOWN.values():
        assert fault.surface in Surface
        assert all(text.endswith(".") for text in (fault.does, fault.vendor, fault.ours))


def test_every_fault_is_shown_by_a_test():
    shown = {
        mark.args[0].value
        for path in Path(__file__).parent.glob("test_faults_*.py")
        for mark in ast.walk(ast.parse(path.read_text()))
        if isinstance(mark, ast.Call) and ast.unparse(mark.func) in {"pytest.mark.fault", "shows"}
        if isinstance(mark.args[0], ast.Constant)
    }
    assert shown == set(KNOWN)
