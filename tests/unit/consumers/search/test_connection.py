"""The HTTP connection, against a server that misbehaves as told."""

from __future__ import annotations

import base64
import hashlib
import hmac
import socket
from collections.abc import Mapping
from contextlib import closing
from typing import Any

import pytest

from consumers.search.connection import Answer, Connection
from consumers.search.signing import sigv4_signer
from shared.errors import InvalidSettings, Unavailable
from tests.support.scripted_http import Reply, Request, scripted


def once(url: str, path: str = "/", **more: Any) -> Answer:
    """One POST over a connection of its own."""
    with closing(Connection(url)) as connection:
        return connection.request("POST", path, b"{}", seconds=20, **more)


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_requests_share_one_connection() -> None:
    with scripted(lambda request: Reply(body=request.body)) as server:
        connection = Connection(server.url)
        for number in range(3):
            body = b"%d" % number
            assert connection.request("POST", "/x?y=1", body, seconds=20) == (200, body)
        connection.close()
    assert [(r.method, r.path, r.connection) for r in server.requests] == [
        ("POST", "/x?y=1", 1)
    ] * 3
    assert server.requests[0].headers["Content-Type"] == "application/json"


def test_any_status_is_an_answer() -> None:
    with scripted(lambda _: Reply(503, b"busy")) as server:
        assert once(server.url) == (503, b"busy")


def test_a_kept_connection_that_the_server_closed_is_opened_again() -> None:
    with scripted(lambda request: Reply(hang_up_after=True)) as server:
        connection = Connection(server.url)
        for _ in range(3):
            assert connection.request("POST", "/", b"{}", seconds=20).status == 200
        connection.close()
    assert [request.connection for request in server.requests] == [1, 2, 3]


def test_a_request_lost_with_its_kept_connection_is_sent_again_once() -> None:
    replies = iter([Reply(), Reply(hang_up=True), Reply(body=b"again")])
    with scripted(lambda _: next(replies)) as server:
        connection = Connection(server.url)
        connection.request("GET", "/", seconds=20)
        assert connection.request("POST", "/", b"{}", seconds=20).body == b"again"
        connection.close()
    assert [request.connection for request in server.requests] == [1, 1, 2]


def test_one_that_must_not_be_repeated_is_not() -> None:
    replies = iter([Reply(), Reply(hang_up=True), Reply(body=b"again")])
    with scripted(lambda _: next(replies)) as server:
        connection = Connection(server.url)
        connection.request("GET", "/", seconds=20)
        with pytest.raises(Unavailable):
            connection.request("POST", "/", b"{}", seconds=20, repeatable=False)
    assert len(server.requests) == 2


def test_a_server_that_hangs_up_on_a_new_connection_is_unavailable() -> None:
    with scripted(lambda _: Reply(hang_up=True)) as server:
        with pytest.raises(Unavailable, match="did not answer: RemoteDisconnected") as raised:
            once(server.url)
        assert raised.value.hint
        assert len(server.requests) == 1


def test_a_server_that_stalls_is_unavailable_and_not_asked_twice() -> None:
    replies = iter([Reply(), Reply(stall=True), Reply(stall=True)])
    with scripted(lambda _: next(replies)) as server:
        connection = Connection(server.url)
        connection.request("GET", "/", seconds=20)
        with pytest.raises(Unavailable, match="TimeoutError"):
            connection.request("POST", "/", b"{}", seconds=0.2)
        assert len(server.requests) == 2


def test_after_a_failure_the_next_request_starts_afresh() -> None:
    replies = iter([Reply(stall=True), Reply(body=b"well")])
    with scripted(lambda _: next(replies)) as server:
        connection = Connection(server.url)
        with pytest.raises(Unavailable):
            connection.request("POST", "/", b"{}", seconds=0.2)
        assert connection.request("POST", "/", b"{}", seconds=20).body == b"well"
        connection.close()
    assert [request.connection for request in server.requests] == [1, 2]


def test_nobody_there_is_unavailable() -> None:
    with pytest.raises(Unavailable, match="ConnectionRefusedError"):
        once(f"http://127.0.0.1:{closed_port()}")


def test_plain_http_to_a_tls_client_is_unavailable() -> None:
    with scripted(lambda _: Reply()) as server, pytest.raises(Unavailable, match="SSLError"):
        once(server.url.replace("http:", "https:"))


def test_a_path_before_ours_is_kept() -> None:
    with scripted(lambda _: Reply()) as server:
        once(f"{server.url}/search/", "/orders")
    assert server.requests[0].path == "/search/orders"


def test_user_and_password_travel_in_the_header_alone() -> None:
    with scripted(lambda _: Reply()) as server:
        url = server.url.replace("//", "//support:p%40ss@")
        once(url)
        (request,) = server.requests
    assert base64.b64decode(request.headers["Authorization"].split()[1]) == b"support:p@ss"
    assert "support" not in request.path + request.headers["Host"]


@pytest.mark.parametrize(
    "url", ["redis://secret", "http://", "http://secret:port", "http://secret/?q=1", "secret", ""]
)
def test_a_url_that_is_none_is_refused_without_being_quoted(url: str) -> None:
    with pytest.raises(InvalidSettings, match="FANOUT_SEARCH_URL") as raised:
        Connection(url)
    assert "secret" not in str(raised.value)


def aws_signature(request: Request, secret: str, region: str) -> str:
    """Signature Version 4 by AWS's description ("Create a signed AWS API request")."""
    given = request.headers["Authorization"]
    signed = given.partition("SignedHeaders=")[2].partition(",")[0]
    headers = {name.lower(): value for name, value in request.headers.items()}
    path, _, query = request.path.partition("?")
    canonical = "\n".join(
        [
            request.method,
            path,
            "&".join(sorted(query.split("&"))) if query else "",
            *(f"{name}:{headers[name].strip()}" for name in signed.split(";")),
            "",
            signed,
            hashlib.sha256(request.body).hexdigest(),
        ]
    )
    stamp = headers["x-amz-date"]
    scope = f"{stamp[:8]}/{region}/es/aws4_request"
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{digest}"
    return hmac.digest(key, text.encode(), "sha256").hex()


@pytest.fixture
def role(monkeypatch: pytest.MonkeyPatch) -> Mapping[str, str]:
    values = {
        "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
        "AWS_SESSION_TOKEN": "token",
        "AWS_REGION": "eu-west-1",
    }
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    return values


def test_requests_are_signed_for_the_domain(role: Mapping[str, str]) -> None:
    with scripted(lambda _: Reply()) as server:
        connection = Connection(server.url, sigv4_signer())
        connection.request(
            "POST", "/a/_bulk?z=1&filter_path=b%2Cc.%2A", b'{"\xc3\xa9":1}', seconds=20
        )
        connection.close()
    (request,) = server.requests
    given = request.headers["Authorization"]
    expected = aws_signature(request, role["AWS_SECRET_ACCESS_KEY"], role["AWS_REGION"])
    assert given.startswith("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/")
    assert given.endswith(f"Signature={expected}")
    assert "content-type;host;x-amz-date;x-amz-security-token" in given
    assert request.headers["Content-Type"] == "application/json"


def test_signing_without_credentials_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    with pytest.raises(InvalidSettings, match="FANOUT_SEARCH_SIGV4"):
        sigv4_signer()
