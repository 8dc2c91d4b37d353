import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import date

import pytest

from strikelake.calendar import NS_PER_MINUTE, NS_PER_SECOND, et_ns
from strikelake.errors import ConfigError, VendorUnavailableError
from strikelake.vendors.limiter import Budget, RequestLimiter, Used

NOON = et_ns(date(2025, 3, 3), "12:00")
ASK = """
import sys, time
from strikelake.vendors.limiter import Budget, RequestLimiter
path, window_ns, requests = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
limiter = RequestLimiter(path, Budget(5, 1_000), window_ns=window_ns)
print("ready", flush=True)
sys.stdin.readline()
for _ in range(requests):
    limiter.acquire()
    print(time.time_ns(), flush=True)
"""


class StepClock:
    def __init__(self, now=NOON):
        self.time = now

    def now(self):
        return self.time

    def sleep_until(self, moment):
        self.time = max(self.time, moment)


@pytest.fixture
def clock():
    return StepClock()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "state" / "requests.db"


def departures(limiter, clock, count):
    moments = []
    for _ in range(count):
        limiter.acquire()
        moments.append((clock.now() - NOON) / NS_PER_SECOND)
    return moments


def test_a_minute_holds_no_more_than_its_budget(path, clock):
    limiter = RequestLimiter(path, Budget(3, 100), clock)
    assert departures(limiter, clock, 7) == [0, 0, 0, 61, 61, 61, 122]
    assert limiter.used() == Used(1, 7)


def test_a_restart_keeps_the_count(path, clock):
    departures(RequestLimiter(path, Budget(3, 100), clock), clock, 3)
    again = RequestLimiter(path, Budget(3, 100), clock)
    assert again.used() == Used(3, 3)
    assert departures(again, clock, 1) == [61]


def test_the_day_ends_at_midnight_in_new_york(path, clock):
    limiter = RequestLimiter(path, Budget(10, 2), clock)
    departures(limiter, clock, 2)
    clock.time = et_ns(date(2025, 3, 4), "00:00") - 1
    with pytest.raises(
        VendorUnavailableError, match=r"day's budget of 2 requests is used up.*2025-03-04 00:00 New York"
    ):
        limiter.acquire()
    clock.time += 1
    limiter.acquire()
    assert limiter.used() == Used(1, 1)


def test_a_request_that_waits_past_midnight_counts_for_the_next_day(path, clock):
    limiter = RequestLimiter(path, Budget(1, 1), clock)
    clock.time = et_ns(date(2025, 3, 4), "00:00") - NS_PER_SECOND
    limiter.acquire()
    limiter.acquire()
    assert clock.time == et_ns(date(2025, 3, 4), "00:01")
    with pytest.raises(VendorUnavailableError, match="day's budget of 1"):
        limiter.acquire()


def test_impatience_names_the_budget_and_books_nothing(path, clock):
    limiter = RequestLimiter(path, Budget(1, 100), clock, patience_ns=NS_PER_SECOND)
    limiter.acquire()
    with pytest.raises(
        VendorUnavailableError, match=r"before 2025-03-03 12:01:01 ET.*budget of 1 requests per minute"
    ):
        limiter.acquire()
    assert (limiter.used(), clock.time) == (Used(1, 1), NOON)


def test_a_hold_stops_every_process(path, clock):
    RequestLimiter(path, Budget(5, 100), clock).hold(7)
    other = RequestLimiter(path, Budget(5, 100), clock)
    assert departures(other, clock, 2) == [7, 7]
    other.hold(500)
    with pytest.raises(VendorUnavailableError, match="the vendor asked for a pause"):
        other.acquire()


def test_a_clock_set_back_frees_what_was_booked_ahead(path, clock):
    limiter = RequestLimiter(path, Budget(1, 100), clock)
    limiter.acquire()
    clock.time = NOON - 120 * NS_PER_MINUTE
    limiter.acquire()
    assert clock.time == NOON - 120 * NS_PER_MINUTE


def test_a_damaged_file_is_named_with_a_remedy(tmp_path, clock):
    path = tmp_path / "requests.db"
    path.write_bytes(b"no database" * 100)
    with pytest.raises(ConfigError, match=r"requests\.db .*: remove the file"):
        RequestLimiter(path, Budget(1, 1), clock).acquire()


def test_two_processes_together_keep_to_one_budget(path):
    window, requests, pipe = 400_000_000, 12, subprocess.PIPE
    command = [sys.executable, "-c", ASK, str(path), str(window), str(requests)]
    children = [subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) for _ in range(2)]
    assert [child.stdout.readline() for child in children] == ["ready\n"] * 2
    for child in children:
        child.stdin.write("\n")
        child.stdin.flush()
    moments = sorted(int(line) for child in children for line in child.communicate()[0].split())
    assert [child.returncode for child in children] == [0, 0]
    with closing(sqlite3.connect(path)) as ledger:
        booked = [row[0] for row in ledger.execute("select moment from bookings order by moment")]
    assert len(booked) == len(moments) == 2 * requests
    assert min(b - a for a, b in zip(booked, booked[5:], strict=False)) >= window
    assert all(left >= booking for left, booking in zip(moments, booked, strict=True))
