"""`audit` as Lambda calls it: both envelopes in, objects out, damaged records in its queue."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from infra.local.servers import LocalServers
from shared.archive import Archive
from shared.clients import aws_client
from tests.support import archive
from tests.support import records as make
from tests.support.servers import unique

Handler = Callable[[Any, Any], dict[str, Any]]


@pytest.fixture(scope="module", autouse=True)
def clients(servers: LocalServers) -> Iterator[None]:
    with archive.clients_of(servers):
        yield


@dataclass
class Context:
    """What Lambda hands over beside the event."""

    milliseconds: int = 60_000
    aws_request_id: str = "request-1"

    def get_remaining_time_in_millis(self) -> int:
        return self.milliseconds


@dataclass
class Deployed:
    """The consumer, deployed: its handler, its bucket and its queue."""

    handler: Handler
    bucket: str
    queue: str

    def parked(self) -> list[dict[str, Any]]:
        answer = aws_client("sqs").receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10)
        return [json.loads(message["Body"]) for message in answer.get("Messages", ())]

    def archived(self) -> list[str]:
        return [change.event_id for change in archive.changes(Archive(self.bucket).read())]


@pytest.fixture
def deployed(monkeypatch: pytest.MonkeyPatch) -> Deployed:
    bucket = archive.make_bucket()
    queue = aws_client("sqs").create_queue(QueueName=unique("audit-dlq"))["QueueUrl"]
    monkeypatch.setenv("FANOUT_ARCHIVE_BUCKET", bucket)
    monkeypatch.setenv("FANOUT_DLQ_URL", queue)
    # A cold start: settings are read once per process.
    monkeypatch.delitem(sys.modules, "consumers.audit.handler", raising=False)
    return Deployed(importlib.import_module("consumers.audit.handler").handler, bucket, queue)


def test_both_envelopes_and_a_damaged_record_among_them(deployed: Deployed) -> None:
    nameless = make.stream_record(None, make.order("nameless"), sequence=3)
    del nameless["dynamodb"]["Keys"]
    event = make.event(
        make.stream_record(None, make.order(), sequence=1),
        make.kinesis_record(None, make.score(), sequence=2),
        nameless,
        make.kinesis_entry(b"no JSON", sequence=4),
        make.stream_record(make.order(), make.order(version=2), sequence=5),
    )
    assert deployed.handler(event, Context()) == {"batchItemFailures": []}
    assert sorted(deployed.archived()) == ["event-1", "event-2", "event-5"]
    letters = deployed.parked()
    parked = {letter["sequenceNumber"]: letter["record"] for letter in letters}
    assert parked == {
        nameless["dynamodb"]["SequenceNumber"]: nameless,
        event["Records"][3]["kinesis"]["sequenceNumber"]: event["Records"][3],
    }
    assert {letter["consumer"] for letter in letters} == {"audit"}
    assert all(letter["error"]["reason"] and letter["error"]["hint"] for letter in letters)


def test_what_is_of_no_use_to_others_is_archived(deployed: Deployed) -> None:
    unknown_type = make.stream_record(None, make.order("a"), sequence=1)
    unknown_type["dynamodb"]["NewImage"]["odd"] = {"XX": 1}
    event = make.event(
        unknown_type,
        make.stream_record(None, make.order("b", totalAmount="a lot"), sequence=2),
        make.stream_record(None, make.order("c", customerId="half \ud83d a pair"), sequence=3),
        make.stream_record(None, make.order("d", note="x" * 40_000), sequence=4),
        make.stream_record(None, make.heartbeat(), sequence=5),
    )
    # As Lambda's runtime would: through JSON text.
    assert deployed.handler(json.loads(json.dumps(event)), Context()) == {"batchItemFailures": []}
    assert deployed.parked() == []
    found = {change.event_id: change for change in archive.changes(Archive(deployed.bucket).read())}
    for entry in event["Records"]:
        assert found[entry["eventID"]].new_raw == entry["dynamodb"]["NewImage"]


def test_an_event_that_is_none_is_parked(deployed: Deployed) -> None:
    assert deployed.handler({"hello": "world"}, Context()) == {"batchItemFailures": []}
    (letter,) = deployed.parked()
    assert letter["event"] == {"hello": "world"}
    assert archive.keys_in(deployed.bucket) == []


def test_without_time_the_batch_is_handed_back(deployed: Deployed) -> None:
    records = [make.stream_record(None, make.order(str(n)), sequence=n) for n in (1, 2)]
    first = records[0]["dynamodb"]["SequenceNumber"]
    answer = deployed.handler(make.event(*records), Context(milliseconds=2_000))
    assert answer == {"batchItemFailures": [{"itemIdentifier": first}]}
    assert archive.keys_in(deployed.bucket) == []
    assert deployed.handler(make.event(*records), Context()) == {"batchItemFailures": []}
    assert deployed.archived() == ["event-1", "event-2"]


def test_a_missing_bucket_hands_the_batch_back(
    deployed: Deployed, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("FANOUT_ARCHIVE_BUCKET", "no-such-bucket")
    entry = make.stream_record(None, make.order(), sequence=1)
    answer = deployed.handler(make.event(entry), Context())
    number = entry["dynamodb"]["SequenceNumber"]
    assert answer == {"batchItemFailures": [{"itemIdentifier": number}]}
    assert deployed.parked() == []
    (told,) = caplog.records
    assert "NoSuchBucket" in vars(told)["reason"]
    assert "FANOUT_ARCHIVE_BUCKET" in vars(told)["hint"]
    assert "Ada" not in str(vars(told))


def test_a_redelivered_batch_changes_nothing(deployed: Deployed) -> None:
    event = make.event(
        make.stream_record(None, make.order(), sequence=1),
        make.stream_record(make.order(), make.order(version=2), sequence=2),
    )
    for _ in range(3):
        assert deployed.handler(event, Context()) == {"batchItemFailures": []}
    assert len(archive.keys_in(deployed.bucket)) == 1
    assert deployed.archived() == ["event-1", "event-2"]
