"""The mappings at work, in threads and in real time: starting, stopping, faults of our own."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from infra.local.lambda_runtime.invocation import Invocation
from infra.local.mapping import mapping as module
from infra.local.mapping.ahead import in_thread
from infra.local.mapping.checkpoint import CheckpointDamaged, CheckpointFolder
from infra.local.mapping.mapping import Mappings
from infra.local.mapping.source import SystemClock
from infra.local.mapping.wiring import Wiring
from shared.errors import Unavailable
from shared.filters import compile_filters
from tests.support.mapping import (
    SHARD,
    Rig,
    ScriptedShard,
    ScriptedStream,
    delivered,
    numbers_of,
    record,
    sequence,
)
from tests.support.records import STREAM_ARN
from tests.support.servers import eventually

Took = list[list[int]]


def wired(
    tmp_path: Path, stream: ScriptedStream, name: str, invoke: Callable[[bytes], Any]
) -> Wiring:
    rig = Rig(tmp_path)
    return replace(
        rig.wiring,
        config=replace(rig.wiring.config, consumer=name),
        stream=stream,
        invoke=invoke,
        checkpoints=CheckpointFolder(tmp_path, name, STREAM_ARN),
        clock=SystemClock(),
        beside=in_thread,
    )


def taking(took: Took) -> Callable[[bytes], Invocation]:
    def invoke(payload: bytes) -> Invocation:
        took.append(numbers_of(json.loads(payload)))
        return Invocation("r", b"{}")

    return invoke


@pytest.fixture
def stream() -> ScriptedStream:
    made = ScriptedStream(SystemClock())  # type: ignore[arg-type]
    made.put(record(0))
    return made


def threads_of(name: str) -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith(name)]


def test_each_consumer_is_served_by_itself(tmp_path: Path, stream: ScriptedStream) -> None:
    held, quick = threading.Event(), Took()

    def stuck(payload: bytes) -> Invocation:
        held.wait(60)
        return Invocation("r", b"{}")

    mappings = Mappings(
        [
            wired(tmp_path, stream, "stuck", stuck),
            wired(tmp_path, stream, "quick", taking(quick)),
        ]
    )
    mappings.start()
    stream.put(record(1))
    eventually(lambda: delivered(quick) == [0, 1], "the quick one has both")
    waiting, done = mappings.status()
    assert (waiting.numbers.delivered, done.numbers.delivered) == (0, 2)
    # A stop does not wait for ever, and says so.
    assert not mappings.stop(0.1)
    held.set()
    assert mappings.stop()
    assert not threads_of("stuck") + threads_of("quick")


def test_news_wake_a_quiet_consumer(tmp_path: Path, stream: ScriptedStream, monkeypatch) -> None:
    monkeypatch.setattr("infra.local.mapping.reader.IDLE_SECONDS", 3600.0)
    took = Took()
    mappings = Mappings([wired(tmp_path, stream, "toy", taking(took))])
    mappings.start()
    eventually(lambda: took == [[0]], "the first record")
    eventually(lambda: mappings.status()[0].caught_up_at_ms, "it is quiet")
    stream.put(record(1))
    eventually(lambda: took == [[0], [1]], "the second record")
    assert mappings.stop()


def test_a_stop_saves_what_is_done_and_the_next_run_goes_on(
    tmp_path: Path, stream: ScriptedStream
) -> None:
    took = Took()
    for number in range(1, 4):
        mappings = Mappings([wired(tmp_path, stream, "toy", taking(took))])
        mappings.start()
        eventually(lambda: len(took) >= number, "one more record")  # noqa: B023
        assert mappings.stop()
        assert mappings.stop()
        stream.put(record(number))
    assert took == [[0], [1], [2]]


def test_a_stop_saves_that_records_were_filtered(tmp_path: Path, stream: ScriptedStream) -> None:
    wiring = wired(tmp_path, stream, "toy", taking([]))
    nothing = compile_filters(['{"eventName": ["REMOVE"]}'])
    mappings = Mappings([replace(wiring, config=replace(wiring.config, filter=nothing))])
    mappings.start()
    eventually(lambda: mappings.status()[0].numbers.filtered == 1, "it is filtered")
    assert mappings.stop()
    saved = wiring.checkpoints.load(SHARD)
    assert saved is not None
    assert saved.mark == sequence(0)


def test_a_mapping_that_was_never_started_can_be_stopped(
    tmp_path: Path, stream: ScriptedStream
) -> None:
    assert Mappings([wired(tmp_path, stream, "toy", taking([]))]).stop()


def test_new_shards_are_read_as_soon_as_their_parent_is_done(
    tmp_path: Path, stream: ScriptedStream
) -> None:
    took = Took()
    mappings = Mappings([wired(tmp_path, stream, "toy", taking(took))])
    mappings.start()
    stream.by_id["child"] = ScriptedShard(parents=(SHARD,))
    stream.put(record(5), shard_id="child")
    stream.by_id[SHARD].closed = True
    eventually(lambda: took == [[0], [5]], "the child's record", seconds=8)
    assert mappings.stop()


def test_a_damaged_checkpoint_stops_the_start(tmp_path: Path, stream: ScriptedStream) -> None:
    wiring = wired(tmp_path, stream, "toy", taking([]))
    mappings = Mappings([wiring])
    mappings.start()
    eventually(lambda: mappings.status()[0].caught_up_at_ms, "something to save")
    mappings.stop()
    (path,) = tmp_path.rglob("*.json")
    path.write_text("")
    with pytest.raises(CheckpointDamaged):
        Mappings([wiring]).start()
    assert not threads_of("toy")


def test_a_damaged_checkpoint_found_later_stops_that_consumer_alone(
    tmp_path: Path, stream: ScriptedStream
) -> None:
    took = Took()
    mappings = Mappings(
        [
            wired(tmp_path, stream, "hurt", taking([])),
            wired(tmp_path, stream, "sound", taking(took)),
        ]
    )
    mappings.start()
    eventually(lambda: all(each.caught_up_at_ms for each in mappings.status()), "both read")
    saved = next(path for path in tmp_path.rglob("*.json") if "hurt" in str(path))
    saved.with_name("child.json").write_text("{")
    stream.by_id["child"] = ScriptedShard(parents=(SHARD,))
    stream.by_id[SHARD].closed = True
    stream.put(record(7), shard_id="child")
    eventually(lambda: mappings.status()[0].stopped, "the hurt one says so")
    assert "child.json" in mappings.status()[0].stopped
    eventually(lambda: took[-1] == [7], "the sound one goes on")
    assert mappings.stop()


def test_a_stream_that_is_away_at_the_start_is_waited_for(
    tmp_path: Path, stream: ScriptedStream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_ERROR_PAUSE_SECONDS", 0.05)
    away = threading.Event()
    listed = stream.shards

    def shards() -> Any:
        if not away.is_set():
            raise Unavailable("no answer yet")
        return listed()

    monkeypatch.setattr(stream, "shards", shards)
    took = Took()
    mappings = Mappings([wired(tmp_path, stream, "toy", taking(took))])
    mappings.start()
    assert mappings.status()[0].last_error == "no answer yet"
    away.set()
    eventually(lambda: took == [[0]], "the record")
    assert mappings.stop()


def test_a_fault_in_our_own_code_is_loud_and_loses_nothing(
    tmp_path: Path,
    stream: ScriptedStream,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(module, "_ERROR_PAUSE_SECONDS", 0.05)
    took = Took()
    take, calls = taking(took), Took()

    def faulty(payload: bytes) -> Invocation:
        calls.append([])
        if len(calls) < 3:
            raise ZeroDivisionError
        return take(payload)

    mappings = Mappings([wired(tmp_path, stream, "toy", faulty)])
    with caplog.at_level(logging.ERROR, "fanout.mapping"):
        mappings.start()
        eventually(lambda: took == [[0]], "the record, in the end")
    assert mappings.status()[0].last_error == "the mapping itself failed with ZeroDivisionError"
    assert mappings.stop()
    assert (
        len([each for each in caplog.records if "the mapping of toy failed" in each.message]) == 2
    )


def test_the_next_page_is_read_while_a_batch_is_delivered(
    tmp_path: Path, stream: ScriptedStream
) -> None:
    read, took = threading.Event(), Took()

    def once_it_is_read(payload: bytes) -> Invocation:
        assert read.wait(60), "nobody reads on"
        return taking(took)(payload)

    stream.put(record(1))
    stream.during = [lambda: None, read.set]
    wiring = wired(tmp_path, stream, "toy", once_it_is_read)
    mappings = Mappings([replace(wiring, config=replace(wiring.config, batch_size=1))])
    mappings.start()
    eventually(lambda: took == [[0], [1]], "both records")
    assert mappings.stop()


def test_a_stop_waits_for_no_read_ahead(tmp_path: Path, stream: ScriptedStream) -> None:
    reading, answers, took = threading.Event(), threading.Event(), Took()

    def hang() -> None:
        reading.set()
        answers.wait(60)

    def until_a_stop(payload: bytes) -> Invocation:
        assert reading.wait(60)
        mappings._served[0].begin_stop()
        return taking(took)(payload)

    stream.put(record(1))
    stream.during = [lambda: None, hang]
    wiring = wired(tmp_path, stream, "toy", until_a_stop)
    mappings = Mappings([replace(wiring, config=replace(wiring.config, batch_size=1))])
    mappings.start()
    eventually(lambda: took == [[0]], "the first record")
    assert mappings.stop(30)
    assert not answers.is_set()
    answers.set()
    again = Mappings([wired(tmp_path, stream, "toy", taking(took))])
    again.start()
    eventually(lambda: took == [[0], [1]], "what was only read comes in the next run")
    assert again.stop()
