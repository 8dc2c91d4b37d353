import errno
import re
from datetime import date
from pathlib import Path

import pytest

from strikelake.errors import BadFileError, ConfigError, NotPublishedError, VendorUnavailableError
from strikelake.vendors.flat_files import Dataset, DirectoryFlatFiles, SourceFile

DAY = date(2025, 1, 6)
BARS = Dataset.STOCK_DAY_BARS


def key(day: date, dataset: Dataset = BARS) -> str:
    return f"{dataset.prefix}/{day:%Y/%m}/{day}.csv.gz"


def listed(day: date = DAY, size: int = 3, etag: str = "x") -> SourceFile:
    return SourceFile(BARS, day, key(day), etag, size, 0)


def content(source: DirectoryFlatFiles, file: SourceFile) -> bytes:
    with source.open(file) as stream:
        return stream.read()


@pytest.fixture
def folder(tmp_path):
    def put(name: str, content: bytes = b"abc") -> None:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    put.root = tmp_path
    return put


def test_a_folder_lists_by_dataset_and_date(folder):
    days = [date(2024, 12, 31), date(2025, 1, 2), date(2025, 1, 3), date(2025, 2, 3)]
    for day in reversed(days):
        folder(key(day))
        folder(key(day, Dataset.STOCK_MINUTE_BARS))
    folder(f"{BARS.prefix}/2025/01/README.txt")
    folder(f"{BARS.prefix}/2025/01/copy-of-2025-01-02.csv.gz")
    folder(f"{BARS.prefix}/2025/01/2025-01-99.csv.gz")
    source = DirectoryFlatFiles(folder.root)
    assert days == [file.date for file in source.list(BARS, days[0], days[-1])]
    assert days[1:3] == [file.date for file in source.list(BARS, date(2025, 1, 1), date(2025, 1, 31))]
    first = source.list(BARS, days[0], days[0])[0]
    assert (first.key, first.size, content(source, first)) == (key(days[0]), 3, b"abc")
    assert str(source) == str(folder.root)


def test_a_replaced_file_has_another_etag(folder):
    source = DirectoryFlatFiles(folder.root)
    folder(key(DAY), b"abc")
    before = source.list(BARS, DAY, DAY)[0]
    folder(key(DAY), b"abcd")
    assert before.etag != source.list(BARS, DAY, DAY)[0].etag


def test_a_folder_without_the_dataset_lists_nothing(folder):
    folder(key(DAY, Dataset.STOCK_MINUTE_BARS))
    assert DirectoryFlatFiles(folder.root).list(BARS, DAY, DAY) == []


def test_a_root_that_is_no_folder_is_refused(folder):
    folder(key(DAY))
    for root in (folder.root / "no such folder", folder.root / key(DAY)):
        with pytest.raises(
            ConfigError, match=rf"{re.escape(str(root))} is no folder: name the one that holds"
        ):
            DirectoryFlatFiles(root).list(BARS, DAY, DAY)


def test_what_has_the_name_of_a_file_and_is_none_is_refused(folder):
    path = folder.root / key(DAY)
    path.mkdir(parents=True)
    with pytest.raises(BadFileError, match=r"2025-01-06.csv.gz in .* is no file: remove it"):
        DirectoryFlatFiles(folder.root).list(BARS, DAY, DAY)
    path.rmdir()
    path.symlink_to(folder.root / "nowhere")
    with pytest.raises(BadFileError, match=r"2025-01-06.csv.gz in .* is no file: remove it"):
        DirectoryFlatFiles(folder.root).list(BARS, DAY, DAY)


def test_a_file_that_is_gone_is_named(folder):
    with pytest.raises(NotPublishedError, match=r"2025-01-06.csv.gz is not in .* any more: list again"):
        content(DirectoryFlatFiles(folder.root), listed())


def test_a_file_that_does_not_read_is_named(folder):
    (folder.root / key(DAY)).mkdir(parents=True)
    with pytest.raises(
        VendorUnavailableError,
        match=r"2025-01-06.csv.gz in .* does not read .Is a directory.: check its disk",
    ):
        content(DirectoryFlatFiles(folder.root), listed())


def test_a_file_that_may_not_be_read_is_not_tried_again(folder, monkeypatch):
    def refuse(self, mode):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)  # root may read everything
    with pytest.raises(BadFileError, match=r"2025-01-06.csv.gz in .* may not be read: allow it"):
        content(DirectoryFlatFiles(folder.root), listed())


def test_datasets_are_where_the_vendor_keeps_them():
    assert [str(dataset.prefix) for dataset in Dataset] == [
        "us_stocks_sip/day_aggs_v1",
        "us_stocks_sip/minute_aggs_v1",
        "us_options_opra/day_aggs_v1",
        "us_options_opra/minute_aggs_v1",
        "us_options_opra/quotes_v1",
        "us_options_opra/trades_v1",
        "us_stocks_sip/trades_v1",
        "us_stocks_sip/quotes_v1",
        "us_indices/day_aggs_v1",
        "us_indices/minute_aggs_v1",
    ]
