"""The Runtime API's HTTP: what a client may send in pieces, and what is refused."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from infra.local.lambda_runtime.wire import MAX_BODY_BYTES, Connection, Disconnected, TooLarge


@pytest.fixture
def pair() -> Iterator[tuple[Connection, socket.socket]]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        connection = Connection(listener.accept()[0])
        yield connection, client
        client.close()
        connection.close()


Pair = tuple[Connection, socket.socket]
GET = b"GET /next HTTP/1.1\r\nHost: x\r\nX-Two:  words here \r\n\r\n"


def soon() -> float:
    return time.monotonic() + 20


def test_a_request_in_small_pieces(pair: Pair) -> None:
    connection, client = pair
    whole = b"POST /a/b HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello" + GET

    def send() -> None:
        for at in range(len(whole)):
            client.sendall(whole[at : at + 1])

    thread = threading.Thread(target=send)
    thread.start()
    first, second = connection.read(soon()), connection.read(soon())
    thread.join()
    assert (first.method, first.path, first.body) == ("POST", "/a/b", b"hello")
    assert (second.method, second.path, second.body) == ("GET", "/next", b"")
    assert second.headers["x-two"] == "words here"


def test_a_client_that_asks_before_it_sends_is_told_to(pair: Pair) -> None:
    connection, client = pair
    client.sendall(b"POST /a HTTP/1.1\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
    found: list[bytes] = []

    def go_on() -> None:
        found.append(client.recv(100))
        client.sendall(b"ok")

    thread = threading.Thread(target=go_on)
    thread.start()
    assert connection.read(soon()).body == b"ok"
    thread.join()
    assert found == [b"HTTP/1.1 100 Continue\r\n\r\n"]


def test_an_answer(pair: Pair) -> None:
    connection, client = pair
    connection.answer("202 Accepted", "X-One: 1\r\n", b"{}", soon())
    assert client.recv(1_000) == (
        b"HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\nX-One: 1\r\n\r\n{}"
    )


@pytest.mark.parametrize(
    "sent", [b"", b"GET /n", b"POST /a HTTP/1.1\r\nContent-Length: 9\r\n\r\nab"]
)
def test_a_client_that_goes_away_in_the_middle(pair: Pair, sent: bytes) -> None:
    connection, client = pair
    client.sendall(sent)
    client.close()
    with pytest.raises(Disconnected):
        connection.read(soon())


@pytest.mark.parametrize(
    "sent",
    [
        b"nonsense\r\n\r\n",
        b"POST /a HTTP/1.1\r\nContent-Length: many\r\n\r\n",
        b"POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"GET /" + b"x" * 70_000,
    ],
)
def test_what_is_no_request_is_refused(pair: Pair, sent: bytes) -> None:
    connection, client = pair
    client.sendall(sent)
    with pytest.raises(Disconnected):
        connection.read(soon())


def test_a_body_over_the_limit_is_not_read(pair: Pair) -> None:
    connection, client = pair
    client.sendall(b"POST /a HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % (MAX_BODY_BYTES + 1))
    with pytest.raises(TooLarge):
        connection.read(soon())


def test_nobody_waits_beyond_the_end(pair: Pair) -> None:
    connection, _ = pair
    with pytest.raises(TimeoutError):
        connection.read(time.monotonic() + 0.05)
    with pytest.raises(TimeoutError):
        connection.read(time.monotonic() - 1)
    # A client that takes nothing.
    with pytest.raises(TimeoutError):
        connection.answer("200 OK", "", b"x" * 50_000_000, time.monotonic() + 0.2)
