from datetime import date

import pytest

from strikelake.errors import LakeError
from strikelake.lake.store import Lake

MON, TUE = date(2025, 1, 6), date(2025, 1, 7)


def test_tables_are_views(lake, bars):
    lake.replace_many("stock_day_bars", {MON: bars(MON, SPY=1.0), TUE: bars(TUE, SPY=2.0, QQQ=5.0)})
    answer = lake.sql("select date, sum(close) as total from stock_day_bars group by date order by date")
    assert answer.rows() == [(MON, 1.0), (TUE, 7.0)]


def test_versions_choose_the_tables_and_their_rows(lake, bars):
    first = lake.replace("stock_day_bars", MON, bars(MON, SPY=1.0))
    lake.replace("stock_day_bars", MON, bars(MON, SPY=2.0))
    query = "select close from stock_day_bars"
    assert lake.sql(query).item() == 2.0
    assert lake.sql(query, as_of={"stock_day_bars": first}).item() == 1.0
    with pytest.raises(LakeError, match="the tables are none"):
        lake.sql(query, as_of={})


def test_a_table_without_rows_is_an_empty_view(lake, bars):
    lake.replace("stock_day_bars", MON, bars(MON, SPY=1.0))
    lake.replace("stock_day_bars", MON, bars(MON))
    assert lake.sql("select ticker from stock_day_bars").is_empty()


def test_odd_folder_names_are_no_syntax(tmp_path, bars):
    lake = Lake(tmp_path / "o'brien [1] 50%")
    lake.replace("stock_day_bars", MON, bars(MON, SPY=1.0))
    assert lake.sql("select count(*) from stock_day_bars").item() == 1
    assert lake.scan("stock_day_bars").collect().height == 1


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("select * from no_such", "no_such does not exist"),
        ("selec 1", "syntax error"),
        ("-- nothing", "answers nothing: give one SELECT"),
        ("select * from 's3://bucket/x.parquet'", "httpfs"),
    ],
)
def test_queries_that_fail_name_the_tables(lake, bars, query, said):
    lake.replace("stock_day_bars", MON, bars(MON, SPY=1.0))
    with pytest.raises(LakeError, match=said) as caught:
        lake.sql(query)
    assert "stock_day_bars" in str(caught.value)
    assert "\n" not in str(caught.value)
