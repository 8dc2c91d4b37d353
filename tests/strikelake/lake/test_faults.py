"""Disks that are full or read-only: an error that says so, and a lake that stays whole."""

import errno
import subprocess
from datetime import date
from pathlib import Path
from shutil import which

import pytest

from strikelake.errors import LakeError
from strikelake.lake.months import months, write_copy
from strikelake.lake.store import Lake

MON = date(2025, 1, 6)
TABLE = "stock_day_bars"
MOUNT, UMOUNT = which("mount") or "", which("umount") or ""
NAMES = [f"T{number}" for number in range(300)]


def close(lake) -> float:
    return lake.scan(TABLE).select("close").unique().collect().item()


@pytest.fixture
def small_disk(tmp_path):
    """A file system of one megabyte."""
    place = tmp_path / "small"
    place.mkdir()
    mount = [MOUNT, "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)]
    if not MOUNT or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only root may mount a small disk")
    yield place
    subprocess.run([UMOUNT, "--lazy", str(place)], check=True)


def fill(disk: Path, free: int) -> None:
    """Leave this many bytes on a disk."""
    (disk / "filler").unlink(missing_ok=True)
    with (disk / "filler").open("wb", buffering=0) as filler:
        try:
            while True:
                filler.write(bytes(4096))
        except OSError:
            size = filler.tell()
        filler.truncate(max(size - free, 0))


def test_a_disk_that_fills_up_at_any_point_leaves_a_version_whole(small_disk, bars):
    lake = Lake(small_disk / "lake")
    lake.replace(TABLE, MON, bars(MON, **dict.fromkeys(NAMES, 1.0)))
    said: list[str] = []
    for step in range(12):
        before = close(lake)
        fill(small_disk, step * 4096)
        frame = bars(MON, **dict.fromkeys(NAMES, step + 2.0))
        try:
            lake.replace(TABLE, MON, frame)
        except LakeError as error:
            said.append(str(error))
        assert close(lake) in {before, step + 2.0}
        (small_disk / "filler").unlink()
        lake.replace(TABLE, MON, frame)
        assert close(lake) == step + 2.0
    assert 0 < len(said) < 12
    assert {("free space or allow writing" in text, text.isprintable()) for text in said} == {(True, True)}
    assert {text.split("/lake/stock_day_bars")[1][:2] for text in said} == {"/d", ": "}


def test_a_read_only_lake_is_read_and_not_written(small_disk, bars):
    lake = Lake(small_disk / "lake")
    lake.replace(TABLE, MON, bars(MON, SPY=1.0))
    subprocess.run([MOUNT, "-o", "remount,ro", str(small_disk)], check=True)
    assert close(lake) == 1.0
    assert lake.sql("select close from stock_day_bars").item() == 1.0
    with pytest.raises(LakeError, match=r"cannot write to .*Read-only file system; free space or allow"):
        lake.replace(TABLE, MON, bars(MON, SPY=2.0))
    with pytest.raises(LakeError, match=r"cannot write to .*option_day_bars"):
        lake.replace("option_day_bars", MON, lake.table("option_day_bars").spec.schema.create_empty())


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_a_file_that_cannot_be_written_names_its_folder(lake, bars, monkeypatch, code):
    """As above, where no disk can be mounted."""
    lake.replace(TABLE, MON, bars(MON, SPY=1.0))

    def refuse(self, target):
        raise OSError(code, "refused")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", refuse)
        with pytest.raises(LakeError, match=rf"cannot write to .*date={MON}: refused; free space"):
            lake.replace(TABLE, MON, bars(MON, SPY=2.0))
        table = lake.table(TABLE)
        with pytest.raises(LakeError, match=r"cannot write to .*_months: refused"):
            write_copy(table.place, table.spec, months(table.files())[0])
    assert close(lake) == 1.0
    assert [path.name for path in (lake.root / TABLE).rglob(".part*")] == []
    lake.replace(TABLE, MON, bars(MON, SPY=2.0))
    assert close(lake) == 2.0
