"""The whole Lambda entry of totals: events in, totals and parked records out."""

from __future__ import annotations

import importlib
import json
from decimal import Decimal
from typing import Any

import pytest

from infra.local.servers import LocalServers
from shared import clients
from shared.settings import variable_of
from tests.support import totals as support
from tests.support.records import Raw, event, heartbeat, order, score, stream_record
from tests.support.servers import client, unique
from tests.support.totals import Game, Tables
from tests.support.transaction_faults import answering, failure


@pytest.fixture
def tables(monkeypatch: pytest.MonkeyPatch, servers: LocalServers) -> Tables:
    for name, value in servers.endpoints.environment().items():
        monkeypatch.setenv(name, value)
    return support.make_tables(client(servers.endpoints, "dynamodb"))


@pytest.fixture
def sqs(servers: LocalServers) -> Any:
    return client(servers.endpoints, "sqs")


@pytest.fixture
def queue(sqs: Any) -> str:
    return str(sqs.create_queue(QueueName=unique("totals-dlq"))["QueueUrl"])


@pytest.fixture
def handler(monkeypatch: pytest.MonkeyPatch, tables: Tables, queue: str) -> Any:
    """The handler of a process that has just started."""
    for setting, value in {
        "table": tables.table,
        "ledger_table": tables.ledger,
        "dlq_url": queue,
        "archive_bucket": "unused",
    }.items():
        monkeypatch.setenv(variable_of(setting), value)
    caches = (clients.aws_client, clients._session)
    for cached in caches:
        cached.cache_clear()
    from consumers.totals import handler as module

    yield importlib.reload(module).handler
    for cached in caches:
        cached.cache_clear()


def parked(sqs: Any, queue: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while True:
        messages = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
        if not messages:
            return sorted(found, key=lambda document: document["sequenceNumber"])
        found += [json.loads(message["Body"]) for message in messages]


def damaged(raw: Raw, image: str, value: Any) -> Raw:
    raw["dynamodb"][image]["Score"] = value
    return raw


def test_good_records_are_counted_and_poison_is_parked(
    handler: Any, tables: Tables, sqs: Any, queue: str, capsys: pytest.CaptureFixture[str]
) -> None:
    game = Game()
    tables.write([game.put("s-0", "ann", Decimal("0.5"))])
    batch = [
        game.put("s-1", "ann", 5),
        damaged(game.put("s-2", "ann", 6), "NewImage", {"S": "six"}),
        stream_record(None, order(), sequence=4),
        game.put("s-3", "ann", Decimal("1E+100")),
        stream_record(None, heartbeat(), sequence=6),
        {"eventSource": "aws:dynamodb", "dynamodb": {"SequenceNumber": "7"}, "eventName": "?"},
        game.put("s-1", "bob", 7),
        stream_record(None, score("s-9", "\ud800", 1), sequence=9),
    ]
    assert handler(event(*batch), None) == {"batchItemFailures": []}
    assert tables.totals() == {"ann": (Decimal("5.5"), 2), "bob": (7, 1)}
    tables.assert_sound()
    letters = parked(sqs, queue)
    kinds = {json.dumps(letter["record"]): letter["error"]["type"] for letter in letters}
    assert kinds == {
        json.dumps(batch[1]): "Malformed",
        json.dumps(batch[3]): "Rejected",
        json.dumps(batch[5]): "Malformed",
        json.dumps(batch[7]): "Malformed",
    }
    assert all(letter["consumer"] == "totals" for letter in letters)
    assert all(letter["error"]["hint"] for letter in letters)
    metrics = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    (report,) = [line for line in metrics if "Parked" in line]
    assert (report["Parked"], report["Retried"], report["Operations"]) == (4, 0, 3)


def test_an_outage_reports_the_first_record(
    handler: Any, tables: Tables, sqs: Any, queue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from consumers.totals import delivery

    monkeypatch.setattr(delivery, "LAST_PAUSE_SECONDS", 0.001)
    game = Game()
    batch = [
        damaged(game.put("s-2", "ann", 6), "NewImage", {"S": "six"}),
        game.put("s-1", "ann", 5),
        game.put("s-1", "bob", 7),
    ]
    with answering(lambda _: failure("ThrottlingException")):
        answer = handler(event(*batch), None)
    first = batch[1]["dynamodb"]["SequenceNumber"]
    assert answer == {"batchItemFailures": [{"itemIdentifier": first}]}
    assert len(parked(sqs, queue)) == 1
    assert handler(event(*batch[1:]), None) == {"batchItemFailures": []}
    assert tables.totals() == {"ann": (5, 1), "bob": (7, 1)}


def test_heartbeats_alone_ask_the_tables(handler: Any, tables: Tables) -> None:
    beat = stream_record(None, heartbeat(), sequence=1)
    assert handler(event(beat), None) == {"batchItemFailures": []}
    tables.client.delete_table(TableName=tables.ledger)
    answer = handler(event(beat), None)
    first = beat["dynamodb"]["SequenceNumber"]
    assert answer == {"batchItemFailures": [{"itemIdentifier": first}]}
