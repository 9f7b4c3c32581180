"""Every request to S3 is, header for header, the one that botocore would have sent."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from time import gmtime
from typing import Any
from unittest import mock

import botocore.auth
import pytest
from botocore.config import Config
from botocore.session import Session
from hypothesis import given
from hypothesis import strategies as st

from shared import aws_s3, aws_signing
from shared.aws_endpoints import Endpoint, read_endpoint
from shared.aws_http import Answer
from shared.aws_s3 import Bucket
from shared.aws_signing import Credentials

UNTIL = "2031-02-03T04:05:06Z"
REGIONS = ("eu-west-1", "us-east-1", "us-gov-west-1", "ap-southeast-2")
WHO = (
    Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
    Credentials("key", "secret", "a-token/+=="),
    Credentials("other", "sec ret", "x" * 900),
)
# Of botocore alone: who it is, how often it tried, and whether it would rather wait for leave.
NOT_OURS = {"user-agent", "amz-sdk-invocation-id", "amz-sdk-request", "expect"}

keys = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60)
names = st.sampled_from(["bucket", "an-archive-1", "with.a.dot"])
urls = st.sampled_from(["", "http://127.0.0.1:4566", "https://storage.example:8443"])
moments = st.datetimes(datetime(2020, 1, 1), datetime(2099, 1, 1))  # noqa: DTZ001 - hypothesis' rule


@cache
def client(who: Credentials, region: str, url: str) -> Any:
    style: Any = "path" if url else "auto"
    made = _session().create_client(
        "s3",
        region_name=region,
        endpoint_url=url or None,
        aws_access_key_id=who.access_key,
        aws_secret_access_key=who.secret_key,
        aws_session_token=who.token or None,
        config=Config(
            s3={"addressing_style": style, "us_east_1_regional_endpoint": "regional"},
            signature_version="s3v4",
        ),
    )
    made.meta.events.register("before-send.s3", _sent.append_and_stop)
    return made


@cache
def _session() -> Session:
    return Session()


class _Stopped(Exception):
    """The request is known; it is not sent."""


class _Sent(list[Any]):
    def append_and_stop(self, request: Any, **_: Any) -> None:
        self.append(request)
        raise _Stopped


_sent = _Sent()

Shown = tuple[str, str, dict[str, str], bytes]


def botocores(made: Any, operation: str, arguments: Mapping[str, Any], moment: datetime) -> Shown:
    with (
        mock.patch.object(botocore.auth, "get_current_datetime", return_value=moment),
        pytest.raises(_Stopped),
    ):
        getattr(made, operation)(**arguments)
    request = _sent.pop()
    headers = {
        name.lower(): value.decode() if isinstance(value, bytes) else str(value)
        for name, value in request.headers.items()
    }
    body = request.body.read() if request.body else b""
    return request.method, request.url, headers, body


class Wire:
    """Takes the place of the connections."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._scheme = "https" if endpoint.secure else "http"
        self.shown: list[Shown] = []

    def send(self, head: bytes, body: bytes, _: float) -> Wire:
        first, *lines = head.decode().removesuffix("\r\n\r\n").split("\r\n")
        method, path, version = first.split(" ")
        assert version == "HTTP/1.1"
        headers = dict(line.split(": ", 1) for line in lines)
        assert len(headers) == len(lines)
        self.shown.append((method, f"{self._scheme}://{headers['host']}{path}", headers, body))
        return self

    def answer(self) -> Answer:
        return Answer(200, {}, b"")


@dataclass(frozen=True)
class Case:
    """What a request is made of."""

    who: Credentials
    region: str
    url: str
    name: str
    key: str
    body: bytes
    new: bool
    locked: bool
    moment: datetime


cases = st.builds(
    Case,
    who=st.sampled_from(WHO),
    region=st.sampled_from(REGIONS),
    url=urls,
    name=names,
    key=keys,
    body=st.binary(max_size=100),
    new=st.booleans(),
    locked=st.booleans(),
    moment=moments,
)


def ours(case: Case) -> tuple[Bucket, Wire]:
    at_aws = Endpoint(True, f"s3.{case.region}.amazonaws.com", 443)
    endpoint = read_endpoint(case.url) if case.url else at_aws
    with (
        mock.patch.object(aws_s3, "find_endpoint", return_value=(endpoint, case.region)),
        mock.patch.object(aws_signing, "credentials_source", return_value=lambda: case.who),
    ):
        bucket = Bucket(case.name)
    wire = Wire(endpoint)
    bucket._connections = wire  # type: ignore[assignment]
    return bucket, wire


@given(cases)
def test_a_request_is_botocores(case: Case) -> None:
    bucket, wire = ours(case)
    digest = sha256(case.body).digest()
    headers = {"content-type": "application/x-ndjson"}
    put: dict[str, Any] = {
        "Bucket": case.name,
        "Key": case.key,
        "Body": case.body,
        "ContentType": "application/x-ndjson",
        "ChecksumAlgorithm": "SHA256",
        "ChecksumSHA256": b64encode(digest).decode(),
    }
    if case.new:
        put["IfNoneMatch"] = "*"
    if case.locked:
        headers["x-amz-object-lock-mode"] = put["ObjectLockMode"] = "GOVERNANCE"
        headers["x-amz-object-lock-retain-until-date"] = UNTIL
        put["ObjectLockRetainUntilDate"] = datetime.fromisoformat(UNTIL)
    at = gmtime(case.moment.replace(tzinfo=UTC).timestamp())
    with mock.patch.object(aws_signing, "gmtime", return_value=at):
        bucket.put_object(case.key, case.body, digest, headers, new=case.new)
        bucket.head_object(case.key)
        bucket.head_bucket()
    made = client(case.who, case.region, case.url)
    head = {"Bucket": case.name, "Key": case.key, "ChecksumMode": "ENABLED"}
    expected = [
        botocores(made, "put_object", put, case.moment),
        botocores(made, "head_object", head, case.moment),
        botocores(made, "head_bucket", {"Bucket": case.name}, case.moment),
    ]
    assert [_comparable(*shown) for shown in wire.shown] == [
        _comparable(*shown) for shown in expected
    ]


def _comparable(method: str, url: str, headers: dict[str, str], body: bytes) -> Any:
    kept = {name: value for name, value in headers.items() if name not in NOT_OURS | {"host"}}
    if method == "HEAD":
        assert kept.pop("content-length", "0") == "0"
    return method, url, kept, body
