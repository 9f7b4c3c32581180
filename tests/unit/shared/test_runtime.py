"""The batch runtime: what becomes of each record, whatever its neighbours are."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from shared.clock import Deadline
from shared.errors import Malformed, ParkingFailed, Rejected, Unavailable
from shared.parking import Letter
from shared.records import Record
from shared.runtime import Consumer, WriteResult
from shared.spec import ConsumerSpec, Source
from tests.support.records import event, heartbeat, order, stream_record

SPEC = ConsumerSpec(name="toy", purpose="test", destination="nothing", source=Source.STREAM)


@dataclass
class ScriptedSink:
    """Takes operations (sequence numbers) and gives the outcome that the test asks for."""

    rejected: set[str] = field(default_factory=set)
    unavailable: set[str] = field(default_factory=set)
    error: Exception | None = None
    taken: list[str] = field(default_factory=list)
    probes: int = 0

    def write(self, operations: Sequence[str], deadline: Deadline) -> WriteResult:
        assert deadline.remaining() > 0
        self.taken.extend(operations)
        if self.error:
            raise self.error
        return WriteResult(
            {i: Rejected("no") for i, op in enumerate(operations) if op in self.rejected},
            {i: Unavailable("later") for i, op in enumerate(operations) if op in self.unavailable},
        )

    def probe(self, deadline: Deadline) -> None:
        self.probes += 1
        if self.error:
            raise self.error


@dataclass
class ListQueue:
    """Keeps letters in a list; refuses those whose sequence number is in `full_for`."""

    letters: list[Letter] = field(default_factory=list)
    full_for: set[str] = field(default_factory=set)

    def park(self, letters: Sequence[Letter]) -> dict[int, ParkingFailed]:
        failed = {}
        for place, letter in enumerate(letters):
            if letter.sequence_number in self.full_for:
                failed[place] = ParkingFailed("full")
            else:
                self.letters.append(letter)
        return failed


def project(record: Record) -> str | None:
    """Poison for status BAD, a fault for CRASH, nothing for IGNORED and heartbeats."""
    status = record.new.get("status") if record.new else "REMOVED"
    if status == "BAD":
        raise Malformed("bad", hint="mend it")
    if status == "CRASH":
        raise ZeroDivisionError
    if status in ("IGNORED", None):
        return None
    return record.sequence_number


def batch(*statuses: str) -> dict[str, Any]:
    return event(
        *(
            stream_record(None, order(status=status), sequence=number)
            for number, status in enumerate(statuses)
        )
    )


def number(index: int) -> str:
    return str(stream_record(None, order(), sequence=index)["dynamodb"]["SequenceNumber"])


Consume = Callable[[Any], list[int | str]]


@pytest.fixture
def sink() -> ScriptedSink:
    return ScriptedSink()


@pytest.fixture
def queue() -> ListQueue:
    return ListQueue()


@pytest.fixture
def consume(sink: ScriptedSink, queue: ListQueue) -> Consume:
    """Run a batch; gives the reported identifiers, as positions where they are numbers."""
    consumer = Consumer(SPEC, project, sink, queue)  # type: ignore[arg-type]

    def run(lambda_event: Any) -> list[int | str]:
        failures = consumer.consume(lambda_event)["batchItemFailures"]
        positions = {number(index): index for index in range(50)}
        return [positions.get(f["itemIdentifier"], f["itemIdentifier"]) for f in failures]

    return run


def parked(queue: ListQueue) -> list[str]:
    return [letter.sequence_number for letter in queue.letters]


def test_writes_what_the_projection_asks_for(consume: Consume, sink: ScriptedSink) -> None:
    assert consume(batch("NEW", "IGNORED", "NEW")) == []
    assert sink.taken == [number(0), number(2)]


def test_poison_is_parked_whole_and_disturbs_no_other(
    consume: Consume, sink: ScriptedSink, queue: ListQueue
) -> None:
    lambda_event = batch("NEW", "BAD", "NEW")
    assert consume(lambda_event) == []
    assert sink.taken == [number(0), number(2)]
    (letter,) = queue.letters
    assert letter.raw is lambda_event["Records"][1]
    assert letter.error.hint == "mend it"
    assert letter.error.consumer == "toy"


def test_a_fault_of_a_pure_projection_is_parked_loudly(
    consume: Consume, queue: ListQueue, caplog: pytest.LogCaptureFixture
) -> None:
    assert consume(batch("CRASH", "NEW")) == []
    assert parked(queue) == [number(0)]
    line = caplog.records[-1].__dict__
    assert line["cause"] == "ZeroDivisionError"
    assert any("project" in frame for frame in line["at"])


def test_an_unreadable_entry_is_parked(consume: Consume, queue: ListQueue) -> None:
    lambda_event = batch("NEW", "NEW")
    del lambda_event["Records"][0]["dynamodb"]["SequenceNumber"]
    assert consume(lambda_event) == []
    assert queue.letters[0].raw is lambda_event["Records"][0]


def test_only_the_first_unavailable_record_is_reported(
    consume: Consume, sink: ScriptedSink
) -> None:
    sink.unavailable = {number(1), number(3)}
    assert consume(batch("NEW", "NEW", "NEW", "NEW")) == [1]


def test_rejected_operations_are_parked(
    consume: Consume, sink: ScriptedSink, queue: ListQueue
) -> None:
    sink.rejected = {number(0), number(2)}
    assert consume(batch("NEW", "IGNORED", "NEW")) == []
    assert parked(queue) == [number(0), number(2)]


def test_what_will_be_redelivered_is_not_parked_now(
    consume: Consume, sink: ScriptedSink, queue: ListQueue
) -> None:
    sink.unavailable, sink.rejected = {number(1)}, {number(0), number(2)}
    assert consume(batch("NEW", "NEW", "NEW")) == [1]
    assert parked(queue) == [number(0)]


def test_a_queue_that_refuses_keeps_the_record_in_the_stream(
    consume: Consume, sink: ScriptedSink, queue: ListQueue
) -> None:
    queue.full_for = {number(1)}
    assert consume(batch("NEW", "BAD", "NEW")) == [1]
    assert sink.taken == [number(0)], "what is redelivered anyway is not written now"


def test_a_rejection_that_cannot_be_parked_is_reported(
    consume: Consume, sink: ScriptedSink, queue: ListQueue
) -> None:
    sink.rejected, queue.full_for = {number(1)}, {number(1)}
    assert consume(batch("NEW", "NEW", "NEW")) == [1]


@pytest.mark.parametrize("error", [Unavailable("gone"), OSError("gone")])
def test_a_sink_that_fails_as_a_whole_stops_at_the_first_operation(
    consume: Consume, sink: ScriptedSink, error: Exception
) -> None:
    sink.error = error
    assert consume(batch("IGNORED", "NEW", "NEW")) == [1]


def test_an_unknown_failure_is_loud_and_quotes_no_item(
    consume: Consume, sink: ScriptedSink, caplog: pytest.LogCaptureFixture
) -> None:
    sink.error = OSError("ada@example.org")
    consume(batch("NEW"))
    line = caplog.records[-1].__dict__
    assert line["cause"] == "OSError"
    assert "ada@example.org" not in str(line)


def test_a_record_without_number_fails_the_whole_batch_if_it_cannot_be_parked(
    consume: Consume, queue: ListQueue
) -> None:
    lambda_event = batch("NEW", "NEW")
    del lambda_event["Records"][1]["dynamodb"]["SequenceNumber"]
    queue.full_for = {""}
    assert consume(lambda_event) == [""]


def test_what_is_no_event_is_parked_whole(consume: Consume, queue: ListQueue) -> None:
    assert consume({"detail": "something else"}) == []
    (letter,) = queue.letters
    assert (letter.raw, letter.field) == ({"detail": "something else"}, "event")


def test_what_is_no_event_and_cannot_be_parked_fails_the_invocation(
    consume: Consume, queue: ListQueue
) -> None:
    queue.full_for = {""}
    with pytest.raises(ParkingFailed):
        consume({"detail": "something else"})


def test_no_time_left_is_reported_and_not_begun(sink: ScriptedSink, queue: ListQueue) -> None:
    class Context:
        aws_request_id = "r-1"

        @staticmethod
        def get_remaining_time_in_millis() -> int:
            return 500

    def hurried(operations: Sequence[str], deadline: Deadline) -> WriteResult:
        deadline.require(1.0, "a write")
        raise AssertionError("begun")

    sink.write = hurried  # type: ignore[method-assign]
    consumer = Consumer(SPEC, project, sink, queue)  # type: ignore[arg-type]
    answer = consumer.consume(batch("IGNORED", "NEW"), Context())
    assert answer == {"batchItemFailures": [{"itemIdentifier": number(1)}]}


def reports(out: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.splitlines() if '"_aws"' in line]


def test_one_line_of_telemetry_per_batch(
    consume: Consume, sink: ScriptedSink, capsys: pytest.CaptureFixture[str]
) -> None:
    sink.unavailable = {number(3)}
    consume(batch("NEW", "BAD", "IGNORED", "NEW", "NEW"))
    (report,) = reports(capsys.readouterr().out)
    counts = {name: report[name] for name in ("Records", "Operations", "Parked", "Retried")}
    assert counts == {"Records": 5, "Operations": 3, "Parked": 1, "Retried": 2}
    assert report["Consumer"] == "toy"
    assert "Freshness" not in report


def test_freshness_is_measured_once_the_destination_has_answered(
    consume: Consume, sink: ScriptedSink, capsys: pytest.CaptureFixture[str]
) -> None:
    beat = event(stream_record(None, heartbeat(written_ms=1), sequence=0))
    assert consume(beat) == []
    assert sink.probes == 1
    (report,) = reports(capsys.readouterr().out)
    assert report["Freshness"] > 1_000_000

    sink.error = Unavailable("gone")
    assert consume(beat) == [0], "a dead destination has no freshness"
    (report,) = reports(capsys.readouterr().out)
    assert "Freshness" not in report


def test_an_empty_batch_succeeds(consume: Consume) -> None:
    assert consume({"Records": []}) == []
