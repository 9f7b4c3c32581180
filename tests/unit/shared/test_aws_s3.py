"""A bucket of S3: where it is looked for, and what becomes of every answer, and of none."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from hashlib import sha256

import pytest

from shared import aws_s3
from shared.aws_s3 import Bucket, Refused
from shared.errors import InvalidSettings
from tests.support.scripted_http import Reply, Request, Script, scripted

BODY = b"some bytes"
DIGEST = sha256(BODY).digest()


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.setattr(aws_s3, "_PAUSE_SECONDS", 0.0)


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Bucket]:
    def at(url: str) -> Bucket:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", url)
        return Bucket("bucket")

    return at


Opened = Callable[[str], Bucket]


def put(bucket: Bucket, *, new: bool = True) -> None:
    bucket.put_object("a/b", BODY, DIGEST, {"content-type": "text/plain"}, new=new)


def error(code: str) -> bytes:
    return f"<?xml version='1.0'?>\n<Error><Code>{code}</Code><Key>x</Key></Error>".encode()


@pytest.mark.parametrize(
    ("bucket", "authority", "path"),
    [
        ("bucket", "bucket.s3.eu-west-1.amazonaws.com", ""),
        # No certificate of S3's fits a name with a dot; the others are no part of a host's name.
        ("b.ucket", "s3.eu-west-1.amazonaws.com", "/b.ucket"),
        ("Bucket", "s3.eu-west-1.amazonaws.com", "/Bucket"),
        ("buc_ket", "s3.eu-west-1.amazonaws.com", "/buc_ket"),
        ("b" * 64, "s3.eu-west-1.amazonaws.com", "/" + "b" * 64),
    ],
)
def test_where_aws_has_a_bucket(bucket: str, authority: str, path: str) -> None:
    found = Bucket(bucket)
    assert (found._signer._authority, found._path) == (authority, path)
    assert found._connections._endpoint.authority == authority


@pytest.mark.parametrize(
    ("host", "is_aws"),
    [
        ("s3.eu-west-1.amazonaws.com", True),
        ("s3-fips.dualstack.us-gov-west-1.amazonaws.com", True),
        ("s3.cn-north-1.amazonaws.com.cn", True),
        ("s3.example.com", False),
        ("s3.eu-west-1.amazonaws.com.example.com", False),
        ("bucket.vpce-1-2.s3.eu-west-1.vpce.amazonaws.com", False),
    ],
)
def test_only_at_aws_a_bucket_has_a_host_of_its_own(
    host: str, is_aws: bool, opened: Opened
) -> None:
    found = opened(f"https://{host}")
    expected = (f"bucket.{host}", "") if is_aws else (host, "/bucket")
    assert (found._signer._authority, found._path) == expected


@pytest.mark.parametrize("name", ["", "a/b", "s3://bucket", "b?c", "b\r\nx: y", "é", "x" * 256])
def test_what_is_no_buckets_name_is_refused(name: str) -> None:
    with pytest.raises(InvalidSettings, match="no bucket's name"):
        Bucket(name)


def test_an_object_is_put_with_one_request(opened: Opened) -> None:
    with scripted(lambda _: Reply()) as server:
        bucket = opened(server.url)
        put(bucket)
        put(bucket, new=False)
    new, over = server.requests
    assert (new.method, new.path, new.body) == ("PUT", "/bucket/a/b", BODY)
    assert new.headers["if-none-match"] == "*"
    assert "if-none-match" not in over.headers
    assert {new.connection, over.connection} == {1}


def test_what_s3_keeps_of_an_object(opened: Opened) -> None:
    replies = iter([Reply(headers=(("x-amz-checksum-sha256", "abc="),)), Reply()])
    with scripted(lambda _: next(replies)) as server:
        bucket = opened(server.url)
        assert bucket.head_object("a/b") == b"abc="
        assert bucket.head_object("a/b") is None
    assert {request.headers["x-amz-checksum-mode"] for request in server.requests} == {"ENABLED"}


def again(replies: list[Reply], call: Callable[[Bucket], object], opened: Opened) -> Script:
    """Make a call of a server that gives these answers, all of which are fetched."""
    left = iter(replies)
    with scripted(lambda _: next(left)) as server:
        call(opened(server.url))
    assert len(server.requests) == len(replies)
    return server


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (500, "InternalError"),
        (502, ""),
        (503, "SlowDown"),
        (429, "TooManyRequestsException"),
        (400, "RequestTimeout"),
        (400, "SlowDown"),
        (409, "ConditionalRequestConflict"),
    ],
)
def test_what_may_pass_is_asked_again_once(status: int, code: str, opened: Opened) -> None:
    passing = Reply(status, error(code) if code else b"")
    again([passing, Reply()], put, opened)
    with pytest.raises(Refused) as caught:
        again([passing, passing], put, opened)
    assert caught.value.code == (code or str(status))


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (412, error("PreconditionFailed"), "PreconditionFailed"),
        (404, error("NoSuchBucket"), "NoSuchBucket"),
        (403, error("AccessDenied"), "AccessDenied"),
        (403, error("RequestTimeTooSkewed"), "RequestTimeTooSkewed"),
        (400, b"", "400"),
        (400, b"<html>a proxy</html>", "400"),
        (400, error("no\ncode of S3's, but <a long tale"), "400"),
        (400, error("x" * 1_000_000), "400"),
    ],
)
def test_what_s3_refuses_is_asked_once(status: int, body: bytes, code: str, opened: Opened) -> None:
    with pytest.raises(Refused) as caught:
        again([Reply(status, body)], put, opened)
    assert (caught.value.code, caught.value.region) == (code, "")


@pytest.mark.parametrize("status", [301, 307, 400, 403])
@pytest.mark.parametrize("call", [put, Bucket.head_bucket])
def test_a_bucket_elsewhere_says_where(
    status: int, call: Callable[[Bucket], object], opened: Opened
) -> None:
    there = (("x-amz-bucket-region", "ap-south-1"), ("Location", "http://127.0.0.1:1/"))
    with pytest.raises(Refused) as caught:
        again([Reply(status, error("Moved"), headers=there)], call, opened)
    assert caught.value.region == "ap-south-1"
    assert caught.value.code in {"Moved", str(status)}


def test_a_bucket_that_is_here_is_not_elsewhere(opened: Opened) -> None:
    here = (("x-amz-bucket-region", "eu-west-1"),)
    with pytest.raises(Refused) as caught:
        again([Reply(403, error("AccessDenied"), headers=here)], put, opened)
    assert caught.value.region == ""


def test_a_dropped_connection_is_made_anew_once(opened: Opened) -> None:
    server = again([Reply(hang_up=True), Reply()], put, opened)
    assert [request.connection for request in server.requests] == [1, 2]
    assert server.requests[0].body == server.requests[1].body == BODY
    with pytest.raises(OSError):  # noqa: PT011 - any of them
        again([Reply(hang_up=True), Reply(hang_up=True)], put, opened)


def test_a_connection_that_was_dropped_while_idle_costs_nothing(opened: Opened) -> None:
    with scripted(lambda _: Reply(hang_up_after=True)) as server:
        bucket = opened(server.url)
        for _ in range(3):
            put(bucket)
            idle = bucket._connections._idle[0][0]
            idle.settimeout(30)
            assert idle.recv(1, socket.MSG_PEEK) == b""
    assert [request.connection for request in server.requests] == [1, 2, 3]


def test_no_answer_ends_in_time(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aws_s3, "READ_SECONDS", 0.1)
    with pytest.raises(TimeoutError):
        again([Reply(stall=True), Reply(stall=True)], put, opened)


@pytest.fixture
def cutting() -> Iterator[tuple[str, list[int]]]:
    """A server that hangs up amid a request, and after that amid its answer."""
    listener = socket.create_server(("127.0.0.1", 0))
    taken: list[int] = []

    def serve() -> None:
        for answer in (b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n<half"):
            connection, _ = listener.accept()
            with connection:
                taken.append(len(connection.recv(1 << 16)))
                connection.sendall(answer)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}", taken
    listener.close()
    thread.join(30)


def test_half_an_exchange_is_no_answer(cutting: tuple[str, list[int]], opened: Opened) -> None:
    url, taken = cutting
    body = b"x" * 20_000_000
    with pytest.raises(OSError):  # noqa: PT011 - which one, the kernels' timing decides
        opened(url).put_object("key", body, sha256(body).digest(), {}, new=True)
    assert len(taken) == 2
    assert max(taken) < len(body)


def test_each_attempt_is_signed_by_the_credentials_of_its_moment(opened: Opened) -> None:
    seen: list[str] = []

    def answer(request: Request) -> Reply:
        seen.append(request.headers["authorization"])
        return Reply(503 if len(seen) == 1 else 200)

    with scripted(answer) as server:
        bucket = opened(server.url)
        issued = iter(["first", "second"])
        first = bucket._signer._credentials()
        bucket._signer._credentials = lambda: first._replace(access_key=next(issued))
        put(bucket)
    assert ["Credential=first/" in seen[0], "Credential=second/" in seen[1]] == [True, True]
