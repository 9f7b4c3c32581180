"""Each safeguard of the mapping taken out: the simulation must notice.

What it then says is part of the proof: it noticed for the right reason.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from infra.local.mapping import checkpoint, consumer, delivery, kinesis, reader, streams
from infra.local.mapping.ahead import ReadAhead
from infra.local.mapping.checkpoint import Checkpoint, CheckpointFolder
from infra.local.mapping.delivery import Verdict
from infra.local.mapping.kinesis import Disorder
from infra.local.mapping.source import LATEST, Entry, Page
from shared.errors import FanoutError
from tests.support import simulation_shards
from tests.support.simulation import World
from tests.support.simulation_consumer import Plan
from tests.support.simulation_scenario import Scenario
from tests.support.simulation_watch import Broken

SEEDS = range(1, 9)
STREAM = (Plan("strict"), Plan("alone", "alone"))
BACKLOG = (Plan("backlog", settings={"batch_size": 3}),)
LIMITED = (Plan("limited", poison=7, settings={"retries": 1, "batch_size": 10}),)
KINESIS = (Plan("kinesis", "kinesis", disorder=Disorder(repeats=0.1, reorders=0.2)),)
GONE = (Plan("gone", away_hours=(0.3, 1.9)),)

LOST = "changed last|was said to be done|is the last it did"
Patch = pytest.MonkeyPatch


def checkpoint_before_the_outcome(patch: Patch) -> None:
    deliver = reader.ShardReader._deliver

    def early(self: reader.ShardReader, batch: delivery.Batch) -> float:
        self._progress.done(batch.entries[-1].mark)
        self._progress.save()
        return deliver(self, batch)

    patch.setattr(reader.ShardReader, "_deliver", early)


def children_before_their_parents(patch: Patch) -> None:
    def at_once(self: consumer.ConsumerReader, shard: Any, shards: Any) -> bool:
        return shard.shard_id not in self._readers and shard.shard_id not in self._finished

    patch.setattr(consumer.ConsumerReader, "_may_begin", at_once)


def failures_that_are_ignored(patch: Patch) -> None:
    def all_done(invocation: Any, entries: Sequence[Entry], report: bool) -> Verdict:
        verdict = delivery.judge(invocation, entries, report)
        return verdict if verdict.splits else Verdict(len(entries))

    patch.setattr(reader, "judge", all_done)


def the_last_failure_instead_of_the_first(patch: Patch) -> None:
    def last(response: Any, entries: Sequence[Entry]) -> Verdict:
        named = {each["itemIdentifier"] for each in response["batchItemFailures"]}
        places = [n for n, entry in enumerate(entries) if entry.sequence_number in named]
        if named and not places:
            return Verdict(0, splits=True)
        return Verdict(max(places, default=len(entries)))

    patch.setattr(delivery, "_judge_response", last)


def no_fsync(patch: Patch) -> None:
    patch.setattr(vars(checkpoint)["os"], "fsync", lambda descriptor: None)


def the_name_before_the_content(patch: Patch) -> None:
    def create(self: CheckpointFolder, shard_id: str, path: Path, saved: Checkpoint) -> None:
        draft = path.with_suffix(".new")
        self._folder.mkdir(parents=True, exist_ok=True)
        with draft.open("wb") as file:
            file.write(self._slot(shard_id, saved, 0) + checkpoint._BLANK)
            file.flush()
            draft.replace(path)
            vars(checkpoint)["os"].fsync(file.fileno())
        self._slots[shard_id] = checkpoint._Slots(0, 0)

    patch.setattr(CheckpointFolder, "_create", create)


def the_synced_slot_written_over(patch: Patch) -> None:
    write = CheckpointFolder._write

    def careless(
        self: CheckpointFolder, shard_id: str, path: Path, saved: Checkpoint, slots: Any, **how: Any
    ) -> None:
        write(self, shard_id, path, saved, slots, **how)
        slots.synced = 1 - slots.synced if not how["sync"] else slots.synced

    patch.setattr(CheckpointFolder, "_write", careless)


def given_up_before_the_destination_has_it(patch: Patch) -> None:
    send = reader.ShardReader._send

    def careless(self: reader.ShardReader, owed: Any) -> None:
        try:
            send(self, owed)
        except FanoutError:
            self._owed = None
            self._advance(self._batches[0], owed.count)

    patch.setattr(reader.ShardReader, "_send", careless)


def expired_iterators_replaced_by_latest(patch: Patch) -> None:
    def newest(self: streams.StreamCursor, limit: int) -> Page:
        expired = self._iterator is not None and self._stream.records(self._iterator, 1) is None
        if expired:
            self._position, self._iterator = LATEST, None
        return read(self, limit)

    read = streams.StreamCursor.read
    patch.setattr(streams.StreamCursor, "read", newest)


def a_late_record_that_holds_no_mark_back(patch: Patch) -> None:
    patch.setattr(kinesis.KinesisCursor, "_safe", lambda self, due=(): self._mark)


def a_page_ahead_that_a_failed_batch_takes_along(patch: Patch) -> None:
    def pause(self: reader.ShardReader, reason: str) -> float:
        self._cursor._ready.clear()
        return paused(self, reason)

    paused = reader.ShardReader._pause
    patch.setattr(reader.ShardReader, "_pause", pause)


def a_page_ahead_that_counts_as_read(patch: Patch) -> None:
    def read(self: ReadAhead, wanted: int) -> None:
        ahead(self, wanted)
        for sifted in self._ready:
            newest[self].read(sifted.page)

    def deliver(self: reader.ShardReader, batch: delivery.Batch) -> float:
        newest[self._cursor] = self._progress
        return delivered(self, batch)

    newest: dict[ReadAhead, Any] = {}
    ahead, delivered = ReadAhead._read, reader.ShardReader._deliver
    patch.setattr(ReadAhead, "_read", read)
    patch.setattr(reader.ShardReader, "_deliver", deliver)


def a_gap_that_is_not_told(patch: Patch) -> None:
    patch.setattr(consumer.ConsumerReader, "_tell_gap", lambda self, shard_id, after: None)
    patch.setattr(reader.ShardReader, "_owe_gap", lambda self, reason: None)


def a_gap_before_this_run_that_is_not_told(patch: Patch) -> None:
    patch.setattr(consumer.ConsumerReader, "_tell_gap", lambda self, shard_id, after: None)


BREAKAGES: list[tuple[Callable[[Patch], None], tuple[Plan, ...], str]] = [
    (checkpoint_before_the_outcome, STREAM, LOST),
    (children_before_their_parents, STREAM, "is the last it did"),
    (failures_that_are_ignored, STREAM, LOST),
    (the_last_failure_instead_of_the_first, STREAM, LOST),
    (no_fsync, STREAM, "is torn or was changed"),
    (the_name_before_the_content, STREAM, "is torn or was changed"),
    (the_synced_slot_written_over, STREAM, "is torn or was changed"),
    (given_up_before_the_destination_has_it, LIMITED, LOST),
    (expired_iterators_replaced_by_latest, STREAM, LOST),
    (a_late_record_that_holds_no_mark_back, KINESIS, LOST),
    (a_page_ahead_that_a_failed_batch_takes_along, BACKLOG, LOST),
    (a_page_ahead_that_counts_as_read, BACKLOG, LOST),
    (a_gap_that_is_not_told, GONE, LOST),
    (a_gap_before_this_run_that_is_not_told, GONE, LOST),
]


def scenario(plans: tuple[Plan, ...], seed: int) -> Scenario:
    return Scenario(
        seed,
        2.2 if plans is GONE else 0.7,
        plans,
        items=30,
        reshard_minutes=9 if plans is GONE else 4,
        trouble_minutes=0.7,
    )


@pytest.fixture(autouse=True)
def short_memory(monkeypatch: Patch) -> None:
    """A stream that keeps an hour instead of a day."""
    monkeypatch.setattr(simulation_shards, "RETENTION_SECONDS", 3_600.0)
    monkeypatch.setattr(reader, "_KEPT_SECONDS", 3_450.0)


@pytest.mark.parametrize(
    ("take_out", "plans", "says"), BREAKAGES, ids=[each[0].__name__ for each in BREAKAGES]
)
def test_a_safeguard_taken_out_is_noticed(
    folder: Path,
    monkeypatch: Patch,
    take_out: Callable[[Patch], None],
    plans: tuple[Plan, ...],
    says: str,
) -> None:
    def play() -> None:
        for seed in SEEDS:
            with monkeypatch.context() as patch:
                world = World(scenario(plans, seed), folder / str(seed), patch)
                take_out(patch)
                world.run()

    with pytest.raises(Broken, match=says):
        play()


@pytest.mark.parametrize(
    "plans", [STREAM, BACKLOG, LIMITED, KINESIS, GONE], ids=lambda plans: plans[0].name
)
def test_with_all_of_them_nothing_is(
    folder: Path, monkeypatch: Patch, plans: tuple[Plan, ...]
) -> None:
    for seed in SEEDS[:3]:
        World(scenario(plans, seed), folder / str(seed), monkeypatch).run()
