"""The records that the benchmarks feed are what Lambda would deliver."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from bench.handlers import GOALS
from bench.workload import SCORES_PER_USER, load, prepared, save
from shared.entities import Kind
from shared.envelopes import read_records
from shared.records import KINESIS, STREAM, Record

SOURCES = {"audit": STREAM, "totals": STREAM} | dict.fromkeys(
    ("metrics", "cache", "search"), KINESIS
)


def records_of(consumer: str, count: int, call: int = 1) -> list[Record]:
    found = list(read_records(prepared(consumer, count).event(call)))
    assert all(isinstance(record, Record) for record in found)
    return found  # type: ignore[return-value]


@pytest.mark.parametrize("consumer", GOALS)
def test_every_record_can_be_read_through_its_envelope(consumer: str) -> None:
    records = records_of(consumer, 300)
    assert len(records) == 300
    for record in records:
        assert record.source == SOURCES[consumer]
        record.require_images()
        assert record.version >= 1
        assert 1_700_000_000_000_000 < record.created_us < 2_000_000_000_000_000


def test_orders_are_two_to_three_kilobytes_and_mostly_updates() -> None:
    batch = prepared("audit", 1_000)
    assert 2_000 < sum(map(len, batch.records)) / 1_000 < 3_000
    names = Counter(record.event_name for record in records_of("audit", 1_000))
    assert names["MODIFY"] > 700
    assert names["INSERT"] > 50
    assert names["REMOVE"] > 5


def test_most_orders_of_a_batch_are_different_ones() -> None:
    keys = Counter(record.item_key for record in records_of("search", 1_000))
    assert 800 < len(keys) < 1_000


@pytest.mark.parametrize("count", [1_000, 3_000])
def test_each_player_has_ten_scores(count: int) -> None:
    users = Counter(record.item_key[1] for record in records_of("totals", count))
    assert set(users.values()) == {SCORES_PER_USER}
    assert len({record.item_key for record in records_of("totals", count)}) == count


def test_only_orders_where_a_consumer_reads_orders() -> None:
    assert {record.kind for record in records_of("metrics", 200)} == {Kind.ORDER}
    assert {record.event_name for record in records_of("metrics", 200)} == {"INSERT", "MODIFY"}


@pytest.mark.parametrize("consumer", ["audit", "cache"])
def test_each_call_gets_ids_of_its_own(consumer: str) -> None:
    ids = [record.event_id for call in (1, 2) for record in records_of(consumer, 50, call)]
    assert len(set(ids)) == 100


def test_the_same_seed_gives_the_same_records() -> None:
    assert prepared("search", 100) == prepared("search", 100)
    assert prepared("search", 100) != prepared("search", 100, seed=1)


def test_an_event_is_fresh_and_can_go_through_json() -> None:
    batch = prepared("cache", 5)
    first, second = batch.event(7), batch.event(7)
    assert first == second
    first["Records"][0]["kinesis"]["data"] = "changed"
    assert first != second
    assert json.loads(json.dumps(second)) == second


def test_a_saved_batch_is_the_same(tmp_path: Path) -> None:
    batch = prepared("totals", 40)
    save(batch, tmp_path / "batch")
    assert load(str(tmp_path / "batch"))(3) == batch.event(3)


def test_a_kinesis_record_carries_what_aws_writes() -> None:
    (entry,) = prepared("metrics", 1).event(1)["Records"]
    record = next(iter(read_records({"Records": [entry]})))
    assert isinstance(record, Record)
    assert record.payload["recordFormat"] == "application/json"
    assert record.payload["userIdentity"] is None
    assert record.payload["tableName"] == "fanout"
    assert record.change["ApproximateCreationDateTimePrecision"] == "MICROSECOND"
    assert "SequenceNumber" not in record.change
