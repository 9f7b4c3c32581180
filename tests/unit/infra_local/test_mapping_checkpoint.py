"""Checkpoints: never torn, never guessed, never ahead of what was delivered."""

from __future__ import annotations

import errno
import os
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.local.mapping.checkpoint import (
    SLOT_BYTES,
    Checkpoint,
    CheckpointDamaged,
    CheckpointFolder,
)
from infra.local.mapping.kinesis import Disorder
from shared.errors import Unavailable
from tests.support.mapping import (
    SHARD,
    Rig,
    delivered,
    event_id,
    numbers_of,
    raises,
    record,
    sequence,
)
from tests.support.records import STREAM_ARN

KEPT = Checkpoint("100000000000000000042", caught_up_at=1760000000.5)


@pytest.fixture
def folder(tmp_path: Path) -> CheckpointFolder:
    return CheckpointFolder(tmp_path, "toy", STREAM_ARN)


def file_of(tmp_path: Path) -> Path:
    (path,) = tmp_path.rglob("*.json")
    return path


def test_what_was_saved_is_loaded(folder: CheckpointFolder) -> None:
    assert folder.load(SHARD) is None
    assert folder.empty()
    folder.save(SHARD, Checkpoint())
    folder.save(SHARD, KEPT)
    assert folder.load(SHARD) == KEPT
    assert not folder.empty()
    folder.forget(SHARD)
    folder.forget(SHARD)
    assert folder.empty()


def test_shards_consumers_and_streams_are_apart(tmp_path: Path, folder: CheckpointFolder) -> None:
    folder.save(SHARD, KEPT)
    assert folder.load("another/../shard") is None
    assert CheckpointFolder(tmp_path, "other", STREAM_ARN).load(SHARD) is None
    anew = STREAM_ARN.replace("2025", "2026")
    assert CheckpointFolder(tmp_path, "toy", anew).load(SHARD) is None


@pytest.mark.parametrize("length", [0, 1, 20, -2])
def test_a_torn_file_is_refused(tmp_path: Path, folder: CheckpointFolder, length: int) -> None:
    folder.save(SHARD, KEPT)
    path = file_of(tmp_path)
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(CheckpointDamaged, match="torn") as raised:
        folder.load(SHARD)
    assert str(path) in raised.value.reason
    assert "remove" in raised.value.hint


@pytest.mark.parametrize(
    "content", [b"[]", b"null", b'{"digest": 1}', b"\xff", b'{"mark": "5"}', b"1"]
)
def test_what_is_no_checkpoint_is_refused(
    tmp_path: Path, folder: CheckpointFolder, content: bytes
) -> None:
    folder.save(SHARD, KEPT)
    file_of(tmp_path).write_bytes(content)
    with pytest.raises(CheckpointDamaged):
        folder.load(SHARD)


def test_a_changed_file_is_refused(tmp_path: Path, folder: CheckpointFolder) -> None:
    folder.save(SHARD, KEPT)
    path = file_of(tmp_path)
    path.write_text(path.read_text().replace("42", "43"))
    with pytest.raises(CheckpointDamaged, match="changed"):
        folder.load(SHARD)


def test_a_file_of_another_shard_is_refused(tmp_path: Path, folder: CheckpointFolder) -> None:
    folder.save(SHARD, KEPT)
    path = file_of(tmp_path)
    path.rename(path.with_name("other.json"))
    with pytest.raises(CheckpointDamaged, match="another"):
        folder.load("other")


def test_the_content_is_on_the_disk_before_it_has_the_name(
    folder: CheckpointFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    sync, rename = os.fsync, Path.replace

    def fsync(descriptor: int) -> None:
        assert os.fstat(descriptor).st_size > 0, "something was written before the sync"
        steps.append("sync")
        sync(descriptor)

    def replace(self: Path, target: Path) -> Any:
        steps.append("rename")
        return rename(self, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(Path, "replace", replace)
    folder.save(SHARD, KEPT)
    assert steps == ["sync", "rename"]


def marks(tmp_path: Path) -> list[str]:
    """The marks in both slots, as they are; a slot that is not whole is none."""
    content = file_of(tmp_path).read_bytes()
    assert len(content) == 2 * SLOT_BYTES
    slots = [content[:SLOT_BYTES], content[SLOT_BYTES:]]
    return [re.findall(rb'"mark":"(\d*)"', slot)[0].decode() for slot in slots if slot.strip()]


def test_what_is_on_the_disk_is_not_written_over_before_something_newer_is(
    tmp_path: Path, folder: CheckpointFolder
) -> None:
    folder.save(SHARD, Checkpoint("1"))
    assert marks(tmp_path) == ["1"]
    for mark in ("2", "3", "4"):
        folder.save(SHARD, Checkpoint(mark), sync=False)
        assert marks(tmp_path) == ["1", mark]
    folder.save(SHARD, Checkpoint("5"), sync=True)
    assert marks(tmp_path) == ["1", "5"]
    folder.save(SHARD, Checkpoint("6"), sync=False)
    assert marks(tmp_path) == ["6", "5"]
    assert folder.load(SHARD) == Checkpoint("6")


def test_the_next_run_syncs_what_it_finds_and_keeps_it(
    tmp_path: Path, folder: CheckpointFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.save(SHARD, Checkpoint("1"))
    folder.save(SHARD, Checkpoint("2"), sync=False)
    syncs: list[list[str]] = []
    monkeypatch.setattr(os, "fsync", lambda _: syncs.append(marks(tmp_path)))
    CheckpointFolder(tmp_path, "toy", STREAM_ARN).save(SHARD, Checkpoint("3"), sync=False)
    assert syncs == [["1", "2"]]
    assert marks(tmp_path) == ["3", "2"]


@pytest.mark.parametrize("slot", [0, 1])
def test_with_one_slot_torn_the_other_counts(
    tmp_path: Path, folder: CheckpointFolder, slot: int
) -> None:
    folder.save(SHARD, Checkpoint("1"))
    folder.save(SHARD, Checkpoint("2"))
    with file_of(tmp_path).open("r+b") as file:
        file.seek(slot * SLOT_BYTES)
        file.write(bytes(SLOT_BYTES))
    assert CheckpointFolder(tmp_path, "toy", STREAM_ARN).load(SHARD) == Checkpoint("21"[slot])


def test_a_file_that_was_removed_is_made_anew(tmp_path: Path, folder: CheckpointFolder) -> None:
    folder.save(SHARD, KEPT)
    file_of(tmp_path).unlink()
    with pytest.raises(Unavailable):
        folder.save(SHARD, KEPT)
    folder.save(SHARD, KEPT)
    assert folder.load(SHARD) == KEPT


def fill(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "pwrite", full)


def test_a_full_disk_leaves_the_old_one(
    folder: CheckpointFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.save(SHARD, KEPT)
    fill(monkeypatch)
    with pytest.raises(Unavailable, match="No space left"):
        folder.save(SHARD, Checkpoint("100000000000000000099"))
    monkeypatch.undo()
    assert folder.load(SHARD) == KEPT


def test_what_was_written_in_part_is_a_failure(
    folder: CheckpointFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.save(SHARD, KEPT)
    write = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda fd, text, at: write(fd, text[:100], at))
    with pytest.raises(Unavailable, match="written"):
        folder.save(SHARD, Checkpoint("100000000000000000099"))
    assert folder.load(SHARD) == KEPT


def test_a_full_disk_stops_the_shard_until_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Rig(tmp_path, batch_size=1)
    run.run(1)  # its first checkpoint is there
    run.scripted.put(*(record(number) for number in range(5)))
    fill(monkeypatch)
    run.run(30)
    # Not one batch more than could be saved: else a kill would bring all of them again.
    assert run.invocations == [[0]]
    status = run.consumer.status()
    assert "No space left" in status.last_error
    assert status.retrying
    monkeypatch.undo()
    run.run(30)
    assert run.invocations == [[0], [1], [2], [3], [4]]


def test_while_batches_come_the_disk_is_synced_once_a_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Rig(tmp_path, batch_size=1)
    run.run(1)
    syncs: list[float] = []
    monkeypatch.setattr(os, "fsync", lambda _: syncs.append(run.clock.now))
    for number in range(60):
        run.scripted.put(record(number))
        run.run(0.1)
    assert len(run.invocations) == 60
    assert 4 <= len(syncs) <= 7
    assert all(later - sooner >= 1 for sooner, later in pairwise(syncs))


def test_a_checkpoint_is_written_after_the_outcome_and_not_before(tmp_path: Path) -> None:
    seen: list[str] = []

    def answer(numbers: list[int], event: Any) -> Any:
        saved = run.wiring.checkpoints.load(SHARD)
        assert saved is not None
        seen.append(saved.mark)

    run = Rig(tmp_path, answer, batch_size=2)
    run.scripted.put(*(record(number) for number in range(4)))
    run.run(5)
    saved = run.wiring.checkpoints.load(SHARD)
    assert saved is not None
    assert [*seen, saved.mark] == ["", sequence(1), sequence(3)]


def test_a_partial_response_moves_the_checkpoint_to_the_record_before(tmp_path: Path) -> None:
    def answer(numbers: list[int], event: Any) -> Any:
        if numbers == [0, 1, 2, 3]:
            return {"batchItemFailures": [{"itemIdentifier": sequence(2)}]}
        return raises(numbers, event)

    run = Rig(tmp_path, answer)
    run.scripted.put(*(record(number) for number in range(4)))
    run.run(3)
    saved = run.wiring.checkpoints.load(SHARD)
    assert saved is not None
    assert saved.mark == sequence(1)
    run.restart()
    run.invocations.clear()
    run.run(1)
    assert run.invocations[0] == [2, 3]


DISORDERS = st.sampled_from([None, Disorder(0.3, 0.3, 4, seed=3), Disorder(0, 0)])


@settings(max_examples=40)
@given(
    kills=st.lists(st.integers(1, 12), max_size=12),
    batch_size=st.integers(1, 7),
    poison=st.sets(st.integers(0, 19), max_size=3),
    source=st.tuples(DISORDERS, st.booleans()),
)
def test_killed_between_any_two_steps_nothing_is_lost(
    tmp_path_factory: pytest.TempPathFactory,
    kills: list[int],
    batch_size: int,
    poison: set[int],
    source: tuple[Disorder | None, bool],
) -> None:
    kinesis, bisect = source

    def answer(numbers: list[int], event: Any) -> Any:
        return raises(numbers, event) if poison & set(numbers) else None

    folder = tmp_path_factory.mktemp("kills")
    run = Rig(folder, answer, batch_size=batch_size, kinesis=kinesis, retries=1, bisect=bisect)
    run.scripted.put(*(record(number) for number in range(20)))
    for steps in kills:
        (reader,) = run.consumer.discover()
        for _ in range(steps):
            run.clock.now += reader.step()
        run.restart()
    run.drain()
    took = [event for event in run.events if not poison & set(numbers_of(event))]
    given_up = [payload for payload in run.letters.payloads if payload is not None]
    safe = {event_id(entry) for event in took + given_up for entry in event["Records"]}
    assert safe == {f"event-{number}" for number in range(20)}
    if kinesis is None:
        # However often it was killed, nothing was delivered before what comes before it.
        assert list(dict.fromkeys(delivered(run.invocations))) == list(range(20))
