"""AWS Signature Version 4, checked as an S3 server checks it."""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>[^/]+)/(?P<day>\d{8})/(?P<region>[^/]+)/s3/aws4_request,\s*"
    r"SignedHeaders=(?P<signed>[a-z0-9;-]+),\s*Signature=(?P<signature>[0-9a-f]{64})"
)
_STAMP = "%Y%m%dT%H%M%SZ"
_LARGEST_SKEW = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """What of a request is signed.

    Attributes
    ----------
    method
        GET, HEAD, …
    url
        As it was asked for, escapes and query included.
    headers
        By lower-case name.
    """

    method: str
    url: str
    headers: Mapping[str, str]


class RefusedError(Exception):
    """S3 refuses a request: its error code and message; never leaves the server."""

    def __init__(self, status: int, code: str, message: str, **details: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.details = details


def signer(request: SignedRequest, secrets: Mapping[str, str], now: datetime) -> str:
    """Return the access key that has signed a request.

    Parameters
    ----------
    request
        The request.
    secrets
        Secret key by access key.
    now
        The machine's time: signatures are about the client, not about the simulated market.

    Raises
    ------
    RefusedError
        403 with S3's code: AccessDenied without a signature, InvalidAccessKeyId, RequestTimeTooSkewed and
        SignatureDoesNotMatch; 400 for a header that cannot be read.
    """
    header = request.headers.get("authorization")
    if header is None:
        raise RefusedError(403, "AccessDenied", "Access Denied")
    found, stamp = _AUTHORIZATION.fullmatch(header), request.headers.get("x-amz-date", "")
    if found is None:
        raise RefusedError(400, "AuthorizationHeaderMalformed", "The authorization header is malformed.")
    key = found["key"]
    if key not in secrets:
        message = "The AWS Access Key Id you provided does not exist in our records."
        raise RefusedError(403, "InvalidAccessKeyId", message, AWSAccessKeyId=key)
    if abs(_moment(stamp) - now) > _LARGEST_SKEW:
        message = "The difference between the request time and the current time is too large."
        raise RefusedError(
            403, "RequestTimeTooSkewed", message, RequestTime=stamp, ServerTime=f"{now:{_STAMP}}"
        )
    if not hmac.compare_digest(_signature(request, found, stamp, secrets[key]), found["signature"]):
        message = (
            "The request signature we calculated does not match the signature you provided. "
            "Check your key and signing method."
        )
        raise RefusedError(403, "SignatureDoesNotMatch", message, AWSAccessKeyId=key)
    return key


def _moment(stamp: str) -> datetime:
    try:
        return datetime.strptime(stamp, _STAMP).replace(tzinfo=UTC)
    except ValueError:
        message = "AWS authentication requires a valid Date or x-amz-date header"
        raise RefusedError(403, "AccessDenied", message) from None


def _signature(request: SignedRequest, found: re.Match[str], stamp: str, secret: str) -> str:
    """Return the signature that the secret gives, made by the very code that boto3 signs with."""
    from botocore.auth import S3SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    headers = {name: request.headers.get(name, "") for name in found["signed"].split(";")}
    copy = AWSRequest(method=request.method, url=request.url, headers=headers)
    copy.context["timestamp"] = stamp
    auth = S3SigV4Auth(Credentials(found["key"], secret), "s3", found["region"])
    signature: str = auth.signature(auth.string_to_sign(copy, auth.canonical_request(copy)), copy)
    return signature
