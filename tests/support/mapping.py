"""A stream, a function and a clock by script, around the real event source mapping.

Nothing here sleeps: `Rig.run` advances the clock by what the mapping asks for.
"""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from infra.local.lambda_runtime.invocation import Failure, Invocation
from infra.local.mapping.checkpoint import CheckpointFolder
from infra.local.mapping.config import MappingConfig
from infra.local.mapping.consumer import ConsumerReader
from infra.local.mapping.failure import Place
from infra.local.mapping.kinesis import Disorder, KinesisStream
from infra.local.mapping.lambda_records import StreamEntry
from infra.local.mapping.reader import ShardReader
from infra.local.mapping.source import (
    LATEST,
    TRIM_HORIZON,
    Page,
    Shard,
    Stream,
    StreamGone,
    Trimmed,
)
from infra.local.mapping.wiring import Wiring
from shared.errors import Unavailable
from shared.filters import compile_filters
from tests.support.records import CREATED, STREAM_ARN, score, stream_record

SHARD = "shardId-00000001760000000000-aaaaaaaa"
FUNCTION_ARN = "arn:aws:lambda:eu-west-1:000000000000:function:fanout-toy"
START = CREATED + 0.25


class FakeClock:
    """A clock that moves only when told to."""

    def __init__(self) -> None:
        self.now = START

    def wall(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now


def record(number: int, created: float = CREATED, **attributes: Any) -> dict[str, Any]:
    """The change with this number; its sequence number ends in it."""
    item = score(f"s-{number}", **attributes)
    made = stream_record(None, item, sequence=number, created=created)
    del made["eventSourceARN"]  # Lambda adds it
    return made


def numbers_of(event: Mapping[str, Any]) -> list[int]:
    """The numbers of an event's records."""
    return [number_of(entry) for entry in event["Records"]]


def number_of(entry: Mapping[str, Any]) -> int:
    """The number that `record` was given; from Kinesis, through the stream's digits."""
    if "kinesis" in entry:
        return int(entry["kinesis"]["sequenceNumber"][2:42]) % 10**12
    return int(entry["dynamodb"]["SequenceNumber"]) % 10**12


def sequence(number: int) -> str:
    """The sequence number of `record(number)`."""
    made: str = record(number)["dynamodb"]["SequenceNumber"]
    return made


@dataclass
class ScriptedShard:
    """A shard: its records, oldest first; `trimmed` of them are gone."""

    parents: tuple[str, ...] = ()
    entries: list[StreamEntry] = field(default_factory=list)
    closed: bool = False
    trimmed: int = 0


class ScriptedStream:
    """A stream in memory. `fail` makes the next reads raise, `during` happens in them."""

    arn = STREAM_ARN
    batch_info = "DDBStreamBatchInfo"

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.by_id: dict[str, ScriptedShard] = {SHARD: ScriptedShard()}
        self.fail: list[Exception] = []
        self.during: list[Callable[[], object]] = []
        # A page has so many records at most, and one of `many` is not taken for the last.
        self.page, self.many = 1_000, 100
        self.reads = 0
        self.wakes: list[Callable[[], None]] = []

    def put(self, *records: dict[str, Any], shard_id: str = SHARD) -> None:
        self.by_id[shard_id].entries += [StreamEntry(each, self.arn) for each in records]
        for wake in self.wakes:
            wake()

    def shards(self) -> Sequence[Shard]:
        return [Shard(shard_id, shard.parents) for shard_id, shard in self.by_id.items()]

    def public_shard_id(self, shard_id: str) -> str:
        return shard_id

    def open(self, shard_id: str, position: str) -> ScriptedCursor:
        return ScriptedCursor(self, shard_id, position)

    def on_news(self, shard_id: str, wake: Callable[[], None]) -> None:
        self.wakes.append(wake)


class ScriptedCursor:
    def __init__(self, stream: ScriptedStream, shard_id: str, position: str) -> None:
        self.stream, self.shard_id, self.position = stream, shard_id, position
        self.at: int | None = None

    def read(self, limit: int) -> Page:
        stream = self.stream
        stream.reads += 1
        if stream.during:
            stream.during.pop(0)()
        if stream.fail:
            raise stream.fail.pop(0)
        shard = stream.by_id.get(self.shard_id)
        if shard is None:
            raise StreamGone("no such shard")
        if self.at is None:
            self.at = self._find(shard)
        if self.at < shard.trimmed:
            raise Trimmed("forgotten")
        found = shard.entries[self.at : self.at + min(limit, stream.page)]
        self.at += len(found)
        closed = shard.closed and self.at == len(shard.entries)
        if found:
            self.position = found[-1].mark
        mark = "" if self.position in {TRIM_HORIZON, LATEST} else self.position
        caught_up = None if found or closed else stream.clock.wall()
        more = not closed and len(found) >= min(limit, stream.many)
        return Page(found, mark, closed, more, caught_up)

    def _find(self, shard: ScriptedShard) -> int:
        if self.position == TRIM_HORIZON:
            return shard.trimmed
        if self.position == LATEST:
            return len(shard.entries)
        marks = [entry.mark for entry in shard.entries]
        at = marks.index(self.position)
        if at < shard.trimmed:
            raise Trimmed("forgotten")  # behind which record that would be cannot be told
        return at + 1

    def behind(self) -> int:
        return len(self.stream.by_id[self.shard_id].entries) - (self.at or 0)


class Letters:
    """The on-failure destination; `down` makes the next messages fail."""

    def __init__(self) -> None:
        self.documents: list[dict[str, Any]] = []
        self.payloads: list[dict[str, Any] | None] = []
        self.down = 0

    def send(self, place: Place, document: dict[str, Any], event: bytes | None, now: float) -> None:
        if self.down:
            self.down -= 1
            raise Unavailable("the queue is away")
        self.documents.append(document)
        self.payloads.append(json.loads(event) if event is not None else None)


Answer = Callable[[list[int], Mapping[str, Any]], Any]


class Raised(Exception):
    """The handler is to raise."""


def took(entry_numbers: list[int], event: Mapping[str, Any]) -> Any:
    """A handler that takes everything."""
    return {"batchItemFailures": []}


def raises(entry_numbers: list[int], event: Mapping[str, Any]) -> Any:
    """A handler that raises."""
    raise Raised


def identifier(entry: Mapping[str, Any]) -> str:
    """What a handler names a record by."""
    if "kinesis" in entry:
        return str(entry["kinesis"]["sequenceNumber"])
    return str(entry["dynamodb"]["SequenceNumber"])


def reports(*failing: int) -> Answer:
    """A handler that names these records as failed, in this order, wherever they come."""

    def answer(entry_numbers: list[int], event: Mapping[str, Any]) -> Any:
        found = {number_of(entry): identifier(entry) for entry in event["Records"]}
        named = [{"itemIdentifier": found[each]} for each in failing if each in found]
        return {"batchItemFailures": named}

    return answer


def at_once(call: Callable[[], None]) -> Callable[[], None]:
    """Reads ahead before the invocation begins; without threads."""
    call()
    return lambda: None


class Rig:
    """One consumer on one stream: everything real but the stream, the function and time."""

    def __init__(
        self,
        folder: Path,
        answer: Answer = took,
        *,
        kinesis: Disorder | None = None,
        filters: Sequence[str] = (),
        **config: Any,
    ) -> None:
        self.clock = FakeClock()
        self.scripted = ScriptedStream(self.clock)
        self.stream: Stream = self.scripted
        if kinesis is not None:
            self.stream = KinesisStream(self.scripted, 1, kinesis)
        self.letters = Letters()
        self.answer = answer
        self.invocations: list[list[int]] = []
        self.times: list[float] = []
        self.sizes: list[int] = []
        self.events: list[dict[str, Any]] = []
        self._later: list[tuple[float, Callable[[], None]]] = []
        settings = {"filter": compile_filters(filters), "bisect": False, **config}
        self.wiring = Wiring(
            MappingConfig("toy", FUNCTION_ARN, **settings),
            self.stream,
            self._invoke,
            self.letters,
            CheckpointFolder(folder, "toy", STREAM_ARN),
            self.clock,
            random.Random(1),
            at_once,
        )
        self.consumer = ConsumerReader(self.wiring)
        self.readers: list[ShardReader] = []

    def restart(self) -> None:
        """As after a kill: only what is on disk is left."""
        self.consumer = ConsumerReader(self.wiring)
        self.readers = []

    def configure(self, **config: Any) -> None:
        """Other settings, from the next restart on."""
        self.wiring = replace(self.wiring, config=replace(self.wiring.config, **config))
        self.restart()

    def at(self, seconds: float, action: Callable[[], None]) -> None:
        """Do something so many seconds from now."""
        self._later.append((self.clock.now + seconds, action))
        self._later.sort(key=lambda each: each[0])

    def run(self, seconds: float) -> None:
        """Let the mapping work for so long."""
        end = self.clock.now + seconds
        while self.clock.now < end:
            self.readers += self.consumer.discover()
            self.readers = [reader for reader in self.readers if not reader.finished]
            pauses = [reader.step() for reader in self.readers] or [0.1]
            if min(pauses) > 0:
                until = min(self.clock.now + min(pauses), end)
                if self._later and self._later[0][0] <= until:
                    moment, action = self._later.pop(0)
                    self.clock.now = max(self.clock.now, moment)
                    action()
                else:
                    self.clock.now = until

    def drain(self) -> None:
        """Let the mapping work until all that is in the stream is done."""
        begun = self.clock.now
        for _ in range(1_000):
            if self.consumer.status().caught_up_at_ms / 1000 > begun:
                return
            self.run(1)
        raise AssertionError(f"not drained: {self.consumer.status()}")

    def _invoke(self, payload: bytes) -> Invocation:
        event = json.loads(payload)
        entry_numbers = numbers_of(event)
        self.invocations.append(entry_numbers)
        self.times.append(self.clock.now)
        self.sizes.append(len(payload))
        self.events.append(event)
        try:
            response = self.answer(entry_numbers, event)
        except Raised:
            return Invocation("request-1", None, Failure.RAISED, "ValueError", "as asked")
        return Invocation("request-1", json.dumps(response).encode())


def event_id(entry: Mapping[str, Any]) -> str:
    """The change's own id, through Kinesis or not."""
    if "kinesis" in entry:
        entry = json.loads(base64.b64decode(entry["kinesis"]["data"]))
    return str(entry["eventID"])


def delivered(invocations: Iterable[Sequence[int]]) -> list[int]:
    """All numbers in the order of their deliveries."""
    return [number for batch in invocations for number in batch]
