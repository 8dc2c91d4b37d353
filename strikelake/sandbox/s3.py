"""A local S3 server with the published flat files."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

BUCKET = "flatfiles"
ACCESS_KEY = "sandbox"
SECRET_KEY = "sandbox-secret"  # noqa: S105 - the local server's own, checked by nothing
_LOOPBACK = "127.0.0.1"


def serve(files: Path) -> str:
    """Start an S3 server in this process's threads and put every file below `files` into its bucket.

    Parameters
    ----------
    files
        Directory whose relative paths are the keys.

    Returns
    -------
    str
        The endpoint. The server ends with the process.
    """
    import boto3
    from botocore.config import Config
    from moto.server import ThreadedMotoServer

    # One line per request would bury the line that says why a start failed.
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    server = ThreadedMotoServer(ip_address=_LOOPBACK, port=0, verbose=False)
    server.start()
    endpoint = "http://{}:{}".format(*server.get_host_and_port())
    client = boto3.client(
        "s3",
        endpoint_url=endpoint,
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
        region_name="us-east-1",
        # A path-style address and no proxy: the bucket is not a host name here.
        config=Config(s3={"addressing_style": "path"}, proxies={}),
    )
    client.create_bucket(Bucket=BUCKET)
    for path in sorted(files.rglob("*.gz")):
        client.put_object(Bucket=BUCKET, Key=path.relative_to(files).as_posix(), Body=path.read_bytes())
    return endpoint
