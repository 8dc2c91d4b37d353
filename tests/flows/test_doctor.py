import sys
from collections import namedtuple

from flows import doctor, room
from flows.doctor import Status


def find(name, *, reach=lambda _: True):
    return next(check for check in doctor.examine(reach=reach) if check.name == name)


def test_without_keys_everything_works_but_the_keys_are_named_with_their_remedy():
    checks = doctor.examine(reach=lambda _: True)
    assert [c for c in checks if c.status is Status.FAILURE] == []
    keys = find("flat-file keys")
    assert keys.status is Status.WARNING
    assert keys.found.startswith("POLYGON_S3_ACCESS_KEY and POLYGON_S3_SECRET_KEY are not set")
    assert "put both into .env" in keys.remedy


def test_a_half_pair_names_the_missing_half(monkeypatch):
    monkeypatch.setenv("ALPACA_API_KEY", "k")
    assert find("broker keys").found.startswith("ALPACA_SECRET_KEY is not set")


def test_a_silent_endpoint_is_named(monkeypatch):
    monkeypatch.setenv("POLYGON_REST_ENDPOINT", "http://127.0.0.1:9")
    check = find("REST", reach=lambda _: False)
    assert (check.status, check.found) == (Status.WARNING, "http://127.0.0.1:9 does not answer")


def test_a_broken_configuration_is_a_failure_with_the_key(monkeypatch):
    monkeypatch.setenv("RISK_TOLERANCE", "reckless")
    check = find("configuration")
    assert check.status is Status.FAILURE
    assert "RISK_TOLERANCE" in check.found


def test_an_old_python_fails(monkeypatch):
    version = namedtuple("version", "major minor micro")  # noqa: PYI024 - only slices like sys.version_info
    monkeypatch.setattr(sys, "version_info", version(3, 10, 1))
    assert find("Python").status is Status.FAILURE


def test_a_version_that_breaks_prefect_fails(monkeypatch):
    real = doctor.version
    monkeypatch.setattr(doctor, "version", lambda name: "0.155.0" if name == "fastapi" else real(name))
    check = find("fastapi")
    assert (check.status, check.found) == (Status.FAILURE, "0.155.0 breaks Prefect 3.8")
    assert "fastapi 0.155.0 (pinned" in find("versions").found


def test_a_lake_that_cannot_be_written_fails(monkeypatch, tmp_path):
    monkeypatch.setenv("STRIKELAKE_LAKE__ROOT", str(tmp_path / "lake"))

    def refuse(**_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(room.tempfile, "TemporaryFile", refuse)
    check = find("disk")
    assert (check.status, "STRIKELAKE_LAKE__ROOT" in check.remedy) == (Status.FAILURE, True)


def test_a_full_disk_fails(monkeypatch):
    usage = namedtuple("usage", "free")  # noqa: PYI024 - stands for shutil's own named tuple
    monkeypatch.setattr(room.shutil, "disk_usage", lambda _: usage(2**20))
    assert find("disk").status is Status.FAILURE
