"""The flat files through the real client, boto3."""

import boto3
import pytest


@pytest.fixture(scope="module")
def client(running):
    return boto3.client(
        "s3",
        endpoint_url=running.s3_endpoint,
        aws_access_key_id=running.access_key,
        aws_secret_access_key=running.secret_key,
        region_name="us-east-1",
    )


def test_every_published_file_is_there(client, running):
    listed = client.list_objects_v2(Bucket=running.bucket, Prefix="us_options_opra/quotes_v1/")["Contents"]
    assert [entry["Key"] for entry in listed] == [
        f"us_options_opra/quotes_v1/2025/01/2025-01-0{day}.csv.gz" for day in (2, 3, 6)
    ]
    assert client.list_objects_v2(Bucket=running.bucket)["KeyCount"] == 5 * 3


def test_the_bytes_are_those_on_disk(client, running):
    key = "us_stocks_sip/day_aggs_v1/2025/01/2025-01-02.csv.gz"
    body = client.get_object(Bucket=running.bucket, Key=key)["Body"].read()
    assert body == (running.directory / "flatfiles" / key).read_bytes()
