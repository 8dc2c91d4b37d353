from datetime import date

import polars as pl
import pytest

from pipelines.top_up import Reconciliation, TopUpReport, reconcile_top_ups, top_up
from strikelake.calendar import NS_PER_MINUTE, et_ns, session
from strikelake.errors import CalendarError
from strikelake.lake.store import Lake
from strikelake.schemas import table

SESSION = session(date(2025, 3, 3))
DAY, OPEN = SESSION.date, SESSION.open_ns


class FixedClock:
    def __init__(self, moment=SESSION.close_ns):
        self.moment = moment

    def now(self):
        return self.moment


def bars(name, rows):
    """Rows of (ticker, start, close, volume)."""
    frame = pl.DataFrame(rows, schema=["ticker", "ts_ns", "close", "volume"], orient="row")
    prices = [pl.col("close").alias(column) for column in ("open", "high", "low")]
    length = NS_PER_MINUTE if name == "stock_minute_bars" else SESSION.close_ns - et_ns(DAY, "00:00")
    return frame.with_columns(
        *prices, date=pl.lit(DAY), transactions=pl.lit(1, pl.Int64), available_at=pl.col("ts_ns") + length
    ).select(*table(name).columns)


DAYS = bars("stock_day_bars", [(name, et_ns(DAY, "00:00"), 10.0, 5.0) for name in ("AAA", "BBB", "ZZZ")])
MINUTES = bars(
    "stock_minute_bars",
    [(name, OPEN + i * NS_PER_MINUTE, 10.0, 5.0) for name in ("AAA", "BBB") for i in range(3)],
)


class FakeRest:
    def grouped_day_bars(self, day):
        assert day == DAY
        return DAYS

    def minute_bars(self, tickers, start, end):
        assert (start, end) == (SESSION.open_ns, SESSION.close_ns)
        return MINUTES.filter(pl.col("ticker").is_in(tickers))


@pytest.fixture
def lake(tmp_path):
    return Lake(tmp_path / "lake")


def publish(lake, name, rows):
    """Do what ingestion does with a flat file."""
    version = lake.replace(name, DAY, rows)
    state = {
        "dataset": name, "date": DAY, "source_key": "k", "etag": "e", "size": 1, "state": "committed",
        "rows": rows.height, "rejected": 0, "table_version": version, "detail": "",
    }  # fmt: skip
    new = pl.DataFrame([state], schema=table("ingestions").columns)
    lake.update("ingestions", lambda held: pl.concat([held, new]))


def state(lake, name):
    return lake.scan("top_ups").filter(dataset=name).collect().row(0, named=True)


def test_a_finished_session_is_filled_from_rest(lake):
    report = top_up(lake, FakeRest(), SESSION, ["BBB", "AAA"], FixedClock())
    assert report == TopUpReport(DAY, {"stock_day_bars": 2, "stock_minute_bars": 6})
    assert lake.scan("stock_day_bars", DAY, DAY).collect()["ticker"].sort().to_list() == ["AAA", "BBB"]
    assert state(lake, "stock_day_bars")["state"] == "awaited"
    assert reconcile_top_ups(lake) == ()


def test_half_a_session_is_refused(lake):
    with pytest.raises(CalendarError, match=r"2025-03-03 closes at 2025-03-03 16:00:00 ET: top up after it"):
        top_up(lake, FakeRest(), SESSION, ["AAA"], FixedClock(SESSION.close_ns - 1))


def test_a_published_session_is_left_alone(lake):
    publish(lake, "stock_day_bars", DAYS)
    report = top_up(lake, FakeRest(), SESSION, ["AAA"], FixedClock())
    assert report.rows == {"stock_minute_bars": 3}
    assert lake.scan("stock_day_bars").collect().height == 3


def test_the_file_is_compared_with_what_rest_gave(lake):
    top_up(lake, FakeRest(), SESSION, ["AAA", "BBB"], FixedClock())
    publish(lake, "stock_day_bars", DAYS)
    early, late = OPEN - NS_PER_MINUTE, OPEN + 2 * NS_PER_MINUTE
    file = bars(
        "stock_minute_bars",
        [
            ("AAA", early, 10.0, 5.0),
            ("AAA", OPEN, 10.0, 5.0),
            ("AAA", OPEN + NS_PER_MINUTE, 10.5, 5.0),
            ("AAA", late, 10.0, 6.0),
            ("BBB", OPEN, 10.0, 5.0),
            ("BBB", late, 10.0, 5.0),
            ("BBB", OPEN + NS_PER_MINUTE + 1, 10.0, 5.0),
            ("ZZZ", OPEN, 10.0, 5.0),
        ],
    )
    publish(lake, "stock_minute_bars", file)
    assert reconcile_top_ups(lake) == (
        Reconciliation("stock_day_bars", DAY, equal=2, changed=0, missing=0, added=0),
        Reconciliation("stock_minute_bars", DAY, equal=3, changed=2, missing=1, added=1),
    )
    noted = state(lake, "stock_minute_bars")
    assert (noted["state"], noted["changed"]) == ("reconciled", 2)
    assert reconcile_top_ups(lake) == ()


def test_a_second_top_up_waits_anew(lake):
    for _ in range(2):
        top_up(lake, FakeRest(), SESSION, ["AAA"], FixedClock())
    assert lake.scan("top_ups").collect().height == 2
