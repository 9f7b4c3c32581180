"""Both envelopes give the same record; damaged entries disturb no other."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shared.entities import Kind
from shared.envelopes import Unreadable, read_records
from shared.errors import Malformed, NotAStream
from shared.records import Record
from tests.support.records import (
    CREATED,
    event,
    kinesis_entry,
    kinesis_record,
    order,
    score,
    stream_record,
)


def read(*entries: Any) -> list[Record | Unreadable]:
    return list(read_records(event(*entries)))


def one(entry: Any) -> Record:
    (record,) = read(entry)
    assert isinstance(record, Record)
    return record


@pytest.mark.parametrize("envelope", [stream_record, kinesis_record])
def test_both_envelopes_give_the_same_record(envelope: Any) -> None:
    record = one(envelope(order(version=1), order(version=2, status="VALIDATED"), event_id="e-1"))
    assert record.event_id == "e-1"
    assert record.event_name == "MODIFY"
    assert record.item_key == ("ORDER#o-1", "ORDER")
    assert record.kind is Kind.ORDER
    assert record.version == 2
    assert record.created_ms == CREATED * 1000
    assert record.old is not None
    assert record.new is not None
    assert record.old["status"] == "PENDING_VALIDATION"
    assert record.new["status"] == "VALIDATED"
    assert record.new.decode() == order(version=2, status="VALIDATED")


def test_reported_numbers_are_those_of_the_envelope() -> None:
    stream, kinesis = stream_record(None, order()), kinesis_record(None, order())
    assert one(stream).sequence_number == stream["dynamodb"]["SequenceNumber"]
    assert one(kinesis).sequence_number == kinesis["kinesis"]["sequenceNumber"]
    assert one(kinesis).raw is not None
    assert one(kinesis).raw["kinesis"] == kinesis["kinesis"]


def test_absent_images_are_none() -> None:
    assert one(stream_record(None, order())).old is None
    assert one(stream_record(order(), None)).new is None


def test_version_of_a_removal_is_one_more() -> None:
    assert one(stream_record(order(version=7), None)).version == 8
    assert one(stream_record(score(version=3), None)).version == 4


def test_an_item_without_version_is_ordered_by_its_time() -> None:
    bare = {"PK": "NOTE#1", "SK": "NOTE"}
    first = one(kinesis_record(None, bare, created=CREATED + 0.000001)).version
    later = one(kinesis_record(bare, None, created=CREATED + 0.000002)).version
    assert later == first + 1


@pytest.mark.parametrize("version", ["0", "-1", "1.5", "x", "9" * 19, ""])
def test_a_wrong_version_is_refused(version: str) -> None:
    raw = stream_record(None, score())
    raw["dynamodb"]["NewImage"]["version"] = {"N": version}
    with pytest.raises(Malformed, match="version"):
        _ = one(raw).version


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"Keys": None}, "keys"),
        ({"NewImage": None}, "new"),
        ({"NewImage": "text"}, "new"),
        ({"ApproximateCreationDateTime": "yesterday"}, "created_ms"),
        ({"ApproximateCreationDateTime": True}, "created_ms"),
        ({"ApproximateCreationDateTime": float("inf")}, "created_ms"),
        ({"Keys": {"PK": {"N": "1"}, "SK": {"S": "x"}}}, "item_key"),
        ({"Keys": {"PK": {"S": ""}, "SK": {"S": "x"}}}, "item_key"),
        ({"Keys": {"PK": "ORDER#1", "SK": {"S": "x"}}}, "kind"),
    ],
)
def test_a_damaged_part_is_refused_by_who_reads_it(change: dict[str, Any], part: str) -> None:
    raw = stream_record(None, order())
    raw["dynamodb"].update(change)
    record = one(raw)
    assert record.sequence_number, "the rest can still be used"
    with pytest.raises(Malformed) as caught:
        getattr(record, part)
    assert caught.value.hint


@pytest.mark.parametrize("name", ["INSERT", "MODIFY", "REMOVE"])
def test_a_record_without_its_images_is_refused_by_who_needs_them(name: str) -> None:
    raw = stream_record(None, order())
    del raw["dynamodb"]["NewImage"]
    raw["eventName"] = name
    with pytest.raises(Malformed, match="images"):
        one(raw).require_images()


DAMAGED: list[tuple[str, Any]] = [
    ("no entry at all", None),
    ("a text", "record"),
    ("another source", {"eventSource": "aws:sqs", "body": "x"}),
    ("no change", {"eventSource": "aws:dynamodb", "eventName": "INSERT"}),
    ("no name", {**stream_record(None, order()), "eventName": "UPSERT"}),
    ("no number", {"eventSource": "aws:dynamodb", "eventName": "INSERT", "dynamodb": {}}),
    ("no base64", {"eventSource": "aws:kinesis", "kinesis": {"sequenceNumber": "1", "data": "*"}}),
    ("no UTF-8", kinesis_entry(b"\xff\xfe{}")),
    ("no JSON", kinesis_entry(b"{")),
    ("a list", kinesis_entry(b"[]")),
    ("another JSON", kinesis_entry(b'{"hello": "world"}')),
    ("a lone surrogate", kinesis_entry(b'{"a": "\\ud800"}')),
]


@pytest.mark.parametrize(
    "entry", [entry for _, entry in DAMAGED], ids=[name for name, _ in DAMAGED]
)
def test_a_damaged_entry_is_kept_whole_and_disturbs_no_other(entry: Any) -> None:
    before, damaged, after = read(
        stream_record(None, order()), entry, kinesis_record(None, score())
    )
    assert isinstance(before, Record)
    assert isinstance(after, Record)
    assert isinstance(damaged, Unreadable)
    assert damaged.raw is entry
    assert damaged.error.reason
    assert damaged.error.hint


@pytest.mark.parametrize(
    "nothing",
    [
        None,
        1,
        "x",
        [],
        {},
        {"Records": None},
        {"Records": [{"eventSource": "aws:sqs"}]},
        {"Records": [1]},
    ],
)
def test_what_is_no_stream_event_is_refused_as_a_whole(nothing: Any) -> None:
    with pytest.raises(NotAStream) as caught:
        read_records(nothing)
    assert caught.value.hint


def test_an_empty_batch_is_no_fault() -> None:
    assert list(read_records({"Records": []})) == []


def test_deletions_by_time_to_live_say_who_did_it() -> None:
    raw = stream_record(order(), None)
    raw["userIdentity"] = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}
    assert one(raw).user_identity == raw["userIdentity"]
    assert one(kinesis_record(order(), None)).user_identity is None


def test_reads_every_recorded_event(shared_testdata: Path) -> None:
    """Every change recorded from AWS, or published by it, is read and its images decode."""
    changes = 0
    for path in sorted((shared_testdata / "events").rglob("*.json")):
        if "malformed" in path.name:  # no JSON at all: Lambda would never deliver it
            continue
        for entry in _entries(json.loads(path.read_text())):
            (record,) = read(entry)
            if isinstance(record, Unreadable):
                assert not _carries_a_change(entry), (path.name, record.error.reason)
                continue
            changes += 1
            for image in (record.old, record.new):
                if image is not None:
                    image.decode()
    assert changes > 100


def _entries(node: Any) -> Iterator[dict[str, Any]]:
    """Every record, of either envelope, anywhere in a recorded document."""
    if isinstance(node, list):
        for member in node:
            yield from _entries(member)
    elif isinstance(node, dict):
        if node.get("eventSource") in ("aws:dynamodb", "aws:kinesis"):
            yield node
        for value in node.values():
            yield from _entries(value)


def _carries_a_change(entry: dict[str, Any]) -> bool:
    """False for a Kinesis record of something else, and for a change cut out of its record."""
    if entry["eventSource"] == "aws:dynamodb":
        return "SequenceNumber" in entry["dynamodb"]
    try:
        data = base64.b64decode(entry["kinesis"]["data"], validate=True)
    except ValueError:
        return False
    return b'"dynamodb"' in data
