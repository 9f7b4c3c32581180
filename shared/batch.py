"""A batch on its way through the runtime: what is known of it so far."""

from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from shared.parking import Letter
from shared.records import Record

Op = TypeVar("Op")


# Without slots, which make the class a second time: one is made for each batch.
@dataclass(eq=False, repr=False)
class Batch(Generic[Op]):
    """One batch. Its records are let go as soon as they are projected.

    Attributes:
        raw: its entries, as they were delivered.
        stop: index of the first record to be redelivered; the number of records if none is.
        cause: why, if the first one is.
        letters: poison that is not parked yet, by index.
        operations: what there is to write, and at `positions` the index of each one's record.
        heartbeats: when each was written, in milliseconds, by index.
        traced: the records, by index, if batches are traced.
    """

    raw: list[Any]
    stop: int
    cause: Exception | None = None
    letters: list[tuple[int, Letter]] = field(default_factory=list)
    operations: list[Op] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    heartbeats: list[tuple[int, int]] = field(default_factory=list)
    traced: list[tuple[int, Record]] = field(default_factory=list)
    parked: int = 0
    conflicts: int = 0

    def stop_at(self, index: int, cause: Exception) -> None:
        """Redeliver from `index` on, unless it is so from an earlier one already."""
        if index < self.stop:
            self.stop, self.cause = index, cause
