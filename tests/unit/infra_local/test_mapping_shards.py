"""Shards that split, merge, close and vanish: parents before children, and nothing forgotten."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from infra.local.mapping.checkpoint import CheckpointDamaged
from infra.local.mapping.source import LATEST
from tests.support.mapping import SHARD, Rig, ScriptedShard, delivered, raises, record
from tests.support.records import CREATED


def split(run: Rig, parent: str, *children: str) -> None:
    run.scripted.by_id[parent].closed = True
    for child in children:
        run.scripted.by_id[child] = ScriptedShard(parents=(parent,))


def test_children_wait_until_their_parent_is_done(tmp_path: Path) -> None:
    def answer(numbers: list[int], event: Any) -> Any:
        return raises(numbers, event) if run.clock.now < CREATED + 30 else None

    run = Rig(tmp_path, answer, batch_size=2)
    run.scripted.put(record(0), record(1), record(2))
    split(run, SHARD, "left", "right")
    run.scripted.put(record(10), shard_id="left")
    run.scripted.put(record(20), shard_id="right")
    run.run(29)
    assert set(delivered(run.invocations)) == {0, 1}
    run.run(60)
    tail = delivered(run.invocations)
    assert sorted(tail[-3:]) == [2, 10, 20]
    assert tail[-3] == 2


def test_a_merge_waits_for_both_parents(tmp_path: Path) -> None:
    run = Rig(tmp_path)
    run.scripted.by_id["other"] = ScriptedShard(closed=True)
    run.scripted.by_id["merged"] = ScriptedShard(parents=(SHARD, "other"))
    run.scripted.put(record(10), shard_id="merged")
    run.scripted.put(record(5), shard_id="other")
    run.run(10)
    assert run.invocations == [[5]]
    run.scripted.put(record(1))
    run.scripted.by_id[SHARD].closed = True
    run.run(10)
    assert run.invocations == [[5], [1], [10]]


def test_a_parent_that_the_stream_has_forgotten_holds_nothing_back(tmp_path: Path) -> None:
    run = Rig(tmp_path)
    run.scripted.by_id = {"child": ScriptedShard(parents=("long gone",))}
    run.scripted.put(record(1), shard_id="child")
    run.run(5)
    assert run.invocations == [[1]]


def test_what_was_done_in_an_earlier_run_is_not_done_again(tmp_path: Path) -> None:
    run = Rig(tmp_path)
    run.scripted.put(record(0))
    split(run, SHARD, "child")
    split(run, "child", "grandchild")
    run.scripted.put(record(1), shard_id="child")
    run.scripted.put(record(2), shard_id="grandchild")
    run.run(5)
    assert run.invocations == [[0], [1], [2]]
    run.restart()
    # Both generations that are done let the third begin, at one look.
    (reader,) = run.consumer.discover()
    assert reader.shard_id == "grandchild"
    run.readers.append(reader)
    run.scripted.put(record(3), shard_id="grandchild")
    run.run(5)
    assert run.invocations[3:] == [[3]]


def test_checkpoints_of_forgotten_shards_are_removed(tmp_path: Path) -> None:
    run = Rig(tmp_path)
    last = SHARD
    for generation in range(20):
        split(run, last, f"g{generation}")
        last = f"g{generation}"
        run.scripted.put(record(generation), shard_id=last)
        run.run(2)
        if generation >= 2:
            del run.scripted.by_id[f"g{generation - 2}"]
    run.run(2)
    assert delivered(run.invocations) == list(range(20))
    assert len(list(tmp_path.rglob("*.json"))) == len(run.scripted.by_id) <= 4
    assert len(run.consumer._finished) <= 4
    status = run.consumer.status()
    assert status.numbers.delivered == 20
    assert status.shards == 1


def test_a_shard_that_vanishes_before_it_was_read_is_told_and_its_children_follow(
    tmp_path: Path,
) -> None:
    run = Rig(tmp_path, raises)
    run.scripted.put(*(record(number) for number in range(3)))
    run.run(1)
    split(run, SHARD, "child")
    run.scripted.put(record(10), shard_id="child")
    del run.scripted.by_id[SHARD]
    run.run(5)
    run.answer = lambda *_: None
    run.run(30)
    # What had been read is delivered; what had not is told of; then the child.
    assert run.invocations[-2:] == [[0, 1, 2], [10]]
    (letter,) = run.letters.documents
    assert letter["fanout"] == "gap/1"
    assert letter["shardId"] == SHARD


def test_latest_skips_what_is_there_and_nothing_that_comes(tmp_path: Path) -> None:
    run = Rig(tmp_path, start=LATEST)
    run.scripted.put(record(0))
    split(run, SHARD, "open")
    run.scripted.put(record(1), shard_id="open")
    run.run(5)
    assert not run.invocations
    run.scripted.put(record(2, created=int(run.clock.now)), shard_id="open")
    run.run(5)
    assert run.invocations == [[2]]
    split(run, "open", "child")
    # Written before anybody had looked at the new shard.
    run.scripted.put(record(3, created=int(run.clock.now)), shard_id="child")
    run.run(5)
    assert run.invocations == [[2], [3]]


def test_latest_is_where_it_was_when_a_run_is_killed_before_anything_came(tmp_path: Path) -> None:
    run = Rig(tmp_path, start=LATEST)
    run.scripted.put(record(0, created=CREATED - 10))
    run.run(5)
    run.restart()
    run.scripted.put(record(1, created=int(run.clock.now)))
    run.run(5)
    assert run.invocations == [[1]]


def test_a_damaged_checkpoint_is_refused_by_name(tmp_path: Path) -> None:
    run = Rig(tmp_path)
    run.scripted.put(record(0))
    run.run(2)
    (path,) = tmp_path.rglob("*.json")
    path.write_text("{")
    run.restart()
    with pytest.raises(CheckpointDamaged, match=path.name):
        run.consumer.discover()


def test_a_status_tells_when_all_was_done(tmp_path: Path) -> None:
    run = Rig(tmp_path)
    run.scripted.put(record(0))
    run.run(5)
    run.answer = raises
    moment = run.clock.now
    run.scripted.put(record(1))
    run.run(60)
    status = run.consumer.status()
    assert status.caught_up_at_ms / 1000 < moment + 0.2
    assert status.retrying
    assert status.last_error == "the handler raised: ValueError"
    assert "as asked" not in status.last_error  # a handler's own text may quote an item
    run.answer = lambda *_: None
    run.run(10)
    status = run.consumer.status()
    assert status.caught_up_at_ms / 1000 > moment + 60
    assert not status.retrying
    assert status.lag_ms == 0
    numbers = status.numbers
    assert numbers.batches == numbers.failures + 2
    assert numbers.errors == numbers.failures > 5
