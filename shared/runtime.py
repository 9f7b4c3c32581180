"""The batch runtime: decode, project, write, park, report.

What becomes of a record:

- written, or nothing to do for this consumer: done;
- poison: parked whole in the consumer's queue: done;
- its destination is unavailable, its parking failed, or no time is left: reported. Only the
  first such record is reported, since Lambda redelivers that one and all behind it.

So one bad record never blocks another, and nothing is lost between two queues.
"""

import time
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from shared import entities
from shared.batch import Batch
from shared.clock import Deadline, now_ms
from shared.envelopes import Unreadable, read_records, sequence_number_of
from shared.errors import Malformed, NotAStream, Poison, Rejected, Retryable, Unavailable
from shared.failures import log_failure
from shared.parking import DeadLetterQueue, Letter
from shared.payloads import payload_decoder
from shared.records import Record
from shared.spec import ConsumerSpec, Source
from shared.telemetry import BatchReport, write_report
from shared.tracing import batch_span, link_records

Op = TypeVar("Op")
Op_contra = TypeVar("Op_contra", contravariant=True)
Response = dict[str, list[dict[str, str]]]


# Without slots, which make the class a second time.
@dataclass(frozen=True)
class WriteResult:
    """What became of a sequence of operations; those not named were written.

    Attributes:
        rejected: index of each operation that can never succeed, with the reason.
        unavailable: index of the first operation that may succeed later, with the reason;
            naming more is allowed, and only the smallest index counts.
        conflicts: operations that found something newer in place.
    """

    rejected: dict[int, Rejected] = field(default_factory=dict)
    unavailable: dict[int, Retryable] = field(default_factory=dict)
    conflicts: int = 0


class Sink(Protocol[Op_contra]):
    """The only code that talks to a destination."""

    def write(self, operations: Sequence[Op_contra], deadline: Deadline) -> WriteResult:
        """Write operations, in the order of their records.

        May be given the same operation again. A `Retryable` that is raised means that none
        may be counted on. Begins nothing for which the deadline leaves no time.
        """

    def probe(self, deadline: Deadline) -> None:
        """Ask the destination whether it would take a write now; raises Retryable if not."""


class Consumer(Generic[Op]):
    """A consumer at work: its declaration, its projection, its sink, its queue."""

    def __init__(
        self,
        spec: ConsumerSpec,
        project: Callable[[Record], Op | None],
        sink: Sink[Op],
        queue: DeadLetterQueue,
        tracing: bool = False,
    ) -> None:
        """`project` is pure and raises Poison; `sink` is used by one invocation at a time."""
        self._spec = spec
        self._project = project
        self._sink = sink
        self._queue = queue
        self._tracing = tracing
        from_kinesis = spec.source is not Source.STREAM
        self._decode_payload = payload_decoder(spec.reads, spec.reads_old) if from_kinesis else None

    def consume(self, event: Any, context: Any = None) -> Response:
        """Handle one Lambda event and say from where to redeliver, if at all.

        Raises only ParkingFailed, and only if an event without sequence numbers could not be
        parked: Lambda then redelivers the whole.
        """
        started_ms, started = now_ms(), time.perf_counter()
        deadline = Deadline.of_invocation(context)
        try:
            found = read_records(event, self._decode_payload)
        except NotAStream as error:
            return self._park_event(event, error)
        raw: list[Any] = event["Records"]
        batch: Batch[Op] = Batch(raw, stop=len(raw))
        with batch_span(self._spec.name, self._tracing):
            self._project_all(batch, found)
            self._park(batch)
            self._write(batch, deadline)
            self._park(batch)
        ended_ms = now_ms()
        if self._tracing:
            done = (record for index, record in batch.traced if index < batch.stop)
            link_records(self._spec.name, done, started_ms / 1000, ended_ms / 1000)
        write_report(
            BatchReport(
                consumer=self._spec.name,
                timestamp_ms=started_ms,
                duration_ms=(time.perf_counter() - started) * 1000,
                records=len(raw),
                operations=len(batch.operations),
                parked=batch.parked,
                retried=len(raw) - batch.stop,
                conflicts=batch.conflicts,
                freshness_ms=[
                    max(0, ended_ms - written_ms)
                    for index, written_ms in batch.heartbeats
                    if index < batch.stop
                ],
                request_id=getattr(context, "aws_request_id", ""),
                first_sequence_number=sequence_number_of(raw[0]) if raw else "",
                last_sequence_number=sequence_number_of(raw[-1]) if raw else "",
            )
        )
        return self._response(batch)

    def _project_all(self, batch: Batch[Op], found: Iterable[Record | Unreadable]) -> None:
        # One record at a time: what is decoded of it is used while it is in the processor's cache,
        # and the memory of one serves the next.
        project, operations, positions = self._project, batch.operations, batch.positions
        tracing, heartbeat_time = self._tracing, entities.HEARTBEAT_TIME
        for index, entry in enumerate(found):
            if type(entry) is Unreadable:
                self._condemn(batch, index, entry.error)
                continue
            image = entry.change.get("NewImage")
            # Asked of every record, so without a call: no other item has this attribute.
            if image.__class__ is dict and heartbeat_time in image:
                written_ms = entities.heartbeat_written_ms(entry.change)
                if written_ms is not None:
                    batch.heartbeats.append((index, written_ms))
            if tracing:
                batch.traced.append((index, entry))
            try:
                operation = project(entry)
            except Poison as error:
                self._condemn(batch, index, error)
            except Exception as error:  # noqa: BLE001 - see below
                # A projection is pure: what it cannot do now it can never do.
                fault = Malformed(
                    f"the projection failed with {type(error).__name__}",
                    hint="a fault in the code: mend it, deploy, then redrive the queue",
                )
                fault.__cause__ = error
                self._condemn(batch, index, fault)
            else:
                if operation is not None:
                    operations.append(operation)
                    positions.append(index)

    def _condemn(self, batch: Batch[Op], index: int, error: Poison) -> None:
        raw = batch.raw[index]
        batch.letters.append((index, Letter(raw, error, sequence_number_of(raw))))

    def _write(self, batch: Batch[Op], deadline: Deadline) -> None:
        count = bisect_left(batch.positions, batch.stop)
        first = batch.positions[0] if batch.positions else 0
        try:
            if count:
                result = self._sink.write(batch.operations[:count], deadline)
            elif not batch.operations and batch.heartbeats:
                # Heartbeats alone prove nothing unless the destination answers.
                self._sink.probe(deadline)
                return
            else:
                return
        except Retryable as error:
            batch.stop_at(first, error)
            return
        except Exception as error:  # noqa: BLE001 - unknown: retryable, and loud
            fault = Unavailable(
                f"the sink failed with {type(error).__name__}",
                hint="unknown, so retried; see the lines it names",
            )
            fault.__cause__ = error
            batch.stop_at(first, fault)
            return
        batch.conflicts = result.conflicts
        for index, cause in result.unavailable.items():
            batch.stop_at(batch.positions[index], cause)
        for index, refusal in sorted(result.rejected.items()):
            self._condemn(batch, batch.positions[index], refusal)

    def _park(self, batch: Batch[Op]) -> None:
        letters = [(index, letter) for index, letter in batch.letters if index < batch.stop]
        batch.letters.clear()
        if not letters:
            return
        failed = self._queue.park([letter for _, letter in letters])
        for place, (index, letter) in enumerate(letters):
            if place in failed:
                batch.stop_at(index, failed[place])
            else:
                batch.parked += 1
                letter.error.consumer = self._spec.name
                letter.error.sequence_number = letter.sequence_number
                log_failure(self._spec.name, "parked", letter.sequence_number, letter.error)

    def _park_event(self, event: Any, error: NotAStream) -> Response:
        failed = self._queue.park([Letter(event, error, field="event")])
        if failed:
            raise failed[0]
        log_failure(self._spec.name, "parked", "", error)
        return {"batchItemFailures": []}

    def _response(self, batch: Batch[Op]) -> Response:
        if batch.stop == len(batch.raw):
            return {"batchItemFailures": []}
        # Report only the first failure: Lambda resumes there and redelivers all that follows.
        # A record without a sequence number cannot be named; "" means the whole batch.
        first = sequence_number_of(batch.raw[batch.stop])
        if batch.cause is not None:
            log_failure(self._spec.name, "retried", first, batch.cause)
        return {"batchItemFailures": [{"itemIdentifier": first}]}
