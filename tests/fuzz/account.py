"""What became of every record: written, of no concern, or parked whole. There is no fourth way."""

import importlib
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

from consumers.audit.sink import ArchiveSink
from consumers.cache.sink import CacheSink
from consumers.metrics.sink import MetricsSink
from consumers.registry import REGISTRY
from consumers.search.sink import SearchSink
from consumers.totals.sink import TotalsSink
from shared.clock import Deadline
from shared.parking import DeadLetterQueue
from shared.records import Record
from shared.runtime import Consumer, Sink, WriteResult
from shared.spec import ConsumerSpec
from tests.fuzz.ends import MemoryAws, MemoryCache, MemoryLog, MemorySearch
from tests.fuzz.material import Batch

NOTHING: dict[str, list[Any]] = {"batchItemFailures": []}


@dataclass
class _Watched:
    """A sink, and a look at what it is given."""

    sink: Sink[Any]
    written: list[Any] = field(default_factory=list)

    def write(self, operations: Sequence[Any], deadline: Deadline) -> WriteResult:
        result = self.sink.write(operations, deadline)
        assert not result.unavailable
        self.written += [op for at, op in enumerate(operations) if at not in result.rejected]
        return result

    def probe(self, deadline: Deadline) -> None:
        self.sink.probe(deadline)


class Desk:
    """One consumer at work on its ends in memory, with every record accounted for."""

    def __init__(self, spec: ConsumerSpec, log: MemoryLog) -> None:
        self.name = spec.name
        self.aws = MemoryAws()
        self.total: Counter[str] = Counter()
        self._log = log
        self._sink = _Watched(self._open(spec.name))
        self._project = importlib.import_module(f"consumers.{spec.name}.projection").project
        self._made: list[tuple[Any, Any]] = []  # raw record, operation
        self._passed = 0
        queue = DeadLetterQueue(spec.name, "queue", "bucket")
        self._consumer = Consumer[Any](spec, self._watch, self._sink, queue)

    def _open(self, name: str) -> Sink[Any]:
        self._arrived = self._log.names if name == "metrics" else self.aws.names
        match name:
            case "audit":
                with mock.patch("consumers.audit.sink.Bucket", self.aws.bucket):
                    return ArchiveSink("bucket")
            case "metrics":
                return MetricsSink()
            case "cache":
                cache = MemoryCache()
                self._arrived = cache.names
                return CacheSink(cache)
            case "search":
                index = MemorySearch()
                self._arrived = index.names
                return SearchSink(index)  # type: ignore[arg-type]
            case "totals":
                return TotalsSink(self.aws, "table", "ledger")
        raise LookupError(f"say here how the sink of {name} is opened on an end in memory")

    def _watch(self, record: Record) -> Any:
        operation = self._project(record)
        if operation is None:
            self._passed += 1
        else:
            self._made.append((record.raw, operation))
        return operation

    def take(self, batch: Batch, refuse: bool = False) -> None:
        """Deliver a batch, redelivered once if `refuse`, and account for all of it."""
        entries = batch.entries
        with self._at_its_ends():
            if refuse:
                entries = self._refused(entries)
                if not entries:
                    return
            self._delivered(batch, entries)
        missing = batch.good[self.name]
        assert missing in self._arrived, f"{self.name}: a good record was lost: {missing}"
        self._arrived.clear()

    @contextmanager
    def _at_its_ends(self) -> Iterator[None]:
        with mock.patch("shared.parking.aws_client", self._client):
            yield

    def _client(self, *_: Any) -> MemoryAws:
        return self.aws

    def _refused(self, entries: list[Any]) -> list[Any]:
        """Deliver while parking fails; what is left to redeliver."""
        self.aws.refusing = True
        answer = self._consumer.consume({"Records": entries})
        self.aws.refusing = False
        assert not self.aws.messages
        first = len(entries)
        for failure in answer["batchItemFailures"]:
            name = failure["itemIdentifier"]
            # Lambda redelivers from the first of that name on; without a name, everything.
            first = list(map(_number, entries)).index(name) if name else 0
        self._check_written_before(entries, first)
        self._clear()
        return entries[first:]

    def _delivered(self, batch: Batch, entries: list[Any]) -> None:
        answer = self._consumer.consume({"Records": entries})
        assert answer == NOTHING, f"{self.name} is blocked: {answer}"
        written, parked = len(self._sink.written), len(self.aws.messages)
        assert written + self._passed + parked == len(entries), (
            f"{self.name}: {len(entries)} records, of which {written} written, "
            f"{self._passed} of no concern, {parked} parked"
        )
        self._check_written(entries)
        self._check_parked(batch, entries)
        self.total.update(written=written, passed=self._passed, parked=parked)
        self._clear()

    def _check_written(self, entries: Sequence[Any]) -> None:
        """What was written is what was made of these entries, neither more nor less."""
        here = set(map(id, entries))
        made = [id(operation) for raw, operation in self._made if id(raw) in here]
        assert [id(operation) for operation in self._sink.written] == made

    def _check_written_before(self, entries: Sequence[Any], first: int) -> None:
        """All that will not be redelivered has been written."""
        done, written = set(map(id, entries[:first])), set(map(id, self._sink.written))
        made = [id(operation) for raw, operation in self._made if id(raw) in done]
        assert set(made) <= written
        # The rest was of no concern: what is poison was refused, and is first to be redelivered.
        self.total.update(written=len(made), passed=first - len(made))

    def _check_parked(self, batch: Batch, entries: list[Any]) -> None:
        """Each message holds, whole, a record of the batch, and no two the same one."""
        if not self.aws.messages:
            return
        texts = Counter(batch.texts[-len(entries) :])
        for message in self.aws.messages:
            text = parked_record(message, self.name)
            assert texts[text] > 0, f"{self.name}: parked what was not delivered: {text[:500]}"
            texts[text] -= 1

    def _clear(self) -> None:
        self._made.clear()
        self._sink.written.clear()
        self.aws.messages.clear()
        self._passed = 0


def parked_record(message: str, consumer: str) -> str:
    """The record in a parked message, as text. Fails unless the rest says what is to be said."""
    head, found, rest = message.partition(',"record":')
    assert found, message[:500]
    fields = json.loads(head + "}")
    assert fields["consumer"] == consumer
    error = fields["error"]
    assert error["reason"]
    assert error["hint"]
    # Whatever comes is foreseen: a fault of our own code is none of the record's.
    assert "the projection failed" not in error["reason"], error
    return rest[:-1]


def _number(entry: Any) -> Any:
    part = entry.get("dynamodb", {}) if isinstance(entry, dict) else {}
    if isinstance(part, dict) and isinstance(part.get("SequenceNumber"), str):
        return part["SequenceNumber"]
    part = entry.get("kinesis") if isinstance(entry, dict) else None
    return part.get("sequenceNumber") if isinstance(part, dict) else None


@contextmanager
def desks() -> Iterator[list[Desk]]:
    """All consumers of the registry, each on ends of its own."""
    log = MemoryLog()
    with mock.patch("shared.emf.write", log.write):
        yield [Desk(spec, log) for spec in REGISTRY]
