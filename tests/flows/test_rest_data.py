"""What flows take from REST, against the local market and within the tier's budget."""

import sqlite3
from contextlib import closing
from datetime import date

import pytest

from flows import after_close, ingest, wiring
from flows.settings import load
from strikelake.calendar import et_ns
from strikelake.errors import (
    CalendarError,
    MissingCredentialsError,
    NotEntitledError,
    VendorError,
    VendorUnavailableError,
)
from strikelake.sandbox.clock import SandboxClock
from strikelake.sandbox.config import SimulatorConfig
from strikelake.sandbox.launch import start
from strikelake.vendors.limiter import Budget

SYMBOLS = ("IWM", "QQQ", "SPY")


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory):
    with start(SimulatorConfig(symbols=SYMBOLS, sessions=2), tmp_path_factory.mktemp("sandbox")) as running:
        yield running


@pytest.fixture
def settings(sandbox, tmp_path, monkeypatch):
    values = {
        "POLYGON_API_KEY": sandbox.api_key,
        "POLYGON_REST_ENDPOINT": sandbox.rest_url,
        "ACCOUNT_BALANCE": "500",
        "STRIKELAKE_CLOCK__ENDPOINT": sandbox.clock_url,
        "STRIKELAKE_REST__BUDGET_FILE": str(tmp_path / "requests.db"),
        "STRIKELAKE_LAKE__ROOT": str(tmp_path / "lake"),
    }
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    return load()


def requests(settings):
    with closing(sqlite3.connect(settings.path(settings.rest.budget_file))) as ledger:
        return ledger.execute("select count(*) from bookings").fetchone()[0]


def test_the_budget_is_that_of_the_account_s_tier(settings, monkeypatch):
    limiter = wiring.market_data(settings).connection.client.client._limiter
    assert limiter.budget == Budget(per_minute=5, per_day=1000)
    monkeypatch.setenv("STRIKELAKE_REST__ENFORCE_BUDGET", "false")
    assert wiring.market_data(load()).connection.client.client._limiter is None


def test_reference_data_come_from_rest_where_no_folder_is_given(settings):
    lake = wiring.lake(settings)
    ingest._reference_from_rest.fn(lake, settings, date(2025, 1, 2), date(2025, 1, 3))
    kept = ["classifications", "corporate_actions", "news", "symbols", "treasury_yields"]
    assert lake.tables() == kept
    # Splits, yields, and for each of three tickers dividends, renames, news, three quarters.
    assert requests(settings) == 20
    ingest._reference_from_rest.fn(lake, settings, date(2025, 1, 2), date(2025, 1, 3))
    assert requests(settings) == 20 + 8  # what does not change is not asked for again


@pytest.mark.parametrize("error", [NotEntitledError("403"), VendorError("sic_code is no number")])
def test_ingestion_goes_on_without_sectors_and_says_so(settings, monkeypatch, caplog, error):
    monkeypatch.setattr(ingest, "load_classifications", Refusal(error))
    lake = wiring.lake(settings)
    ingest._reference_from_rest.fn(lake, settings, date(2025, 1, 2), date(2025, 1, 3))
    assert "classifications" not in lake.tables()
    assert f"features without them are null: {error}" in caplog.text


def test_a_vendor_that_is_away_is_asked_again(settings, monkeypatch):
    monkeypatch.setattr(ingest, "load_classifications", Refusal(VendorUnavailableError("503")))
    with pytest.raises(VendorUnavailableError):
        ingest._reference_from_rest.fn(wiring.lake(settings), settings, date(2025, 1, 2), date(2025, 1, 3))


class Refusal:
    """Raises when it is called."""

    def __init__(self, error):
        self.error = error

    def __call__(self, *_, **__):
        raise self.error


def test_after_the_close_the_day_is_kept(settings, sandbox):
    day, clock = sandbox.live_session, SandboxClock(sandbox.clock_url)
    with pytest.raises(CalendarError, match="top up after it"):
        after_close._top_up.fn(settings, day)
    clock.sleep_until(et_ns(day, "16:05"))
    assert after_close._top_up.fn(settings, day).rows == {"stock_day_bars": 3, "stock_minute_bars": 3 * 390}
    report = after_close._snap.fn(settings)
    assert (report.problems, report.rejected, sorted(report.contracts)) == ((), {}, list(SYMBOLS))
    lake = wiring.lake(settings)
    assert lake.sessions("chain_snapshots") == [day]
    assert lake.sessions("open_interest") == [sandbox.last_session]
    # Ten requests at five a minute: the simulated time moved on by the wait.
    assert requests(settings) == 10
    assert clock.now() == et_ns(day, "16:06:01")


def test_listings_are_stored(settings, sandbox):
    day = sandbox.live_session
    assert after_close._list.fn(settings, day) == ()
    lake = wiring.lake(settings)
    assert lake.sessions("contracts") == [day]
    assert {"exchanges", "holidays"} <= set(lake.tables())


def test_listings_that_the_vendor_does_not_give_are_reported(settings, sandbox, monkeypatch):
    monkeypatch.setenv("POLYGON_API_KEY", "another")
    problems = after_close._list.fn(load(), sandbox.live_session)
    assert [problem.split(":")[0] for problem in problems] == [
        "no contracts",
        "no exchanges and holidays",
        "no news",
    ]


def test_without_a_key_the_interface_reads_the_lake_alone(settings, monkeypatch):
    monkeypatch.delenv("POLYGON_API_KEY")
    with pytest.raises(MissingCredentialsError, match="set POLYGON_API_KEY"):
        wiring.market().operations.status()
