import gzip
from datetime import date

import pytest

from flows.maintain import maintain
from pipelines.ingest import ingest
from strikelake.calendar import et_ns
from strikelake.lake.store import Lake
from strikelake.vendors.flat_files import Dataset, DirectoryFlatFiles

DAY = date(2025, 1, 2)


@pytest.mark.usefixtures("prefect_api")
def test_the_scheduled_upkeep_copies_closed_months_once(monkeypatch, tmp_path):
    file = tmp_path / "flatfiles/us_stocks_sip/day_aggs_v1/2025/01/2025-01-02.csv.gz"
    file.parent.mkdir(parents=True)
    header = "ticker,volume,open,close,high,low,window_start,transactions"
    file.write_bytes(gzip.compress(f"{header}\nSPY,1000,590,591,592,589,{et_ns(DAY, '00:00')},10\n".encode()))
    lake = Lake(tmp_path / "lake")
    ingest(lake, DirectoryFlatFiles(tmp_path / "flatfiles"), [Dataset.STOCK_DAY_BARS], DAY, DAY)
    monkeypatch.setenv("STRIKELAKE_LAKE__ROOT", str(tmp_path / "lake"))

    first, second = (
        {done.table: (done.written, done.unchanged) for done in maintain()}["stock_day_bars"]
        for _ in range(2)
    )

    assert first == (("2025-01",), 0)
    assert second == ((), 1)
