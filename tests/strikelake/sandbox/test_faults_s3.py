"""Faults of the flat files: what boto3 makes of each, and what our adapter does."""

import gzip
from datetime import date

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, IncompleteReadError, ResponseStreamingError

from strikelake.calendar import et_ns
from strikelake.errors import NotEntitledError, NotPublishedError, VendorUnavailableError
from strikelake.vendors.flat_files import Dataset
from strikelake.vendors.flat_s3 import S3FlatFiles

KEY = "us_options_opra/quotes_v1/2025/01/2025-01-02.csv.gz"
DAY = date(2025, 1, 2)
ASK = {"Bucket": "flatfiles", "Key": KEY}


@pytest.fixture
def client(sandbox):
    return boto3.client(
        "s3",
        endpoint_url=sandbox.s3_endpoint,
        aws_access_key_id=sandbox.access_key,
        aws_secret_access_key=sandbox.secret_key,
        region_name="us-east-1",
        config=Config(retries={"total_max_attempts": 2, "mode": "standard"}),
    )


@pytest.fixture
def ours(sandbox):
    return S3FlatFiles(sandbox.s3_endpoint, sandbox.bucket, sandbox.access_key, sandbox.secret_key)


@pytest.fixture
def true(sandbox):
    """The file's bytes."""
    return (sandbox.directory / "flatfiles" / KEY).read_bytes()


def listed(source):
    return source.list(Dataset.OPTION_QUOTES, DAY, DAY)


def read(source, file):
    with source.open(file) as stream:
        return stream.read()


@pytest.mark.fault("s3.late")
def test_a_late_file(client, ours, fault, sandbox):
    [file] = listed(ours)
    fault("s3.late", times=None, on=f"*{KEY}")
    # The listing is one file shorter, and nothing says so.
    assert client.list_objects_v2(Bucket="flatfiles", Prefix=KEY)["KeyCount"] == 0
    with pytest.raises(ClientError, match="NoSuchKey"):
        client.get_object(**ASK)
    assert listed(ours) == []
    with pytest.raises(NotPublishedError, match="11:00 ET"):
        read(ours, file)


@pytest.mark.fault("s3.republished")
def test_a_republished_file(client, ours, fault, true, clock, sandbox):
    [before] = listed(ours)
    half = client.get_object(**ASK, Range=f"bytes=0-{len(true) // 2 - 1}")["Body"].read()
    clock.sleep_until(et_ns(sandbox.live_session, "12:00"))
    fault("s3.republished", times=None, on=f"*{KEY}")
    # Whoever goes on with a download gets a file that never was.
    mixed = half + client.get_object(**ASK, Range=f"bytes={len(half)}-")["Body"].read()
    new = client.get_object(**ASK)["Body"].read()
    assert mixed not in {true, new}
    assert gzip.decompress(new) == b"".join(gzip.decompress(true).splitlines(keepends=True)[:-1])
    with pytest.raises(VendorUnavailableError, match="it was replaced"):
        read(ours, before)
    [after] = listed(ours)
    assert (after.etag != before.etag, after.size == len(new)) == (True, True)
    assert after.last_modified == et_ns(sandbox.live_session, "12:00")
    assert read(ours, after) == new


@pytest.mark.fault("s3.truncated")
def test_a_truncated_file(client, ours, fault, true):
    fault("s3.truncated", times=None, on=f"*{KEY}")
    # To boto3 it is a whole file; only gzip notices.
    answer = client.get_object(**ASK)
    assert answer["Body"].read() == true[: answer["ContentLength"]]
    with pytest.raises(EOFError):
        gzip.decompress(true[: answer["ContentLength"]])
    [file] = listed(ours)
    with ours.open(file) as stream, pytest.raises(EOFError):
        gzip.GzipFile(fileobj=stream).read()


@pytest.mark.fault("s3.forbidden")
def test_a_forbidden_file_that_is_listed(client, ours, fault):
    fault("s3.forbidden", times=None, on="*quotes_v1*")
    assert client.list_objects_v2(Bucket="flatfiles", Prefix=KEY)["KeyCount"] == 1
    with pytest.raises(ClientError, match="AccessDenied"):
        client.get_object(**ASK)
    [file] = listed(ours)
    with pytest.raises(NotEntitledError, match="plan does not include it"):
        read(ours, file)


@pytest.mark.fault("s3.http_503")
def test_a_busy_server(client, ours, fault, true):
    [file] = listed(ours)
    fault("s3.http_503")
    assert client.get_object(**ASK)["Body"].read() == true
    fault("s3.http_503", times=2)
    with pytest.raises(ClientError, match="503"):
        client.get_object(**ASK)
    fault("s3.http_503", times=3)
    with pytest.raises(VendorUnavailableError, match="with fewer requests at once"):
        read(ours, file)


@pytest.mark.fault("s3.reset")
def test_a_download_that_breaks_off(client, ours, fault, true):
    fault("s3.reset")
    body = client.get_object(**ASK)["Body"]
    with pytest.raises((IncompleteReadError, ResponseStreamingError)):
        body.read()
    [file] = listed(ours)
    fault("s3.reset")
    assert read(ours, file) == true
