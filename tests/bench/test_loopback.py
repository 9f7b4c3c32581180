"""The loopback servers: they answer as real ones, count, keep if asked, and never outlive us."""

from __future__ import annotations

import http.client
import os
import re
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import orjson
import pytest

from bench.loopback import Loopback
from consumers.search import answers, bulk

SECONDS = 20


@pytest.fixture
def loopback() -> Iterator[Loopback]:
    with Loopback() as running:
        yield running


def ask(loopback: Loopback, method: str, path: str, body: bytes = b"", **headers: str) -> tuple:
    where = urlsplit(loopback.http_url).netloc
    connection = http.client.HTTPConnection(where, timeout=SECONDS)
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def command(*parts: bytes) -> bytes:
    return b"*%d\r\n" % len(parts) + b"".join(
        b"$%d\r\n%b\r\n" % (len(part), part) for part in parts
    )


@pytest.fixture
def cache(loopback: Loopback) -> Iterator[socket.socket]:
    port = urlsplit(loopback.cache_url).port
    assert port is not None
    with socket.create_connection(("127.0.0.1", port), SECONDS) as connection:
        yield connection


def answer_of(connection: socket.socket, count: int) -> bytes:
    received = b""
    while received.count(b"\r\n") < count:
        received += connection.recv(4096)
    return received


def test_writes_are_counted_and_kept_only_when_asked(loopback: Loopback) -> None:
    assert ask(loopback, "PUT", "/bucket/key", b"12345")[0] == 200
    sent = loopback.take(keep=True)
    assert (sent.calls, sent.size, sent.bodies) == (1, 5, [])
    ask(loopback, "PUT", "/bucket/key", b"678")
    ask(loopback, "HEAD", "/bucket")
    assert loopback.take().bodies == [b"678"]
    assert loopback.take().calls == 0


def test_a_bulk_answer_has_an_item_for_each_document(loopback: Loopback) -> None:
    body = b'{"index":{"_id":"a"}}\n{"x":"{\\"index\\""}\n{"index":{"_index":"i","_id":"b"}}\n{}\n'
    status, answer = ask(loopback, "POST", "/orders-write/_bulk", body)
    items = orjson.loads(answer)["items"]
    assert status == 200
    assert [item["index"]["_id"] for item in items] == ["a", "b"]
    _, answer = ask(loopback, "POST", bulk.PATH, body)
    assert orjson.loads(answer) == {
        "errors": False,
        "items": [{"index": {"status": 201}}, {"index": {"status": 201}}],
    }
    assert answers.read_bulk(answer, (0, 1)) == answers.Outcome()


def test_a_transaction_is_answered_with_nothing(loopback: Loopback) -> None:
    target = {"X-Amz-Target": "DynamoDB_20120810.TransactWriteItems"}
    assert ask(loopback, "POST", "/", b"{}", **target) == (200, b"{}")
    assert loopback.take().calls == 1


def test_what_it_does_not_serve_it_refuses(loopback: Loopback) -> None:
    assert ask(loopback, "DELETE", "/bucket/key")[0] == 404
    assert loopback.take().calls == 0


def test_unlink_is_answered_with_the_number_of_keys(
    loopback: Loopback, cache: socket.socket
) -> None:
    loopback.take(keep=True)
    cache.sendall(command(b"UNLINK", b"a", b"b") + command(b"PING") + command(b"unlink", b"c"))
    assert answer_of(cache, 3) == b":2\r\n+PONG\r\n:1\r\n"
    assert loopback.take().bodies == [command(b"UNLINK", b"a", b"b"), command(b"unlink", b"c")]


def test_a_command_in_pieces_is_one_command(loopback: Loopback, cache: socket.socket) -> None:
    loopback.take(keep=True)
    whole = command(b"UNLINK", b"key-one", b"key-two")
    for place in range(0, len(whole), 5):
        cache.sendall(whole[place : place + 5])
        time.sleep(0.001)
    assert answer_of(cache, 1) == b":2\r\n"
    assert loopback.take().bodies == [whole]


def test_an_unknown_command_is_an_error(cache: socket.socket) -> None:
    cache.sendall(command(b"FLUSHALL"))
    assert answer_of(cache, 1).startswith(b"-ERR")


def test_the_servers_end_with_their_parent_even_on_kill() -> None:
    code = (
        "import time; from bench.loopback import Loopback; l = Loopback();"
        "print(l._child.pid, flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    with parent.stdout:
        child = int(re.findall(r"\d+", parent.stdout.readline())[0])
    watch = os.pidfd_open(child)
    try:
        parent.send_signal(signal.SIGKILL)
        parent.wait(SECONDS)
        assert select.select([watch], [], [], SECONDS)[0], "the servers live on"
    finally:
        os.close(watch)
