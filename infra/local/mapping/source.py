"""What the event source mapping reads from: a stream of shards, each read through a cursor.

The mapping knows a stream by these protocols alone. `streams` reads a real DynamoDB stream,
`shared_stream` lets several consumers share one read, `kinesis` makes Kinesis records of it, and
a simulation can stand in for all of them.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from shared.errors import FanoutError

TRIM_HORIZON = "TRIM_HORIZON"
"""A position: the oldest record that the stream still has."""
LATEST = "LATEST"
"""A position: behind the newest record."""
MANY = 100
"""After a page of so many records more are likely; it may not be full, since 1 MB ends it, too."""


class Trimmed(FanoutError):
    """The stream no longer has what comes after a position: records may be lost."""


class StreamGone(FanoutError):
    """There is no such stream or shard (any more)."""


class Clock(Protocol):
    """Time, so that a simulation can run faster than it."""

    def wall(self) -> float:
        """Seconds since the epoch."""

    def monotonic(self) -> float:
        """Seconds since some moment; never goes back."""


class SystemClock:
    """The machine's time."""

    wall = staticmethod(time.time)
    monotonic = staticmethod(time.monotonic)


class Entry(Protocol):
    """One record as the mapping handles it. Immutable, and shared between consumers."""

    @property
    def sequence_number(self) -> str:
        """Decimal digits: the `itemIdentifier` by which a handler names it."""

    @property
    def mark(self) -> str:
        """A position from which to read on once this and all before it are done.

        The same as the sequence number, except where records are delivered in another order
        than the stream's.
        """

    @property
    def arrived(self) -> float:
        """Seconds since the epoch at which it came into the stream."""

    @property
    def encoded(self) -> bytes:
        """The record as JSON text, as it stands in a Lambda event."""

    @property
    def view(self) -> Mapping[str, Any]:
        """What filter patterns are matched against."""


@dataclass(frozen=True, slots=True)
class Page:
    """The outcome of one read.

    Attributes:
        entries: in the order of delivery.
        mark: the position behind them; "" while nothing was ever read.
        closed: the shard is closed, and nothing follows these entries.
        more: more is likely to lie behind these entries already.
        caught_up_at: if nothing followed, when that was so, in seconds since the epoch: all
            that was in the stream by then has been read. None if more may be there.
        retry_after: seconds after which it makes sense to read again.
    """

    entries: Sequence[Entry]
    mark: str
    closed: bool = False
    more: bool = False
    caught_up_at: float | None = None
    retry_after: float = 0.0


class Cursor(Protocol):
    """A place in one shard. Used by one thread at a time."""

    def read(self, limit: int) -> Page:
        """Read up to `limit` entries, and move behind them.

        Raises Retryable if the stream does not answer now (the cursor has not moved), Trimmed
        or StreamGone.
        """

    def behind(self) -> int:
        """How many unread records are known to be there; there may be more."""


@dataclass(frozen=True, slots=True)
class Shard:
    """A shard and the shards it came from by a split or merge; they hold what was before it."""

    shard_id: str
    parents: tuple[str, ...] = ()


class Stream(Protocol):
    """A change stream. Used by several threads."""

    @property
    def arn(self) -> str:
        """The stream's ARN, for messages."""

    @property
    def batch_info(self) -> str:
        """Its member in on-failure messages: `DDBStreamBatchInfo` or `KinesisBatchInfo`."""

    def shards(self) -> Sequence[Shard]:
        """All shards that still hold records. Raises Retryable or StreamGone."""

    def public_shard_id(self, shard_id: str) -> str:
        """The shard's id as AWS would call it in messages."""

    def open(self, shard_id: str, position: str) -> Cursor:
        """A cursor behind `position`: a mark, TRIM_HORIZON or LATEST. Reads nothing yet."""

    def on_news(self, shard_id: str, wake: Callable[[], None]) -> None:
        """Call `wake` whenever new records were seen in the shard; it must not block."""
