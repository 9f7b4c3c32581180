"""The whole Lambda entry of search: Kinesis events in; documents and parked records out."""

from __future__ import annotations

import base64
import importlib
import json
from collections.abc import Iterator
from typing import Any

import pytest

from consumers.search import sink
from consumers.search.connection import Connection
from consumers.search.setup import ensure_index
from infra.local.servers import Given, LocalServers
from shared import clients
from shared.settings import variable_of
from tests.support.records import (
    Raw,
    event,
    heartbeat,
    kinesis_entry,
    kinesis_record,
    order,
    stream_record,
)
from tests.support.search import stored, wipe
from tests.support.servers import client, unique


@pytest.fixture(scope="module")
def servers() -> Iterator[LocalServers]:
    with LocalServers(given=Given(cache="redis://127.0.0.1:1/0")) as started:
        yield started


@pytest.fixture
def queue(servers: LocalServers) -> str:
    sqs = client(servers.endpoints, "sqs")
    return str(sqs.create_queue(QueueName=unique("search-dlq"))["QueueUrl"])


@pytest.fixture
def url(servers: LocalServers) -> str:
    url = servers.endpoints.search_url
    wipe(url)
    ensure_index(url)
    return url


@pytest.fixture
def handler(
    monkeypatch: pytest.MonkeyPatch, servers: LocalServers, queue: str, url: str
) -> Iterator[Any]:
    """The handler of a process that has just started."""
    for name, value in servers.endpoints.environment().items():
        monkeypatch.setenv(name, value)
    settings = {"dlq_url": queue, "archive_bucket": "unused", "search_url": url}
    for setting, value in settings.items():
        monkeypatch.setenv(variable_of(setting), value)
    caches = (clients.aws_client, clients._session)
    for cached in caches:
        cached.cache_clear()
    opened: list[Connection] = []

    def open_connection(*arguments: Any) -> Connection:
        opened.append(Connection(*arguments))
        return opened[-1]

    # The real one, noted so that it can be closed: a function's ends with its process.
    monkeypatch.setattr(sink, "Connection", open_connection)
    from consumers.search import handler as module

    yield importlib.reload(module).handler
    for connection in opened:
        connection.close()
    for cached in caches:
        cached.cache_clear()


def parked(servers: LocalServers, queue: str) -> list[dict[str, Any]]:
    sqs = client(servers.endpoints, "sqs")
    found: list[dict[str, Any]] = []
    while True:
        answer = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)
        if not answer.get("Messages"):
            return sorted(found, key=lambda document: document["sequenceNumber"])
        found += [json.loads(message["Body"]) for message in answer["Messages"]]


def report(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    (found,) = [line for line in lines if "_aws" in line]
    return found


def test_a_batch_of_all_sorts(
    handler: Any,
    servers: LocalServers,
    queue: str,
    url: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Each bad record ends whole in the queue, with what to do; every good one is indexed."""
    good = [order("o-1"), order("o-1", version=2, status="VALIDATED"), order("o-2")]
    text_amount = order("o-3", totalAmount="328.90")
    long_term = order("o-4", customerId="x" * 40_000)
    no_date = order("o-5", createdAt="yesterday")
    keyless = kinesis_record(None, order("o-6"), sequence=7)
    change = json.loads(base64.b64decode(keyless["kinesis"]["data"]))
    del change["dynamodb"]["Keys"]["PK"]
    records = [
        kinesis_record(None, good[0], sequence=1),
        kinesis_record(None, text_amount, sequence=2),
        kinesis_record(good[0], good[1], sequence=3),
        kinesis_record(None, long_term, sequence=4),
        kinesis_record(None, no_date, sequence=5),
        kinesis_entry(b"\xff no text", sequence=6),
        kinesis_entry(json.dumps(change).encode(), sequence=7),
        kinesis_record(None, heartbeat(), sequence=8),
        kinesis_record(good[2], None, sequence=9),
        kinesis_record(None, good[0], sequence=10),  # a repeat
    ]
    assert handler(event(*records), None) == {"batchItemFailures": []}

    documents = stored(url)
    assert {name: version for name, (version, _) in documents.items()} == {"o-1": 2, "o-2": 2}
    assert documents["o-1"][1]["status"] == "VALIDATED"
    assert documents["o-2"][1]["deleted"] is True

    letters = parked(servers, queue)
    assert [letter["record"] for letter in letters] == [records[i] for i in (1, 3, 4, 5, 6)]
    reasons = [letter["error"]["reason"] for letter in letters]
    assert reasons[0] == "totalAmount is no number (N)"
    assert reasons[1].startswith("customerId is longer than the 32,766 bytes")
    assert reasons[2].endswith("mapper_parsing_exception in createdAt")
    assert "UTF-8" in reasons[3]
    assert "PK" in reasons[4]
    assert all(letter["error"]["hint"] for letter in letters)

    told = report(capsys)
    assert (told["Records"], told["Parked"], told["Retried"]) == (10, 5, 0)
    assert told["Freshness"] >= 0


def test_half_a_surrogate_pair_from_a_stream_is_parked(
    handler: Any, servers: LocalServers, queue: str, url: str
) -> None:
    broken = stream_record(None, order("o-1", customer={"name": "Ada \ud83d"}), sequence=1)
    batch = event(broken, stream_record(None, order("o-2"), sequence=2))
    assert handler(batch, None) == {"batchItemFailures": []}
    assert set(stored(url)) == {"o-2"}
    (letter,) = parked(servers, queue)
    assert letter["record"] == broken
    assert letter["error"]["reason"].startswith("name: holds half a surrogate pair")


def test_a_redelivery_counts_conflicts(
    handler: Any, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    batch = [kinesis_record(None, order(f"o-{i}"), sequence=i) for i in range(3)]
    for conflicts in (0, 3):
        assert handler(event(*batch), None) == {"batchItemFailures": []}
        assert report(capsys)["Conflicts"] == conflicts


def failed_at(record: Raw) -> dict[str, Any]:
    return {"batchItemFailures": [{"itemIdentifier": record["kinesis"]["sequenceNumber"]}]}


def test_an_index_that_is_gone_delays_and_drops_nothing(
    handler: Any, servers: LocalServers, queue: str, url: str
) -> None:
    poison = kinesis_record(None, order("o-0", totalAmount="much"), sequence=1)
    batch = [poison, *(kinesis_record(None, order(f"o-{i}"), sequence=i) for i in (2, 3))]
    wipe(url)
    assert handler(event(*batch), None) == failed_at(batch[1])
    ensure_index(url)
    assert handler(event(*batch[1:]), None) == {"batchItemFailures": []}
    assert set(stored(url)) == {"o-2", "o-3"}
    assert [letter["record"] for letter in parked(servers, queue)] == [poison]


def test_heartbeats_alone_ask_whether_a_write_would_work(
    handler: Any, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    beat = kinesis_record(None, heartbeat(), sequence=1)
    assert handler(event(beat), None) == {"batchItemFailures": []}
    assert "Freshness" in report(capsys)
    wipe(url)
    assert handler(event(beat), None) == failed_at(beat)
    assert "Freshness" not in report(capsys)


def test_a_server_that_stops_and_starts_is_caught_up_with(
    handler: Any, servers: LocalServers, url: str
) -> None:
    batch = [kinesis_record(None, order(f"o-{i}"), sequence=i) for i in range(3)]
    assert handler(event(*batch), None) == {"batchItemFailures": []}
    servers["search"].stop()
    try:
        assert handler(event(*batch), None) == failed_at(batch[0])
    finally:
        servers["search"].start()
    ensure_index(url)
    assert handler(event(*batch), None) == {"batchItemFailures": []}
    assert set(stored(url)) == {"o-0", "o-1", "o-2"}
