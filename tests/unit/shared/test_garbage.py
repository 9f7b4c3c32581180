"""The collector's times: never within a batch, and often enough that nothing piles up."""

import gc
import logging
import weakref
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import pytest

from shared.clock import Deadline
from shared.errors import Malformed, Unavailable
from shared.garbage import COLLECT_EVERY, collect_between
from shared.parking import Letter
from shared.records import Record
from shared.runtime import Consumer, WriteResult
from shared.spec import ConsumerSpec, Source
from tests.support.records import event, order, stream_record

SPEC = ConsumerSpec(name="toy", purpose="test", destination="nothing", source=Source.STREAM)


@pytest.fixture(autouse=True)
def collector() -> Iterator[None]:
    """As it was, afterwards: the tests' process is not Lambda's."""
    yield
    gc.unfreeze()
    gc.enable()


class Cycle:
    """Garbage that only the collector finds."""

    living: ClassVar[weakref.WeakSet["Cycle"]] = weakref.WeakSet()

    def __init__(self) -> None:
        self.itself = self
        Cycle.living.add(self)


def test_a_batch_is_not_interrupted_and_its_garbage_does_not_pile_up() -> None:
    states = []

    def handler(_event: Any, _context: Any) -> dict[str, list[Any]]:
        states.append(gc.isenabled())
        Cycle()
        return {"batchItemFailures": []}

    collecting = collect_between(handler)
    most = 0
    for _ in range(COLLECT_EVERY * 3):
        assert collecting({}, None) == {"batchItemFailures": []}
        most = max(most, len(Cycle.living))
    assert not any(states)
    assert 1 < most <= COLLECT_EVERY
    assert not Cycle.living


def test_a_batch_that_fails_is_cleaned_up_after_at_once() -> None:
    def handler(failures: Any, _context: Any) -> dict[str, list[Any]]:
        Cycle()
        if failures is None:
            raise OSError("gone")
        return {"batchItemFailures": failures}

    collecting = collect_between(handler)
    collecting([{"itemIdentifier": "1"}], None)
    assert not Cycle.living
    with pytest.raises(OSError, match="gone"):
        collecting(None, None)
    assert not Cycle.living


class FailingSink:
    """Fails in one way after the other; its errors hold frames that hold the batch."""

    calls = 0

    def write(self, operations: Sequence[Any], deadline: Deadline) -> WriteResult:
        assert operations
        assert deadline.remaining() > 0
        self.calls += 1
        if self.calls % 3 == 0:
            raise Unavailable("gone", hint="wait")
        if self.calls % 3 == 1:
            raise OSError("unknown")
        return WriteResult()

    def probe(self, deadline: Deadline) -> None:
        """Never asked."""


class ForgetfulQueue:
    """Takes everything and keeps nothing."""

    def park(self, letters: Sequence[Letter]) -> dict[int, Any]:
        assert letters
        return {}


def _project(record: Record) -> str | None:
    number = int(record.sequence_number) % 5
    if number == 0:
        raise Malformed("bad", hint="mend it")
    if number == 1:
        raise ZeroDivisionError
    return record.sequence_number


@pytest.fixture
def nobody_keeps_logs() -> Iterator[None]:
    """pytest keeps every line that a test logs, which would look like a leak."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.usefixtures("nobody_keeps_logs")
def test_memory_is_flat_over_thousands_of_failing_batches() -> None:
    consumer = Consumer(SPEC, _project, FailingSink(), ForgetfulQueue())  # type: ignore[arg-type]
    collecting = collect_between(consumer.consume)

    def run(batches: int) -> int:
        for number in range(batches):
            records = [stream_record(None, order(), sequence=number + at) for at in range(6)]
            collecting(event(*records), None)
        return len(gc.get_objects())

    # Both end with a batch that fails.
    before = run(201)
    after = run(2_001)
    # One batch's event alone is over a thousand objects: what leaked once a batch would show.
    assert after - before < 1_000
