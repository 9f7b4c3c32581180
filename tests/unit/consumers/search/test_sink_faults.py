"""The sink when the server fails as a real one cannot be made to: which records are redelivered."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from itertools import chain
from typing import Any

import orjson
import pytest

from consumers.search import bulk
from consumers.search.connection import Connection
from consumers.search.projection import Operation
from consumers.search.sink import MOST_SECONDS, SearchSink, open_sink
from shared.clock import Deadline
from shared.errors import DeadlineNear, InvalidSettings, Unavailable
from shared.runtime import WriteResult
from shared.settings import Settings
from tests.support.scripted_http import Reply, Request, Script, scripted

WRITTEN = {"status": 201}
BUSY = {"status": 429, "error": {"type": "opensearch_rejected_execution_exception", "reason": ""}}
BAD = {"status": 400, "error": {"type": "mapper_parsing_exception", "reason": ""}}


def operation(name: str, version: int = 1) -> Operation:
    return Operation(name, version, True, orjson.dumps({"v": version}))


def sent_ids(request: Request) -> list[tuple[str, int]]:
    lines = [orjson.loads(line) for line in request.body.splitlines()[::2]]
    return [(line["index"]["_id"], line["index"]["version"]) for line in lines]


def itemwise(item: Callable[[str, int], Any]) -> Callable[[Request], Reply]:
    """Answers each operation of a bulk request on its own."""

    def answer(request: Request) -> Reply:
        items = [{"index": item(*sent)} for sent in sent_ids(request)]
        errors = any("error" in entry["index"] for entry in items)
        return Reply(body=orjson.dumps({"errors": errors, "items": items}))

    return answer


def run(
    answer: Callable[[Request], Reply], *operations: Operation, seconds: float = 60
) -> tuple[WriteResult, Script]:
    with scripted(answer) as server, sink_on(server.url) as sink:
        return sink.write(operations, Deadline(seconds)), server


@contextmanager
def sink_on(url: str) -> Iterator[SearchSink]:
    with closing(Connection(url)) as connection:
        yield SearchSink(connection)


def small_chunks(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    monkeypatch.setattr(bulk, "MAX_OPERATIONS", number)


def test_nothing_to_write_asks_nothing() -> None:
    result, server = run(itemwise(lambda *_: WRITTEN))
    assert (result, server.requests) == (WriteResult(), [])


def test_a_batch_is_one_request_and_one_operation_a_document() -> None:
    operations = [operation(name, version) for version in (1, 3, 2) for name in "abc"]
    result, server = run(itemwise(lambda *_: WRITTEN), *operations)
    assert result == WriteResult()
    (request,) = server.requests
    assert sent_ids(request) == [("a", 3), ("b", 3), ("c", 3)]
    assert request.path.startswith("/orders-write/_bulk?require_alias=true&")
    assert request.headers["Content-Type"] == "application/x-ndjson"


@pytest.mark.parametrize("status", [429, 503])
def test_the_first_busy_item_is_where_redelivery_starts(status: int) -> None:
    busy = {**BUSY, "status": status}
    operations = [operation(name) for name in "abcde"]
    result, _ = run(itemwise(lambda name, _: busy if name in "ce" else WRITTEN), *operations)
    assert list(result.unavailable) == [2]
    assert str(status) in result.unavailable[2].reason
    assert not result.rejected


@pytest.mark.parametrize("reply", [Reply(429), Reply(503), Reply(404), Reply(hang_up=True)])
def test_a_failing_request_stops_the_batch_there(
    reply: Reply, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_chunks(monkeypatch, 2)
    written = itemwise(lambda *_: WRITTEN)
    operations = [operation(name) for name in "abcdef"]
    # A lost connection is tried once more; the server answers the same.
    result, server = run(
        lambda request: reply if sent_ids(request)[0][0] == "c" else written(request), *operations
    )
    assert list(result.unavailable) == [2]
    assert isinstance(result.unavailable[2], Unavailable)
    assert ("e", 1) not in [sent for request in server.requests for sent in sent_ids(request)]


def test_redelivery_starts_at_a_documents_first_operation() -> None:
    """Its newest may yet be refused, and then the older one must still be there to be written."""
    operations = [operation("x"), operation("a", 1), operation("b"), operation("a", 2)]
    result, _ = run(itemwise(lambda name, _: BUSY if name == "a" else WRITTEN), *operations)
    assert list(result.unavailable) == [1]


def test_if_the_newest_is_refused_the_one_before_is_written() -> None:
    operations = [operation("a", 1), operation("a", 2), operation("b"), operation("a", 3)]
    result, server = run(itemwise(lambda _, version: BAD if version > 1 else WRITTEN), *operations)
    assert sorted(result.rejected) == [1, 3]
    assert not result.unavailable
    assert [sent_ids(request) for request in server.requests] == [
        [("a", 3), ("b", 1)],
        [("a", 2)],
        [("a", 1)],
    ]


def test_an_older_one_that_could_not_be_tried_is_redelivered() -> None:
    answers = {("a", 2): BAD, ("c", 1): BUSY}
    operations = [operation("z"), operation("a", 1), operation("a", 2), operation("c")]
    result, _ = run(itemwise(lambda *sent: answers.get(sent, WRITTEN)), *operations)
    assert list(result.unavailable) == [1]


@pytest.mark.parametrize("bad", range(5))
@pytest.mark.parametrize(
    "refused",
    [
        Reply(413),
        Reply(400, b'{"error":{"type":"action_request_validation_exception"},"status":400}'),
    ],
)
def test_one_document_that_spoils_its_request_is_found(refused: Reply, bad: int) -> None:
    written = itemwise(lambda *_: WRITTEN)
    operations = [operation(str(number)) for number in range(5)]
    result, server = run(
        lambda request: refused if (str(bad), 1) in sent_ids(request) else written(request),
        *operations,
    )
    assert list(result.rejected) == [bad]
    assert not result.unavailable
    accepted = [sent_ids(r) for r in server.requests if (str(bad), 1) not in sent_ids(r)]
    assert sorted(chain.from_iterable(accepted)) == [(str(n), 1) for n in range(5) if n != bad]


def test_a_server_that_refuses_everything_parks_nothing() -> None:
    """Such as a proxy in front of it, or another server at that address."""
    result, server = run(lambda _: Reply(400, b"<html>Bad Request</html>"), operation("a"))
    assert list(result.unavailable) == [0]
    assert not result.rejected
    assert len(server.requests) == 1


def test_no_request_is_begun_without_time() -> None:
    result, server = run(itemwise(lambda *_: WRITTEN), operation("a"), operation("b"), seconds=1)
    assert isinstance(result.unavailable[0], DeadlineNear)
    assert server.requests == []


def test_time_that_runs_out_leaves_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    small_chunks(monkeypatch, 1)
    deadline = Deadline(60)
    written = itemwise(lambda *_: WRITTEN)

    def slow(request: Request) -> Reply:
        deadline._end = time.monotonic() + 1
        return written(request)

    with scripted(slow) as server, sink_on(server.url) as sink:
        result = sink.write([operation("a"), operation("b"), operation("c")], deadline)
    assert list(result.unavailable) == [1]
    assert isinstance(result.unavailable[1], DeadlineNear)
    assert len(server.requests) == 1


def test_a_server_that_stalls_is_left_within_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("consumers.search.sink.LEAST_SECONDS", 0.1)
    result, _ = run(lambda _: Reply(stall=True), operation("a"), seconds=0.5)
    assert "TimeoutError" in result.unavailable[0].reason


def test_a_server_that_stalls_holds_a_batch_no_longer_than_ten_seconds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """However much time is left. The ten seconds are shortened here, the rest is as it runs."""
    assert MOST_SECONDS == 10
    monkeypatch.setattr("consumers.search.sink.MOST_SECONDS", 0.3)
    began = time.monotonic()
    result, server = run(lambda _: Reply(stall=True), operation("a"), operation("b"))
    assert time.monotonic() - began < 30
    assert "TimeoutError" in result.unavailable[0].reason
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "reply",
    [
        Reply(503),
        Reply(hang_up=True),
        Reply(body=orjson.dumps({"errors": True, "items": [{"index": BUSY}]})),
    ],
)
def test_the_probe_fails_as_a_write_would(reply: Reply) -> None:
    with scripted(lambda _: reply) as server, sink_on(server.url) as sink:
        with pytest.raises(Unavailable):
            sink.probe(Deadline(20))
        with pytest.raises(DeadlineNear):
            sink.probe(Deadline(0.5))


def test_a_sink_is_opened_from_the_settings_without_a_connection() -> None:
    assert isinstance(open_sink(Settings(search_url="http://127.0.0.1:1")), SearchSink)


def test_a_cache_url_is_no_search_url() -> None:
    with pytest.raises(InvalidSettings, match="FANOUT_SEARCH_URL"):
        open_sink(Settings(search_url="redis://127.0.0.1:6379"))


def test_a_signing_sink_needs_a_role(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    with scripted(itemwise(lambda *_: WRITTEN)) as server:
        sink = open_sink(Settings(search_url=server.url, search_sigv4=True))
        assert sink.write([operation("a")], Deadline(60)) == WriteResult()
        sink._connection.close()
    assert "AWS4-HMAC-SHA256" in server.requests[0].headers["Authorization"]
