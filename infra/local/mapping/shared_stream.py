"""Lets all consumers of a stream share what was read of it.

Per shard the newest records are kept, and whoever stands at their end and asks for more reads on
for everybody. Five consumers then cost one read, one parsing and one encoding per record, and one
poll while nothing happens. A consumer that lags behind what is kept reads by itself until it has
caught up; one that is ahead of it takes the end along.
"""

import threading
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from weakref import WeakValueDictionary

from infra.local.mapping.source import (
    LATEST,
    TRIM_HORIZON,
    Clock,
    Cursor,
    Entry,
    Page,
    Shard,
    Stream,
    SystemClock,
)
from shared.errors import Retryable

_PAGE = 1_000
_BEFORE_ALL = -1


@dataclass(frozen=True, slots=True)
class Sharing:
    """How much is kept of a shard, and how often its end is looked at.

    Attributes:
        max_entries, max_bytes: of records, and of their JSON text.
        first_pause, last_pause: seconds between two reads at the end: after news, and, doubling,
            while it is quiet. An emulator on this machine bears these; the API of AWS allows 5
            reads a second and shard.
    """

    max_entries: int = 5_000
    max_bytes: int = 16_000_000
    first_pause: float = 0.02
    last_pause: float = 0.1


class SharedStream:
    """A stream whose cursors share reads."""

    def __init__(
        self, inner: Stream, sharing: Sharing | None = None, clock: Clock | None = None
    ) -> None:
        self.arn, self.batch_info = inner.arn, inner.batch_info
        self._inner = inner
        self._sharing = sharing or Sharing()
        self._clock = clock or SystemClock()
        self._lock = threading.Lock()
        self._listeners: dict[str, list[Callable[[], None]]] = defaultdict(list)
        # Held by their cursors: once nobody reads a shard any more, what was kept of it goes.
        self._tails: WeakValueDictionary[str, _Tail] = WeakValueDictionary()

    def shards(self) -> Sequence[Shard]:
        """All shards that still hold records; what was kept of others is let go."""
        shards = self._inner.shards()
        with self._lock:
            for shard_id in self._listeners.keys() - {shard.shard_id for shard in shards}:
                del self._listeners[shard_id]
                self._tails.pop(shard_id, None)
        return shards

    def public_shard_id(self, shard_id: str) -> str:
        """As the inner stream has it."""
        return self._inner.public_shard_id(shard_id)

    def open(self, shard_id: str, position: str) -> "SharedCursor":
        """A cursor behind `position`."""
        return SharedCursor(self._inner, self._tail(shard_id), shard_id, position)

    def on_news(self, shard_id: str, wake: Callable[[], None]) -> None:
        """Call `wake` when anyone has read new records of the shard."""
        with self._lock:
            self._listeners[shard_id].append(wake)

    def _tail(self, shard_id: str) -> "_Tail":
        with self._lock:
            tail = self._tails.get(shard_id)
            if tail is None:
                tail = _Tail(self._inner, shard_id, self._sharing, self._clock)
                tail.listeners = self._listeners[shard_id]
                self._tails[shard_id] = tail
            return tail


class _Tail:
    """The newest records of one shard: all that come after `_start`, up to `_end`."""

    def __init__(self, inner: Stream, shard_id: str, sharing: Sharing, clock: Clock) -> None:
        self.listeners: list[Callable[[], None]] = []
        self.sharing = sharing
        self._open: Callable[[str], Cursor] = lambda position: inner.open(shard_id, position)
        self._clock = clock
        self._lock, self._reading = threading.Lock(), threading.Lock()
        self._cursor: Cursor | None = None
        self._start = self._end = _BEFORE_ALL
        self._entries: list[Entry] = []
        self._numbers: list[int] = []
        self._bytes = 0
        self._closed = self._more = False
        self._caught_up_at: float | None = None
        self._pause = self.sharing.first_pause
        self._next_read = 0.0

    def read(self, after: int, mark: str, limit: int) -> Page | None:
        """What follows the record `after`; None if that is no longer kept.

        Reads on if `after` is the last one, and it is time to. Raises as `Cursor.read`.
        """
        with self._lock:
            if self._cursor is None or after > self._end:
                self._restart(after, mark)
            page = self._kept(after, mark, limit)
            cursor = self._cursor
        if page is not None or after < self._start:
            return page
        assert cursor is not None  # _restart
        # One reads for all; the others are woken by the news.
        if not self._reading.acquire(blocking=False):
            return Page((), mark, caught_up_at=self._caught_up_at, retry_after=self._pause)
        try:
            self._read_on(cursor)
        finally:
            self._reading.release()
        with self._lock:
            page = self._kept(after, mark, limit)
            if page is None and after >= self._start:
                return Page((), mark, retry_after=self._pause)
            return page

    def behind(self, after: int) -> int:
        """How many records after `after` are kept."""
        with self._lock:
            return len(self._numbers) - bisect_right(self._numbers, after)

    def _restart(self, after: int, mark: str) -> None:
        self._cursor = self._open(mark or TRIM_HORIZON)
        self._start = self._end = after
        self._entries.clear()
        self._numbers.clear()
        self._bytes, self._caught_up_at = 0, None
        self._closed = self._more = False
        self._next_read = 0.0

    def _kept(self, after: int, mark: str, limit: int) -> Page | None:
        """The page after `after` if it can be told without reading."""
        if after < self._start:
            return None
        first = bisect_right(self._numbers, after)
        if first < len(self._entries):
            found = self._entries[first : first + limit]
            last = first + limit >= len(self._entries)
            return Page(found, found[-1].mark, self._closed and last, self._more or not last)
        if self._closed:
            return Page((), mark, closed=True)
        left = self._next_read - self._clock.monotonic()
        if left > 0:
            return Page((), mark, caught_up_at=self._caught_up_at, retry_after=left)
        return None

    def _read_on(self, cursor: Cursor) -> None:
        try:
            page = cursor.read(_PAGE)
        except Retryable:
            with self._lock:
                self._schedule(self.sharing.last_pause)
            raise
        except BaseException:
            with self._lock:
                self._cursor = None  # what is kept leads nowhere: the next reader starts anew
            raise
        with self._lock:
            if cursor is not self._cursor:
                return  # somebody was ahead, and took the end along
            if page.entries:
                self._keep(page.entries)
                self._schedule(0.0 if page.more else self.sharing.first_pause)
            else:
                self._schedule(min(self._pause * 2, self.sharing.last_pause))
            self._closed, self._more = page.closed, page.more
            if page.caught_up_at is not None:
                self._caught_up_at = page.caught_up_at
        if page.entries or page.closed:
            for wake in self.listeners:
                wake()

    def _schedule(self, pause: float) -> None:
        self._pause = pause or self.sharing.first_pause
        self._next_read = self._clock.monotonic() + pause

    def _keep(self, entries: Sequence[Entry]) -> None:
        self._entries += entries
        self._numbers += [int(entry.mark) for entry in entries]
        self._end = self._numbers[-1]
        self._bytes += sum(len(entry.encoded) for entry in entries)
        drop = max(0, len(self._entries) - self.sharing.max_entries)
        left = self._bytes - sum(len(entry.encoded) for entry in self._entries[:drop])
        while left > self.sharing.max_bytes and drop < len(self._entries) - 1:
            left -= len(self._entries[drop].encoded)
            drop += 1
        if drop:
            self._start = self._numbers[drop - 1]
            del self._entries[:drop], self._numbers[:drop]
            self._bytes = left


class SharedCursor:
    """A place in one shard, fed by what is kept where possible."""

    def __init__(self, inner: Stream, tail: _Tail, shard_id: str, position: str) -> None:
        self._open: Callable[[str], Cursor] = lambda place: inner.open(shard_id, place)
        self._tail = tail
        self._position = position
        self._mark = "" if position in (TRIM_HORIZON, LATEST) else position
        self._own: Cursor | None = None

    def read(self, limit: int) -> Page:
        """Read up to `limit` records and move behind them."""
        page = None
        # Where LATEST is shows only when something comes.
        if self._mark or self._position == TRIM_HORIZON:
            page = self._tail.read(self._number(), self._mark, limit)
        if page is not None:
            self._own = None
        else:
            if self._own is None:
                self._own = self._open(self._mark or self._position)
            page = self._own.read(limit)
            if not page.entries:
                page = replace(page, retry_after=self._tail.sharing.last_pause)
        self._mark = page.mark or self._mark
        return page

    def behind(self) -> int:
        """How many unread records are kept; there may be more."""
        return self._tail.behind(self._number())

    def _number(self) -> int:
        return int(self._mark) if self._mark else _BEFORE_ALL
