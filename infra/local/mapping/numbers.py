"""What a mapping counts, and how it is shown."""

from dataclasses import dataclass, fields


@dataclass(slots=True)
class Numbers:
    """Counts of one shard since the start. Written by its one thread, read by any.

    Attributes:
        delivered: records that the function took.
        filtered: records that the filter kept away.
        batches: invocations that reached the function.
        failures: those that left records to be delivered again, or given up.
        errors: those of them in which the function itself failed: raised, crashed, timed out.
        throttles: invocations that did not reach it.
        discarded: records given up, and safe in the on-failure destination.
        gaps: times that the stream had forgotten what was not read yet.
        troubles: times that stream, destination or disk did not answer.
    """

    delivered: int = 0
    filtered: int = 0
    batches: int = 0
    failures: int = 0
    errors: int = 0
    throttles: int = 0
    discarded: int = 0
    gaps: int = 0
    troubles: int = 0

    def add(self, other: "Numbers") -> None:
        """Add another shard's."""
        for each in fields(self):
            setattr(self, each.name, getattr(self, each.name) + getattr(other, each.name))


@dataclass(frozen=True, slots=True)
class MappingStatus:
    """One consumer's mapping at one moment.

    Attributes:
        consumer: its name.
        numbers: counts over all its shards since the start.
        shards: how many are being read.
        lag_records: records known to be undelivered; there may be more in the stream.
        lag_ms: age of the oldest record read and undelivered, 0 if there is none. A stream
            tells the second only.
        caught_up_at_ms: the last moment for which it is certain that all changes made until
            then were delivered or given up, in ms since the epoch; 0 if that was never so.
        retrying: whether a batch is being delivered again.
        last_error: of any kind, "" if there was none; without any item's content.
        last_error_at_ms: when.
        stopped: why the mapping gave up altogether; "" while it works.
    """

    consumer: str
    numbers: Numbers
    shards: int
    lag_records: int
    lag_ms: int
    caught_up_at_ms: int
    retrying: bool
    last_error: str
    last_error_at_ms: int
    stopped: str = ""
