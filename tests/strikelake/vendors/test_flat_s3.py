import io
import socket
import threading
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from strikelake.errors import (
    ConfigError,
    MissingCredentialsError,
    NotEntitledError,
    NotPublishedError,
    VendorUnavailableError,
)
from strikelake.vendors.flat_files import Dataset, SourceFile
from strikelake.vendors.flat_s3 import S3FlatFiles

DAY = date(2025, 1, 6)
BARS = Dataset.STOCK_DAY_BARS


def key(day: date, dataset: Dataset = BARS) -> str:
    return f"{dataset.prefix}/{day:%Y/%m}/{day}.csv.gz"


def listed(day: date = DAY, size: int = 3, etag: str = "x") -> SourceFile:
    return SourceFile(BARS, day, key(day), etag, size, 0)


def content(source: S3FlatFiles, file: SourceFile) -> bytes:
    with source.open(file) as stream:
        return stream.read()


@pytest.mark.parametrize(
    ("pair", "named"),
    [
        (("", ""), "set POLYGON_S3_ACCESS_KEY .or MASSIVE_S3_ACCESS_KEY. and POLYGON_S3_SECRET_KEY"),
        (("key", " "), "set POLYGON_S3_SECRET_KEY .or MASSIVE_S3_SECRET_KEY.$"),
        (("", "secret"), "set POLYGON_S3_ACCESS_KEY .or MASSIVE_S3_ACCESS_KEY.$"),
    ],
)
def test_half_a_key_pair_is_refused(pair, named):
    with pytest.raises(MissingCredentialsError, match=named):
        S3FlatFiles("http://127.0.0.1:1", "flatfiles", *pair)


def test_an_endpoint_must_be_a_url():
    with pytest.raises(ConfigError, match=r"'files\.massive\.com' is no URL: give one like https://host"):
        S3FlatFiles("files.massive.com", "flatfiles", "key", "secret")


@pytest.fixture(scope="module")
def s3():
    import boto3
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    client = boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id="key",
        aws_secret_access_key="secret",
    )
    client.create_bucket(Bucket="flatfiles")
    client.endpoint = endpoint
    yield client
    server.stop()


def test_s3_lists_in_pages_and_reads(s3, monkeypatch):
    days = [date(2025, 1, n) for n in range(1, 32)] + [date(2025, 2, 1), date(2026, 1, 1)]
    for day in days:
        s3.put_object(Bucket="flatfiles", Key=key(day), Body=str(day).encode())
    s3.put_object(Bucket="flatfiles", Key=f"{BARS.prefix}/2025/01/README.txt", Body=b"")
    source = S3FlatFiles(s3.endpoint, "flatfiles", "key", "secret")
    pages = source._client.get_paginator("list_objects_v2")
    small = type(pages).paginate
    monkeypatch.setattr(
        type(pages), "paginate", lambda self, **k: small(self, PaginationConfig={"PageSize": 7}, **k)
    )
    assert days == [file.date for file in source.list(BARS, days[0], days[-1])]
    assert days[4:9] == [file.date for file in source.list(BARS, days[4], days[8])]
    first = source.list(BARS, days[0], days[0])[0]
    assert content(source, first) == b"2025-01-01"
    assert first.last_modified > 0
    assert source.list(Dataset.OPTION_QUOTES, days[0], days[-1]) == []
    assert str(source) == f"s3://flatfiles at {s3.endpoint}"


def test_s3_tells_a_file_that_was_replaced_after_it_was_listed(s3):
    day = date(2024, 3, 1)
    s3.put_object(Bucket="flatfiles", Key=key(day), Body=b"old")
    source = S3FlatFiles(s3.endpoint, "flatfiles", "key", "secret")
    file = source.list(BARS, day, day)[0]
    s3.put_object(Bucket="flatfiles", Key=key(day), Body=b"new")
    with pytest.raises(VendorUnavailableError, match="it was replaced; run again"):
        content(source, file)


def test_s3_names_what_is_not_there(s3):
    with pytest.raises(NotPublishedError, match=r"2027-01-04.csv.gz in s3://flatfiles .* 404 NoSuchKey"):
        content(S3FlatFiles(s3.endpoint, "flatfiles", "key", "secret"), listed(date(2027, 1, 4)))
    with pytest.raises(NotPublishedError, match="404 NoSuchBucket"):
        S3FlatFiles(s3.endpoint, "no-such-bucket", "key", "secret").list(BARS, DAY, DAY)


class _Faults(BaseHTTPRequestHandler):
    """Answers GET /bucket/… with the fault that the bucket is named after."""

    def do_GET(self) -> None:
        fault = self.path.split("/")[1].split("?")[0]
        if fault == "hang":
            self.close_connection = self.server.release.wait(120)
            return
        if fault == "cut":
            self.send_response(200)
            self.send_header("ETag", '"x"')
            self.send_header("Content-Length", "3")
            self.end_headers()
            self.wfile.write(b"a")
            self.close_connection = True
        elif fault.isdigit():
            self.send_response(int(fault))
            self.send_header("Content-Length", "0")
            self.end_headers()

    def log_message(self, *_: object) -> None:
        """Stay silent."""


@pytest.fixture(scope="module")
def faulty():
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Faults)
    server.release = threading.Event()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.release.set()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize(
    ("fault", "error", "remedy"),
    [
        ("403", NotEntitledError, "the plan does not include it, or the key is wrong"),
        ("404", NotPublishedError, "not there, or not yet"),
        ("429", VendorUnavailableError, "try again later, with fewer requests"),
        ("500", VendorUnavailableError, "answers 500"),
        ("503", VendorUnavailableError, "answers 503"),
        ("hang", VendorUnavailableError, "did not arrive: .*; try again"),
        ("cut", VendorUnavailableError, "did not arrive.*; try again"),
    ],
)
def test_faults_have_names(faulty, fault, error, remedy):
    timeout = 0.3 if fault == "hang" else 120
    source = S3FlatFiles(faulty, fault, "key", "secret", timeout_s=timeout, attempts=1)
    with pytest.raises(error, match=remedy) as caught:
        content(source, listed())
    assert key(DAY) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_listing_that_is_refused_is_no_empty_listing(faulty):
    with pytest.raises(NotEntitledError, match="us_stocks_sip/day_aggs_v1/2025/01/"):
        S3FlatFiles(faulty, "403", "key", "secret", attempts=1).list(BARS, DAY, DAY)


def test_nobody_listening_is_unavailable():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(VendorUnavailableError, match="did not arrive: Could not connect"):
            S3FlatFiles(endpoint, "flatfiles", "key", "secret", attempts=1).list(BARS, DAY, DAY)


class _Breaking:
    """A server that breaks off after some bytes of every answer."""

    def __init__(self, content: bytes, breaks: int, replaced_after: int = 9):
        self.content, self.breaks, self.asked, self.replaced_after = content, breaks, [], replaced_after

    def get_object(self, *, Range: str = "bytes=0-", **_: object):
        start = int(Range[6:-1])
        self.asked.append(start)
        left = self.content[start:]
        sent = left[:4] if len(self.asked) <= self.breaks else left
        etag = "x" if len(self.asked) <= self.replaced_after else "y"
        return {"ETag": f'"{etag}"', "ContentLength": len(left), "Body": io.BytesIO(sent)}


def breaking(*, size: int = 10, attempts: int = 2, **faults: int) -> tuple[S3FlatFiles, SourceFile]:
    source = S3FlatFiles("http://127.0.0.1:1", "flatfiles", "key", "secret", attempts=attempts)
    source._client = _Breaking(b"0123456789", **faults)
    return source, listed(size=size)


def test_what_breaks_off_goes_on_where_it_broke_off():
    source, file = breaking(breaks=2)
    assert content(source, file) == b"0123456789"
    assert source._client.asked == [0, 4, 8]


def test_what_is_replaced_while_it_is_read_is_not_put_together():
    source, file = breaking(breaks=2, replaced_after=1)
    with pytest.raises(VendorUnavailableError, match="it was replaced; run again"):
        content(source, file)


def test_a_file_of_another_size_is_not_the_one_that_was_listed():
    source, file = breaking(breaks=0, size=11)
    with pytest.raises(VendorUnavailableError, match="it was replaced; run again"):
        content(source, file)
