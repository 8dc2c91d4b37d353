"""Disks that are full or closed, before and after the work."""

import errno
import re

import pytest

from flows import cli, room
from strikelake.errors import ConfigError


def test_a_folder_that_is_not_there_yet_has_the_room_of_the_one_it_will_be_in(tmp_path):
    assert room.free(tmp_path / "data" / "demo") > 0
    room.demand(tmp_path / "data" / "demo", 1)
    assert list(tmp_path.iterdir()) == []


def test_too_little_room_is_refused_with_both_numbers(tmp_path, monkeypatch):
    monkeypatch.setattr(room.shutil, "disk_usage", lambda _: type("usage", (), {"free": 30 * room.MIB}))
    with pytest.raises(ConfigError, match=re.escape("needs about 480 MiB, and its disk has 30 MiB free")):
        room.demand(tmp_path / "data", 480 * room.MIB)


def test_a_closed_folder_is_refused_by_the_name_of_what_exists(tmp_path, monkeypatch):
    def refuse(**_):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(room.tempfile, "TemporaryFile", refuse)
    with pytest.raises(ConfigError, match=re.escape(f"{tmp_path} cannot be written to (Permission denied)")):
        room.demand(tmp_path / "data" / "demo", 1)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "a.parquet"), "the disk is full at a.parquet"),
        (
            PermissionError(errno.EACCES, "Permission denied", "lake"),
            "lake cannot be used (Permission denied): check",
        ),
    ],
)
def test_a_disk_that_fails_on_the_way_is_told_in_a_line(error, told, monkeypatch, capsys):
    def broken():
        raise error

    monkeypatch.setattr(cli, "app", broken)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    err = capsys.readouterr().err
    assert (ended.value.code, err.count("\n")) == (1, 1)
    assert told in err


def test_other_errors_of_the_system_are_not_dressed_up(monkeypatch):
    def broken():
        raise ConnectionResetError(errno.ECONNRESET, "reset")

    monkeypatch.setattr(cli, "app", broken)
    with pytest.raises(ConnectionResetError):
        cli.main()
