"""The next page is read during an invocation, and nobody can tell by what is delivered."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from infra.local.mapping import ahead
from infra.local.mapping.kinesis import Disorder
from infra.local.mapping.source import Trimmed
from shared.errors import Unavailable
from shared.filters import wrap_for_kinesis
from tests.support.mapping import (
    SHARD,
    Rig,
    ScriptedShard,
    at_once,
    delivered,
    identifier,
    number_of,
    raises,
    record,
    reports,
    took,
)


def when_needed(call: Callable[[], None]) -> Callable[[], None]:
    return call


def filled(rig: Rig, count: int) -> Rig:
    rig.scripted.put(*[record(number) for number in range(count)])
    return rig


def test_a_page_is_read_during_the_invocation_of_the_one_before(tmp_path: Path) -> None:
    reads = []

    def answer(numbers: list[int], event: Mapping[str, Any]) -> Any:
        reads.append(rig.scripted.reads)
        return took(numbers, event)

    rig = filled(Rig(tmp_path, answer, batch_size=2), 6)
    rig.drain()
    assert rig.invocations == [[0, 1], [2, 3], [4, 5]]
    assert reads == [2, 3, 4]


def test_at_the_end_of_the_stream_nothing_is_read_ahead(tmp_path: Path) -> None:
    reads = []

    def answer(numbers: list[int], event: Mapping[str, Any]) -> Any:
        reads.append(rig.scripted.reads)
        return took(numbers, event)

    rig = filled(Rig(tmp_path, answer, batch_size=10), 3)
    rig.drain()
    assert reads == [1]


def test_a_page_that_1_mb_ended_is_not_taken_for_the_last(tmp_path: Path) -> None:
    reads = []

    def answer(numbers: list[int], event: Mapping[str, Any]) -> Any:
        reads.append(rig.scripted.reads)
        return took(numbers, event)

    rig = filled(Rig(tmp_path, answer, batch_size=10), 3)
    rig.scripted.many = 3
    rig.drain()
    assert reads == [2]


def test_an_empty_page_ahead_is_old_news(tmp_path: Path) -> None:
    """What came during the invocation is delivered at once behind it."""
    later = [record(2)]

    def answer(numbers: list[int], event: Mapping[str, Any]) -> Any:
        if later:
            rig.scripted.put(later.pop())
        return took(numbers, event)

    rig = filled(Rig(tmp_path, answer, batch_size=2), 2)
    rig.drain()
    assert rig.invocations == [[0, 1], [2]]
    assert rig.times[0] == rig.times[1]


def test_while_a_batch_fails_one_page_is_ahead_and_no_more(tmp_path: Path) -> None:
    rig = filled(Rig(tmp_path, raises, batch_size=2), 10)
    rig.run(60)
    assert len(rig.invocations) > 5
    assert rig.scripted.reads == 2
    assert rig.consumer.status().lag_records == 10
    rig.answer = took
    rig.drain()
    assert rig.invocations[-5:] == [[0, 1], [2, 3], [4, 5], [6, 7], [8, 9]]


def test_redelivery_begins_at_the_first_failure_though_more_was_read(tmp_path: Path) -> None:
    rig = filled(Rig(tmp_path, reports(1), batch_size=3), 6)
    rig.run(5)
    assert rig.invocations[:3] == [[0, 1, 2], [1, 2], [1, 2]]
    rig.answer = took
    rig.drain()
    assert rig.invocations[-2:] == [[1, 2], [3, 4, 5]]


def test_a_kill_forgets_what_was_only_read(tmp_path: Path) -> None:
    rig = filled(Rig(tmp_path, batch_size=2), 4)
    rig.readers = rig.consumer.discover()
    while not rig.invocations:
        rig.readers[0].step()
    rig.readers[0].step()  # the checkpoint of the first batch
    assert rig.scripted.reads == 2
    rig.restart()
    rig.drain()
    assert rig.invocations == [[0, 1], [2, 3]]


def test_a_failing_read_ahead_is_told_when_its_page_is_needed(tmp_path: Path) -> None:
    troubles = []

    def answer(numbers: list[int], event: Mapping[str, Any]) -> Any:
        troubles.append(rig.consumer.status().numbers.troubles)
        return took(numbers, event)

    rig = filled(Rig(tmp_path, answer, batch_size=2), 4)
    rig.scripted.during = [
        lambda: None,
        lambda: rig.scripted.fail.append(Unavailable("the stream is away")),
    ]
    rig.drain()
    assert rig.invocations == [[0, 1], [2, 3]]
    assert rig.times[1] > rig.times[0]
    assert troubles == [0, 1]
    assert "the stream is away" in rig.consumer.status().last_error


def test_records_forgotten_ahead_are_told_behind_the_batch(tmp_path: Path) -> None:
    told = []

    def answer(numbers: list[int], event: Mapping[str, Any]) -> Any:
        told.append(len(rig.letters.documents))
        return took(numbers, event)

    rig = filled(Rig(tmp_path, answer, batch_size=2), 6)

    def forget() -> None:
        rig.scripted.by_id[SHARD].trimmed = 4
        rig.scripted.fail.append(Trimmed("forgotten"))

    rig.scripted.during = [lambda: None, forget]
    rig.drain()
    assert rig.invocations == [[0, 1], [4, 5]]
    assert told == [0, 1]


def test_a_child_waits_for_a_last_page_that_was_read_ahead(tmp_path: Path) -> None:
    rig = filled(Rig(tmp_path, reports(0), batch_size=2), 3)
    rig.scripted.by_id[SHARD].closed = True
    rig.scripted.by_id["child"] = ScriptedShard((SHARD,))
    rig.scripted.put(record(3), shard_id="child")
    rig.run(3)
    assert set(delivered(rig.invocations)) == {0, 1}
    rig.answer = took
    rig.drain()
    assert rig.invocations[-3:] == [[0, 1], [2], [3]]


def test_a_machine_without_threads_reads_when_it_needs_to(monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left(thread: Any) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr("threading.Thread.start", none_left)
    calls: list[int] = []
    wait = ahead.in_thread(lambda: calls.append(1))
    assert not calls
    wait()
    assert calls == [1]


@pytest.mark.parametrize("seed", range(20))
def test_deliveries_and_their_times_are_those_without(tmp_path: Path, seed: int) -> None:
    """Windows, retries, ages, halves, giving up: whatever a page's reading could touch."""

    def played(name: str, beside: ahead.Beside) -> tuple[Any, ...]:
        chance, faults = random.Random(seed), random.Random(seed + 1)

        def answer(numbers: list[int], event: Mapping[str, Any]) -> Any:
            if faults.random() < 0.3:
                return raises(numbers, event)
            named = [each for each in event["Records"] if faults.random() < 0.1]
            return {"batchItemFailures": [{"itemIdentifier": identifier(each)} for each in named]}

        disorder = chance.choice([None, Disorder(0.2, 0.2, seed=seed)])
        some = json.dumps({"dynamodb": {"Keys": {"PK": {"S": [{"prefix": "SCORE#s-1"}]}}}})
        rig = Rig(
            tmp_path / name,
            answer,
            kinesis=disorder,
            filters=chance.choice([[], [wrap_for_kinesis(some) if disorder else some]]),
            batch_size=chance.randint(1, 9),
            window_seconds=chance.choice([0, 0, 2, 5]),
            retries=chance.choice([-1, 2]),
            record_age_seconds=chance.choice([-1, 60]),
            bisect=chance.random() < 0.5,
        )
        rig.wiring = replace(rig.wiring, beside=beside)
        rig.restart()
        filled(rig, 60).run(30)
        if chance.random() < 0.5:
            rig.restart()
        rig.drain()
        payloads = filter(None, rig.letters.payloads)
        given_up = [number_of(each) for event in payloads for each in event["Records"]]
        return rig.invocations, rig.times, given_up, rig.consumer.status().numbers

    with_it = played("ahead", at_once)
    assert with_it == played("plain", when_needed)
    assert with_it[0]


THIRDS = range(0, 200, 3)
ONE_IN_THREE = json.dumps(
    {"dynamodb": {"Keys": {"PK": {"S": [f"SCORE#s-{number}" for number in THIRDS]}}}}
)


def test_a_batch_is_filled_from_what_was_read_during_the_one_before(tmp_path: Path) -> None:
    """However many pages that takes, and without waiting for it when the function is idle."""
    rig = filled(Rig(tmp_path, batch_size=10, filters=[ONE_IN_THREE]), 200)
    rig.drain()
    assert [len(batch) for batch in rig.invocations] == [4, 10, 10, 10, 10, 10, 10, 3]
    assert delivered(rig.invocations) == list(THIRDS)
    assert rig.times[0] == rig.times[-1]


def test_one_thread_at_a_time_reads_ahead(tmp_path: Path) -> None:
    """Though the batch under way is tried again before it has ended."""
    begun: list[Callable[[], None]] = []

    def beside(call: Callable[[], None]) -> Callable[[], None]:
        begun.append(call)
        return call

    rig = Rig(tmp_path, raises, batch_size=2)
    rig.wiring = replace(rig.wiring, beside=beside)
    rig.restart()
    filled(rig, 10).run(60)
    assert len(rig.invocations) > 5
    assert len(begun) == 1


def test_not_more_is_read_ahead_than_one_batch_and_ten_pages(tmp_path: Path) -> None:
    reads = []

    def answer(numbers: list[int], event: Mapping[str, Any]) -> Any:
        reads.append(rig.scripted.reads)
        return took(numbers, event)

    rig = filled(Rig(tmp_path, answer, batch_size=2), 40)
    rig.drain()
    assert max(after - before for before, after in pairwise(reads)) == 1
    reads.clear()
    some = json.dumps({"dynamodb": {"Keys": {"PK": {"S": ["SCORE#s-1", "SCORE#s-90"]}}}})
    rig = filled(Rig(tmp_path / "few", answer, batch_size=2, filters=[some]), 100)
    rig.drain()
    assert rig.invocations == [[1], [90]]
    assert reads[0] == 1 + ahead.MAX_PAGES


def test_what_is_read_ahead_has_6_mb_at_most_and_a_page(tmp_path: Path) -> None:
    reads = []

    def answer(numbers: list[int], event: Mapping[str, Any]) -> Any:
        reads.append(rig.scripted.reads)
        return took(numbers, event)

    rig = Rig(tmp_path, answer, batch_size=100)
    rig.scripted.page = rig.scripted.many = 4
    rig.scripted.put(*[record(number, note="x" * 390_000) for number in range(60)])
    rig.drain()
    assert reads[0] == 6
    assert max(rig.sizes) <= 6 * 1024 * 1024
    assert delivered(rig.invocations) == list(range(60))


def test_a_filter_that_fails_loses_no_page(tmp_path: Path) -> None:
    """Our own fault, in the thread that reads ahead: loud, and tried again with the same page."""

    class Failing:
        def __init__(self) -> None:
            self.left = 3

        def matches(self, view: Mapping[str, Any]) -> bool:
            if view["dynamodb"]["Keys"]["PK"]["S"] == "SCORE#s-3" and self.left:
                self.left -= 1
                raise ZeroDivisionError
            return True

    rig = Rig(tmp_path, batch_size=2)
    rig.configure(filter=Failing())
    filled(rig, 6)
    faults = 0
    for _ in range(50):
        try:
            rig.run(1)
        except ZeroDivisionError:
            faults += 1
    assert faults == 3
    assert rig.invocations == [[0, 1], [2, 3], [4, 5]]
