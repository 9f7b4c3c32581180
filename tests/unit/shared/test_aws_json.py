"""Where AWS's JSON services are looked for."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from shared.aws_json import JsonService

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
