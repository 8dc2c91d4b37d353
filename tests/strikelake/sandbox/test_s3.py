"""The flat files through the real client, boto3, and through plain HTTP."""

import hashlib
from datetime import UTC, datetime
from http.client import HTTPConnection
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from strikelake.calendar import et_ns
from strikelake.sandbox import publication, s3
from strikelake.sandbox.s3_auth import RefusedError, SignedRequest, signer

DAYS = "us_stocks_sip/day_aggs_v1/2025/01/2025-01-0{}.csv.gz"
SECOND, THIRD, SIXTH = (DAYS.format(day) for day in (2, 3, 6))
QUOTES = "us_options_opra/quotes_v1/2025/01/2025-01-02.csv.gz"


def client_of(sandbox, key=s3.ACCESS_KEY, secret=s3.SECRET_KEY):
    return boto3.client(
        "s3",
        endpoint_url=sandbox.s3_endpoint,
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        region_name="us-east-1",
        config=Config(retries={"total_max_attempts": 1}),
    )


@pytest.fixture
def client(sandbox):
    return client_of(sandbox)


def content(sandbox, key):
    return (sandbox.directory / "flatfiles" / key).read_bytes()


def refused(call, **arguments):
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    answer = caught.value.response
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"].get("Code")


def keys(client, **query):
    return [e["Key"] for e in client.list_objects_v2(Bucket="flatfiles", **query).get("Contents", [])]


def test_a_file_appears_at_eleven_of_the_next_day(client, clock, sandbox):
    prefix = "us_stocks_sip/day_aggs_v1/"
    assert keys(client, Prefix=prefix) == [SECOND, THIRD]
    assert refused(client.get_object, Bucket="flatfiles", Key=SIXTH) == (404, "NoSuchKey")
    assert refused(client.head_object, Bucket="flatfiles", Key=SIXTH) == (404, "404")
    clock.sleep_until(et_ns(sandbox.live_session, "11:00"))
    assert keys(client, Prefix=prefix) == [SECOND, THIRD, SIXTH]
    found = client.get_object(Bucket="flatfiles", Key=SIXTH)
    assert found["Body"].read() == content(sandbox, SIXTH)
    assert found["LastModified"] == datetime(2025, 1, 7, 16, tzinfo=UTC)


def test_a_listing_says_what_a_download_gives(client, sandbox):
    [entry] = client.list_objects_v2(Bucket="flatfiles", Prefix=SECOND)["Contents"]
    head = client.head_object(Bucket="flatfiles", Key=SECOND)
    bytes_ = content(sandbox, SECOND)
    assert entry["ETag"] == head["ETag"] == f'"{hashlib.md5(bytes_, usedforsecurity=False).hexdigest()}"'
    assert entry["Size"] == head["ContentLength"] == len(bytes_)
    assert entry["LastModified"] == head["LastModified"]


def test_a_large_file_has_the_etag_of_its_parts():
    parts = [b"a" * (8 << 20), b"b"]
    digests = b"".join(hashlib.md5(part, usedforsecurity=False).digest() for part in parts)
    expected = f"{hashlib.md5(digests, usedforsecurity=False).hexdigest()}-2"
    assert publication.etag(b"".join(parts)) == expected


def test_pages_of_a_listing_are_followed(client):
    whole = keys(client)
    pages = client.get_paginator("list_objects_v2").paginate(
        Bucket="flatfiles", PaginationConfig={"PageSize": 3}
    )
    assert [entry["Key"] for page in pages for entry in page["Contents"]] == whole == sorted(whole)
    assert len(whole) > 9
    assert keys(client, StartAfter=whole[4]) == whole[5:]


def test_a_delimiter_folds_what_follows_it(client):
    top = client.list_objects_v2(Bucket="flatfiles", Delimiter="/")
    prefixes = [entry["Prefix"] for entry in top["CommonPrefixes"]]
    assert {"us_options_opra/", "us_stocks_sip/"} <= set(prefixes)
    assert "Contents" not in top
    below = client.list_objects_v2(Bucket="flatfiles", Delimiter="/", Prefix="us_stocks_sip/")
    assert "us_stocks_sip/day_aggs_v1/" in [entry["Prefix"] for entry in below["CommonPrefixes"]]


@pytest.mark.parametrize(
    ("span", "part"),
    [("bytes=0-9", slice(0, 10)), ("bytes=10-", slice(10, None)), ("bytes=-7", slice(-7, None))],
)
def test_ranges_are_served(client, sandbox, span, part):
    found = client.get_object(Bucket="flatfiles", Key=SECOND, Range=span)
    assert found["ResponseMetadata"]["HTTPStatusCode"] == 206
    assert found["Body"].read() == content(sandbox, SECOND)[part]


def test_a_range_beyond_the_end_is_refused(client):
    got = refused(client.get_object, Bucket="flatfiles", Key=SECOND, Range="bytes=100000-")
    assert got == (416, "InvalidRange")


def test_conditions_on_the_etag(client, sandbox):
    etag = client.head_object(Bucket="flatfiles", Key=SECOND)["ETag"]
    found = client.get_object(Bucket="flatfiles", Key=SECOND, IfMatch=etag, Range="bytes=3-")
    assert found["Body"].read() == content(sandbox, SECOND)[3:]
    other = {"Bucket": "flatfiles", "Key": SECOND, "IfMatch": '"other"'}
    assert refused(client.get_object, **other) == (412, "PreconditionFailed")
    assert refused(client.get_object, Bucket="flatfiles", Key=SECOND, IfNoneMatch=etag) == (304, "304")


def test_keys_are_checked(sandbox):
    ask = {"Bucket": "flatfiles", "Key": SECOND}
    assert refused(client_of(sandbox, key="nobody").get_object, **ask) == (403, "InvalidAccessKeyId")
    assert refused(client_of(sandbox, secret="wrong").get_object, **ask) == (403, "SignatureDoesNotMatch")
    assert refused(client_of(sandbox, secret="wrong").list_objects_v2, Bucket="flatfiles") == (
        403,
        "SignatureDoesNotMatch",
    )


def test_a_small_plan_lists_ticks_and_may_not_have_them(sandbox):
    small = client_of(sandbox, s3.SMALL_ACCESS_KEY, s3.SMALL_SECRET_KEY)
    assert QUOTES in keys(small)
    assert refused(small.get_object, Bucket="flatfiles", Key=QUOTES) == (403, "AccessDenied")
    assert small.get_object(Bucket="flatfiles", Key=SECOND)["ContentLength"] > 0


def test_nothing_else_is_there_and_nothing_can_be_written(client):
    assert refused(client.list_objects_v2, Bucket="other") == (404, "NoSuchBucket")
    assert refused(client.get_object, Bucket="flatfiles", Key="us_stocks_sip/none") == (404, "NoSuchKey")
    assert refused(client.put_object, Bucket="flatfiles", Key=SECOND, Body=b"") == (403, "AccessDenied")
    assert refused(client.list_objects, Bucket="flatfiles") == (501, "NotImplemented")


def test_without_a_signature_it_says_access_denied_in_xml(sandbox):
    parts = urlsplit(sandbox.s3_endpoint)
    connection = HTTPConnection(parts.hostname, parts.port, timeout=120)
    connection.request("GET", f"/flatfiles/{SECOND}")
    answer = connection.getresponse()
    body = answer.read().decode()
    connection.close()
    assert (answer.status, answer.headers["Content-Type"]) == (403, "application/xml")
    assert "<Code>AccessDenied</Code><Message>Access Denied</Message>" in body


NOW = datetime(2025, 1, 7, 15, tzinfo=UTC)
SCOPE = "Credential=sandbox/20250107/us-east-1/s3/aws4_request, SignedHeaders=host;x-amz-date"


@pytest.mark.parametrize(
    ("authorization", "date", "code"),
    [
        ("Basic c2FuZGJveA==", "20250107T150000Z", "AuthorizationHeaderMalformed"),
        (f"AWS4-HMAC-SHA256 {SCOPE}, Signature={'0' * 64}", "20250107T150000Z", "SignatureDoesNotMatch"),
        (f"AWS4-HMAC-SHA256 {SCOPE}, Signature={'0' * 64}", "20250107T144459Z", "RequestTimeTooSkewed"),
        (f"AWS4-HMAC-SHA256 {SCOPE}, Signature={'0' * 64}", "yesterday", "AccessDenied"),
    ],
)
def test_what_is_wrong_with_a_signature(authorization, date, code):
    headers = {"authorization": authorization, "x-amz-date": date, "host": "h"}
    with pytest.raises(RefusedError) as caught:
        signer(SignedRequest("GET", "http://h/flatfiles", headers), {"sandbox": "secret"}, NOW)
    assert caught.value.code == code
