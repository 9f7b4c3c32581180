"""Kinesis records made from a table's stream: AWS's envelope, and its disorder."""

from __future__ import annotations

import base64
import json
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.local.mapping.kinesis import Disorder, KinesisStream
from infra.local.mapping.source import TRIM_HORIZON, Entry
from shared.envelopes import Unreadable, read_records
from shared.errors import InvalidSettings
from tests.support.mapping import (
    SHARD,
    FakeClock,
    Rig,
    ScriptedShard,
    ScriptedStream,
    event_id,
    record,
    sequence,
)
from tests.support.records import CREATED, STREAM_ARN, kinesis_record, score, stream_record

IN_ORDER = Disorder(repeats=0, reorders=0)
WILD = Disorder(repeats=0.3, reorders=0.3, distance=5, seed=7)
KINESIS_ARN = "arn:aws:kinesis:eu-west-1:111122223333:stream/fanout"


def stream(count: int, disorder: Disorder, shards: int = 1, closed: bool = False) -> KinesisStream:
    scripted = ScriptedStream(FakeClock())
    scripted.put(*(record(number) for number in range(count)))
    scripted.by_id[SHARD].closed = closed
    return KinesisStream(scripted, shards, disorder)


def read_all(source: KinesisStream, position: str = TRIM_HORIZON, limit: int = 4) -> list[Entry]:
    entries: list[Entry] = []
    for shard in source.shards():
        cursor = source.open(shard.shard_id, position)
        while True:
            page = cursor.read(limit)
            entries += page.entries
            if page.caught_up_at is not None or page.closed:
                break
    return entries


def ids(entries: list[Entry]) -> list[str]:
    return [event_id(json.loads(entry.encoded)) for entry in entries]


def test_the_envelope_is_that_of_aws() -> None:
    (entry,) = read_all(stream(1, IN_ORDER))
    made = json.loads(entry.encoded)
    number = f"49{sequence(0).zfill(40)}{0:014d}"
    data = json.loads(base64.b64decode(made["kinesis"].pop("data")))
    assert len(made["kinesis"].pop("partitionKey")) == 32
    assert made == {
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "sequenceNumber": number,
            "approximateArrivalTimestamp": float(CREATED),
        },
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": f"shardId-000000000000:{number}",
        "eventName": "aws:kinesis:record",
        "invokeIdentityArn": "arn:aws:iam::111122223333:role/fanout",
        "awsRegion": "eu-west-1",
        "eventSourceARN": KINESIS_ARN,
    }
    like = kinesis_record(None, score("s-0"), event_id="event-0")
    assert data == json.loads(base64.b64decode(like["kinesis"]["data"]))
    assert len(entry.sequence_number) == 56


def test_it_has_the_members_of_a_delivery_that_was_recorded(shared_testdata: Path) -> None:
    path = shared_testdata / "events/powertools-ts/kinesis-dynamodb-stream.json"
    recorded = json.loads(path.read_text())["Records"][0]
    (entry,) = read_all(stream(1, IN_ORDER))
    made = json.loads(entry.encoded)
    assert made.keys() == recorded.keys()
    assert made["kinesis"].keys() == recorded["kinesis"].keys()
    ours, theirs = (
        json.loads(base64.b64decode(each["kinesis"]["data"])) for each in (made, recorded)
    )
    assert ours.keys() == theirs.keys()
    # A destination with microseconds says so; the recorded one had milliseconds.
    extra = {"ApproximateCreationDateTimePrecision"}
    assert ours["dynamodb"].keys() - extra == theirs["dynamodb"].keys()


def test_our_core_reads_the_same_change_from_it() -> None:
    source = stream(0, IN_ORDER)
    old, new = score("s-1", version=1), score("s-1", version=2, value=5, data=b"\x00\xff")
    original = stream_record(old, new, sequence=1)
    source._inner.put(json.loads(json.dumps(original)))  # type: ignore[attr-defined]
    (entry,) = read_all(source)
    (ours,) = read_records({"Records": [json.loads(entry.encoded)]})
    (plain,) = read_records({"Records": [original]})
    assert not isinstance(ours, Unreadable)
    assert not isinstance(plain, Unreadable)
    for name in ("event_id", "event_name", "keys", "version", "created_ms", "user_identity"):
        assert getattr(ours, name) == getattr(plain, name), name
    assert ours.old is not None
    assert ours.new is not None
    assert (ours.old.decode(), ours.new.decode()) == (
        plain.old and plain.old.decode(),
        plain.new and plain.new.decode(),
    )


def test_a_deletion_by_time_to_live_keeps_its_identity() -> None:
    source = stream(0, IN_ORDER)
    identity = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}
    deletion = {**stream_record(score(), None), "userIdentity": identity}
    source._inner.put(deletion)  # type: ignore[attr-defined]
    (entry,) = read_all(source)
    data = json.loads(base64.b64decode(json.loads(entry.encoded)["kinesis"]["data"]))
    assert data["userIdentity"] == identity
    assert data["eventName"] == "REMOVE"


def test_numbers_grow_and_some_records_come_twice_or_late() -> None:
    entries = read_all(stream(200, WILD))
    numbers = [int(entry.sequence_number) for entry in entries]
    assert numbers == sorted(set(numbers))
    found = ids(entries)
    counts = Counter(found)
    assert set(counts) == {f"event-{number}" for number in range(200)}
    assert 20 < sum(count == 2 for count in counts.values()) < 80
    assert max(counts.values()) == 2
    firsts = [int(each.removeprefix("event-")) for each in dict.fromkeys(found)]
    late = sum(early > after for early, after in pairwise(firsts))
    assert late > 20
    # Nothing is later than the distance allows.
    assert all(early - after <= WILD.distance for early, after in pairwise(firsts))


def test_disorder_is_the_same_in_every_run_and_in_any_pages() -> None:
    once = ids(read_all(stream(100, WILD), limit=100))
    assert once == ids(read_all(stream(100, WILD), limit=3))
    assert once != ids(read_all(stream(100, Disorder(0.3, 0.3, 5, seed=8)), limit=3))


def test_without_disorder_there_is_none() -> None:
    assert ids(read_all(stream(50, IN_ORDER))) == [f"event-{number}" for number in range(50)]


def test_the_usual_share_is_a_few_percent() -> None:
    counts = Counter(ids(read_all(stream(2_000, Disorder()), limit=1_000)))
    assert 20 < sum(count == 2 for count in counts.values()) < 120


@given(st.integers(0, 60), st.integers(1, 9), st.integers(0, 80), st.integers(0, 5))
def test_whatever_was_emitted_reading_on_at_its_mark_loses_nothing(
    count: int, limit: int, stop: int, seed: int
) -> None:
    source = stream(count, Disorder(0.3, 0.4, 6, seed))
    entries = read_all(source, limit=limit)[:stop]
    mark = next((entry.mark for entry in reversed(entries) if entry.mark), TRIM_HORIZON)
    rest = read_all(source, mark, limit)
    assert set(ids(entries)) | set(ids(rest)) == {f"event-{number}" for number in range(count)}
    marks = [int(entry.mark) for entry in entries if entry.mark]
    assert marks == sorted(marks)


def test_at_the_end_nothing_is_held_back() -> None:
    source = stream(3, Disorder(repeats=0, reorders=1, distance=50))
    assert sorted(ids(read_all(source))) == ["event-0", "event-1", "event-2"]
    closed = stream(3, Disorder(repeats=1, reorders=0, distance=50), closed=True)
    assert Counter(ids(read_all(closed))) == {f"event-{number}": 2 for number in range(3)}


def test_what_is_on_its_way_survives_that_the_stream_forgets(tmp_path: Path) -> None:
    run = Rig(tmp_path, kinesis=Disorder(repeats=0, reorders=1, distance=50), batch_size=100)
    run.scripted.put(*(record(number) for number in range(5)))
    (reader,) = run.consumer.discover()
    reader.step()
    assert not run.invocations
    run.scripted.by_id[SHARD].trimmed = 6
    run.scripted.put(record(5), record(6))
    run.readers.append(reader)
    run.run(30)
    found = {event_id(entry) for event in run.events for entry in event["Records"]}
    assert found >= {f"event-{number}" for number in range(5)}


def test_shards_divide_the_items_and_keep_each_in_one() -> None:
    scripted = ScriptedStream(FakeClock())
    for number in range(90):
        item = score(f"s-{number % 30}", version=1 + number // 30)
        scripted.put(stream_record(None, item, sequence=number))
    source = KinesisStream(scripted, 3, IN_ORDER)
    by_shard: dict[str, list[str]] = {}
    for shard in source.shards():
        cursor = source.open(shard.shard_id, TRIM_HORIZON)
        while (page := cursor.read(7)).caught_up_at is None:
            for entry in page.entries:
                made = json.loads(entry.encoded)
                assert made["eventID"].startswith(source.public_shard_id(shard.shard_id))
                data = json.loads(base64.b64decode(made["kinesis"]["data"]))
                key = data["dynamodb"]["Keys"]["PK"]["S"]
                by_shard.setdefault(shard.shard_id, []).append(key)
    assert len(by_shard) == 3
    assert sum(map(len, by_shard.values())) == 90
    for shard_id, keys in by_shard.items():
        assert all(len([k for k in keys if k == key]) == 3 for key in set(keys)), shard_id


def test_children_follow_their_parents_part_by_part() -> None:
    scripted = ScriptedStream(FakeClock())
    scripted.by_id["child"] = ScriptedShard(parents=(SHARD,))
    shards = {each.shard_id: each.parents for each in KinesisStream(scripted, 2).shards()}
    assert shards == {
        f"{SHARD}.0of2": (),
        f"{SHARD}.1of2": (),
        "child.0of2": (f"{SHARD}.0of2",),
        "child.1of2": (f"{SHARD}.1of2",),
    }


@pytest.mark.parametrize(
    "arn", ["", "arn:aws:kinesis:r:1:stream/x", STREAM_ARN.replace("table/", "")]
)
def test_an_arn_that_is_none_is_refused(arn: str) -> None:
    scripted: Any = ScriptedStream(FakeClock())
    scripted.arn = arn
    with pytest.raises(InvalidSettings, match="no ARN"):
        KinesisStream(scripted)


def test_the_text_of_a_change_is_made_once_and_only_for_who_delivers_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = []

    def counted(content: bytes) -> bytes:
        made.append(content)
        return base64.b64encode(content)

    monkeypatch.setattr("infra.local.mapping.kinesis_records.b64encode", counted)
    source = stream(1, IN_ORDER)
    entries = read_all(source) + read_all(source)
    assert [entry.view["data"]["eventName"] for entry in entries] == ["INSERT", "INSERT"]
    assert not made
    assert entries[0].encoded == entries[1].encoded
    assert len(made) == 1
