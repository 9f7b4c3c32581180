"""AWS's JSON services: where they are looked for, and what their answers mean."""

from __future__ import annotations

import threading
import zlib
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from unittest import mock

import pytest

from shared.aws_http import Answer
from shared.aws_json import Call, JsonService, ServiceFault
from shared.errors import Unavailable
from tests.support.scripted_http import Reply, scripted

NOWHERE = "http://127.0.0.1:1"


class _Echo(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        body = b'{"asked": "%s"}' % self.headers["X-Amz-Target"].encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def url(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """URL of a service; nothing in the environment leads to it yet."""
    for name in ("AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL_DYNAMODB_STREAMS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ENDPOINT_URL", NOWHERE)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_REGION", "eu-north-1")
    with HTTPServer(("127.0.0.1", 0), _Echo) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("service", "variable"),
    [
        ("dynamodb", "AWS_ENDPOINT_URL_DYNAMODB"),
        ("streams.dynamodb", "AWS_ENDPOINT_URL_DYNAMODB_STREAMS"),
    ],
)
def test_a_services_own_variable_goes_before_the_general_one(
    url: str, service: str, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in AWS's SDKs and Tools Reference Guide, "Service-specific endpoints"."""
    monkeypatch.setenv(variable, url)
    assert JsonService(service).call("Do", {})["asked"].endswith(".Do")


@pytest.mark.parametrize("service", ["dynamodb", "streams.dynamodb"])
def test_the_general_variable_serves_all_others(
    url: str, service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", url)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", NOWHERE)
    assert JsonService(service).call("Do", {})["asked"].endswith(".Do")


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], JsonService]:
    def at(url: str) -> JsonService:
        monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", url)
        monkeypatch.setenv("AWS_REGION", "eu-north-1")
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.setenv(name, "test")
        return JsonService("dynamodb")

    return at


Opened = Callable[[str], JsonService]


@pytest.mark.parametrize(
    ("status", "body", "why"),
    [
        (400, b'{"__type": "x#ThrottlingException"}', "ThrottlingException"),
        (400, b'{"__type": "TransactionInProgressException"}', "TransactionInProgressException"),
        (500, b'{"__type": "x#Never"}', "Never"),
        (503, b"<html>busy</html>", "JSONDecodeError"),
        (200, b"<html>a proxy</html>", "JSONDecodeError"),
        (200, b"[]", "ValueError"),
        (200, b'{"half":', "JSONDecodeError"),
    ],
)
def test_what_may_pass_is_unavailable(service: Opened, status: int, body: bytes, why: str) -> None:
    with scripted(lambda _: Reply(status, body)) as server:
        opened = service(server.url)
        with pytest.raises(Unavailable, match=why):
            opened.call("Do", {})
        assert len(server.requests) == 1


def test_no_answer_is_unavailable(service: Opened) -> None:
    with scripted(lambda _: Reply(stall=True)) as server:
        call = service(server.url).begin("Do", b"{}", 0.2)
        with pytest.raises(Unavailable, match="TimeoutError"):
            call.answer()
    with pytest.raises(Unavailable, match="ConnectionRefusedError"):
        service(server.url).call("Do", {})


def test_what_aws_refuses_is_a_fault_with_its_whole_answer(service: Opened) -> None:
    body = b'{"__type": "com.amazon#AccessDenied", "message": "no", "more": [1]}'
    with scripted(lambda _: Reply(400, body)) as server, pytest.raises(ServiceFault) as caught:
        service(server.url).call("Do", {})
    assert caught.value.code == "AccessDenied"
    assert caught.value.answer["more"] == [1]


def test_half_a_surrogate_is_read(service: Opened) -> None:
    with scripted(lambda _: Reply(body=b'{"S": "\\ud800"}')) as server:
        assert service(server.url).call("Do", {}) == {"S": "\ud800"}


@pytest.mark.parametrize(("checksum", "sound"), [(zlib.crc32(b"{}"), True), (1, False)])
def test_a_checksum_that_does_not_fit_is_an_answer_damaged(checksum: int, sound: bool) -> None:
    exchange = mock.Mock()
    exchange.answer.return_value = Answer(200, {b"x-amz-crc32": b"%d" % checksum}, b"{}")
    if sound:
        assert Call("Do", exchange).answer() == {}
    else:
        with pytest.raises(Unavailable):
            Call("Do", exchange).answer()
