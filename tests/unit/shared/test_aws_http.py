"""Connections that answer in every form, late, in part, or not at all."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from shared import aws_http
from shared.aws_endpoints import Endpoint, read_endpoint
from shared.aws_http import Answer, Connections, Garbled
from tests.support.scripted_http import Reply, scripted

HEAD = b"POST / HTTP/1.1\r\nhost: h\r\ncontent-length: %d\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
TLS = Path(__file__).parents[2] / "data" / "tls"


def ask(connections: Connections, body: bytes = b"{}", seconds: float = 30) -> Answer:
    return connections.send(HEAD % len(body), body, seconds).answer()


@contextmanager
def raw_server(answer: bytes, context: ssl.SSLContext | None = None) -> Iterator[Endpoint]:
    """Takes a connection after another, reads a request, sends `answer` and hangs up."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                taken, _ = listener.accept()
            except OSError:
                return
            with taken:
                try:
                    connection = context.wrap_socket(taken, server_side=True) if context else taken
                    with connection:
                        connection.recv(1 << 16)
                        connection.sendall(answer)
                except OSError:
                    continue

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield Endpoint(context is not None, "127.0.0.1", listener.getsockname()[1])
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(30)


def test_one_connection_serves_call_after_call() -> None:
    with scripted(lambda request: Reply(body=request.body)) as server:
        connections = Connections(read_endpoint(server.url), 2)
        for number in range(5):
            assert ask(connections, b"%d" % number).body == b"%d" % number
        assert {request.connection for request in server.requests} == {1}
        connections.close()
        assert ask(connections).status == 200
        assert server.requests[-1].connection == 2


def test_several_calls_are_under_way_at_a_time() -> None:
    here = threading.Barrier(3)

    def together(request: object) -> Reply:
        here.wait(30)
        return Reply(body=request.body)  # type: ignore[attr-defined]

    with scripted(together) as server:
        connections = Connections(read_endpoint(server.url), 2)
        for _ in range(2):
            sent = [connections.send(HEAD % 1, b"%d" % number, 30) for number in range(3)]
            assert [each.answer().body for each in sent] == [b"0", b"1", b"2"]
        # Two were kept, the third was not.
        assert {request.connection for request in server.requests} == {1, 2, 3, 4}


def test_a_connection_that_was_closed_while_idle_is_not_used() -> None:
    with scripted(lambda _: Reply(body=b"{}", hang_up_after=True)) as server:
        connections = Connections(read_endpoint(server.url), 2)
        assert ask(connections).body == b"{}"
        deadline = time.monotonic() + 30
        while not aws_http._is_readable(connections._idle[0][0]):
            assert time.monotonic() < deadline
        assert ask(connections).body == b"{}"
        assert [request.connection for request in server.requests] == [1, 2]


def test_a_connection_that_was_idle_for_long_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with scripted(lambda _: Reply()) as server:
        connections = Connections(read_endpoint(server.url), 2)
        ask(connections)
        monkeypatch.setattr(aws_http, "_MAX_IDLE_SECONDS", 0.0)
        ask(connections)
        assert [request.connection for request in server.requests] == [1, 2]


@pytest.mark.parametrize("broken", [Reply(hang_up=True), Reply(stall=True)])
def test_after_half_an_exchange_the_next_one_connects_anew(broken: Reply) -> None:
    replies = iter([broken, Reply(body=b"next")])
    with scripted(lambda _: next(replies)) as server:
        connections = Connections(read_endpoint(server.url), 2)
        with pytest.raises(OSError):  # noqa: PT011 - any of them
            ask(connections, seconds=0.2)
        assert ask(connections).body == b"next"
        assert [request.connection for request in server.requests] == [1, 2]


def test_a_dropped_call_leaves_nothing_behind_for_the_next() -> None:
    replies = iter([Reply(body=b"first"), Reply(body=b"second")])
    with scripted(lambda _: next(replies)) as server:
        connections = Connections(read_endpoint(server.url), 2)
        connections.send(HEAD % 2, b"{}", 30).drop()
        deadline = time.monotonic() + 30
        while not server.requests:
            assert time.monotonic() < deadline
        assert ask(connections).body == b"second"


def test_an_answer_that_comes_in_drops_ends_in_time() -> None:
    """Each wait is short, and there is no end of them."""
    begun = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))

    def drip() -> None:
        taken, _ = listener.accept()
        with taken:
            taken.recv(1 << 16)
            begun.set()
            try:
                while True:
                    taken.sendall(b"H")
                    time.sleep(0.02)
            except OSError:
                return

    thread = threading.Thread(target=drip, daemon=True)
    thread.start()
    connections = Connections(Endpoint(False, "127.0.0.1", listener.getsockname()[1]), 1)
    with pytest.raises(TimeoutError):
        ask(connections, seconds=0.3)
    assert begun.is_set()
    thread.join(30)
    listener.close()


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", b"{}"),
        (b"HTTP/1.1 200\r\ncontent-length:2\r\n\r\n{}", b"{}"),
        (b"HTTP/1.0 200 OK\r\n\r\n{}", b"{}"),
        (CHUNKED + b"1\r\n{\r\n1;x=y\r\n}\r\n0\r\n\r\n", b"{}"),
        (CHUNKED + b"2\r\n{}\r\n0\r\nX: y\r\n\r\n", b"{}"),
        (b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", b""),
    ],
)  # fmt: skip
def test_every_form_of_an_answer(answer: bytes, body: bytes) -> None:
    with raw_server(answer) as endpoint:
        found = ask(Connections(endpoint, 1))
    assert (found.status // 100, found.body) == (2, body)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"+PONG\r\n\r\n",
        b"HTTP/1.1 OK\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{}\r\n0\r\n\r\n",
        b"x" * 200_000,
    ],
)
def test_what_is_no_whole_answer_is_an_error(answer: bytes) -> None:
    with raw_server(answer) as endpoint, pytest.raises((Garbled, ConnectionError)):
        ask(Connections(endpoint, 1))


def test_a_head_is_told_of_a_body_and_gets_none() -> None:
    with scripted(lambda _: Reply(404, b"five!")) as server:
        connections = Connections(read_endpoint(server.url), 1)
        for _ in range(2):
            found = connections.send(b"HEAD / HTTP/1.1\r\nhost: h\r\n\r\n", b"", 30).answer()
            assert (found.status, found.body) == (404, b"")
            assert found.headers[b"content-length"] == b"5"
        assert {request.connection for request in server.requests} == {1}


def test_nobody_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(ConnectionRefusedError):
        ask(Connections(Endpoint(False, "127.0.0.1", port), 1))


@pytest.fixture
def tls() -> Callable[[], ssl.SSLContext]:
    def context() -> ssl.SSLContext:
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.load_cert_chain(TLS / "certificate.pem", TLS / "key.pem")
        return made

    return context


def test_certificates_and_host_names_are_checked(
    tls: Callable[[], ssl.SSLContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    with raw_server(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", tls()) as endpoint:
        with pytest.raises(ssl.SSLCertVerificationError, match="self-signed"):
            ask(Connections(endpoint, 1))
        monkeypatch.setenv("AWS_CA_BUNDLE", str(TLS / "certificate.pem"))
        assert ask(Connections(endpoint, 1)).body == b"{}"
        # The certificate is for 127.0.0.1.
        with pytest.raises(ssl.SSLCertVerificationError, match="ostname"):
            ask(Connections(endpoint._replace(host="localhost"), 1))
