"""The emulator's HTTP server on a real socket, with the standard library's client."""

from __future__ import annotations

import asyncio
import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from infra.local.lambda_runtime.environment import ROOT
from infra.local.servers.aws.http_server import serve
from infra.local.servers.ports import LOOPBACK, free_port


async def application(scope, receive, send) -> None:
    """Answers by path; `/slow` takes a while."""
    if scope["type"] == "lifespan":
        while True:
            await send({"type": (await receive())["type"] + ".complete"})
    body = b""
    while (part := await receive()).get("more_body"):
        body += part["body"]
    body += part["body"]
    headers = [(b"x-path", scope["raw_path"])]
    if scope["path"] == "/fails":
        raise ValueError("on purpose")
    if scope["path"] == "/slow":
        await asyncio.sleep(0.3)
    status = 204 if scope["path"] == "/none" else 200
    body = b"" if status == 204 else scope["method"].encode() + b" " + body
    if scope["path"] not in {"/none", "/parts"}:
        headers.append((b"content-length", b"%d" % len(body)))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    if scope["path"] == "/parts":
        for part in (b"one ", b"two "):
            await send({"type": "http.response.body", "body": part, "more_body": True})
    await send({"type": "http.response.body", "body": body})


def connect(port: int) -> socket.socket:
    """Connect as soon as somebody listens."""
    end = time.monotonic() + 20
    while True:
        try:
            return socket.create_connection((LOOPBACK, port), timeout=20)
        except OSError:
            assert time.monotonic() < end
            time.sleep(0.02)


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[int, subprocess.Popen]]:
    port = free_port()
    command = [sys.executable, __file__, str(port)]
    process = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(ROOT)})
    connect(port).close()
    yield port, process
    process.kill()
    process.wait()


@pytest.fixture
def client(server) -> Iterator[http.client.HTTPConnection]:
    connection = http.client.HTTPConnection(LOOPBACK, server[0], timeout=20)
    yield connection
    connection.close()


def ask(client, method: str, path: str, body: bytes | None = None, **headers: str):
    client.request(method, path, body, headers)
    answer = client.getresponse()
    return answer, answer.read()


def received(raw: socket.socket) -> bytes:
    """One answer, which may come in parts; its body's end is told by the length."""
    got = b""
    while True:
        part = raw.recv(1000)
        assert part, got
        got += part
        head, end, body = got.partition(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head)
        if end and length is not None and len(body) == int(length[1]):
            return got


def test_many_requests_on_one_connection(client) -> None:
    ask(client, "GET", "/")
    kept = client.sock
    for body in (b"a", b"", b"x" * 3_000_000):
        answer, got = ask(client, "POST", "/a%20b?q", body)
        assert (answer.status, answer.reason, got) == (200, "OK", b"POST " + body)
        assert answer.headers["x-path"] == "/a%20b"
    assert client.sock is kept


def test_a_body_in_parts_is_chunked(client) -> None:
    answer, got = ask(client, "GET", "/parts")
    assert answer.headers["transfer-encoding"] == "chunked"
    assert got == b"one two GET "
    assert ask(client, "GET", "/")[1] == b"GET "


def test_chunks_are_put_together(client) -> None:
    client.request("PUT", "/", iter([b"one ", b"x" * 200_000, b" two"]), encode_chunked=True)
    assert client.getresponse().read() == b"PUT one " + b"x" * 200_000 + b" two"
    assert ask(client, "GET", "/")[1] == b"GET "


def test_no_body_where_none_may_be(client) -> None:
    answer, got = ask(client, "HEAD", "/")
    assert (answer.status, got, answer.headers["content-length"]) == (200, b"", "5")
    answer, got = ask(client, "GET", "/none")
    assert (answer.status, got, answer.headers["content-length"]) == (204, b"", None)
    assert ask(client, "HEAD", "/parts")[1] == b""
    assert ask(client, "GET", "/")[1] == b"GET "


def test_a_failure_is_told_and_the_server_goes_on(client) -> None:
    answer, _ = ask(client, "GET", "/fails")
    assert answer.status == 500
    assert ask(client, "GET", "/")[1] == b"GET "


def test_a_head_that_is_none_is_refused(server) -> None:
    with socket.create_connection((LOOPBACK, server[0]), timeout=20) as raw:
        raw.sendall(b"nonsense\r\n\r\n")
        assert raw.recv(1000).startswith(b"HTTP/1.1 400 Bad Request\r\n")


def test_a_connection_may_be_idle_for_long(client) -> None:
    ask(client, "GET", "/")
    kept = client.sock
    time.sleep(5.5)  # the library's own limit is 5 s
    assert ask(client, "GET", "/")[1] == b"GET "
    assert client.sock is kept


def test_a_client_that_waits_for_the_word_gets_it(server) -> None:
    with socket.create_connection((LOOPBACK, server[0]), timeout=20) as raw:
        raw.sendall(b"PUT / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        assert raw.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        raw.sendall(b"ok")
        assert received(raw).endswith(b"PUT ok")


def test_requests_sent_ahead_are_answered_in_order(server) -> None:
    with socket.create_connection((LOOPBACK, server[0]), timeout=20) as raw:
        raw.sendall(b"GET /slow HTTP/1.1\r\n\r\nPOST / HTTP/1.1\r\nConnection: close\r\n\r\n")
        got = b"".join(iter(lambda: raw.recv(1000), b""))
    assert got.index(b"GET ") < got.index(b"POST ")
    assert got.endswith(b"POST ")


def test_what_is_being_served_is_answered_before_the_end() -> None:
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, __file__, str(port)], env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    try:
        with connect(port) as raw, socket.create_connection((LOOPBACK, port), timeout=20) as idle:
            raw.sendall(b"GET / HTTP/1.1\r\n\r\n")
            assert received(raw).endswith(b"GET ")
            raw.sendall(b"GET /slow HTTP/1.1\r\n\r\n")
            time.sleep(0.05)  # it may be served by now, or not: both end well
            process.send_signal(signal.SIGTERM)
            assert received(raw).endswith(b"GET ")
            assert idle.recv(1000) == b""
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()


if __name__ == "__main__":
    asyncio.run(serve(application, LOOPBACK, int(sys.argv[1])))
