"""Several consumers on one stream: one read for all, and nothing missed by any."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.local.mapping.shared_stream import SharedCursor, SharedStream, Sharing
from infra.local.mapping.source import LATEST, TRIM_HORIZON, Trimmed
from shared.errors import Unavailable
from tests.support.mapping import SHARD, FakeClock, ScriptedStream, record, sequence


class Shared:
    def __init__(self, count: int = 0, **sharing: Any) -> None:
        self.clock = FakeClock()
        self.inner = ScriptedStream(self.clock)
        self.put(0, count)
        self.stream = SharedStream(self.inner, Sharing(**sharing), self.clock)

    def put(self, first: int, end: int) -> None:
        self.inner.put(*(record(number) for number in range(first, end)))

    def open(self, position: str = TRIM_HORIZON) -> SharedCursor:
        return self.stream.open(SHARD, position)


def numbers(page: Any) -> list[int]:
    return [int(entry.sequence_number) % 10**12 for entry in page.entries]


def read_on(cursor: SharedCursor, clock: FakeClock, limit: int = 100) -> list[int]:
    """Read until nothing more comes."""
    found: list[int] = []
    while True:
        page = cursor.read(limit)
        found += numbers(page)
        if not page.entries and page.retry_after:
            clock.now += page.retry_after + 0.001  # at this size a float is no finer
            page = cursor.read(limit)
            found += numbers(page)
            if not page.entries:
                return found


def test_five_consumers_cost_one_read() -> None:
    shared = Shared(10)
    cursors = [shared.open() for _ in range(5)]
    pages = [cursor.read(100) for cursor in cursors]
    assert [numbers(page) for page in pages] == [list(range(10))] * 5
    assert shared.inner.reads == 1
    assert all(page.entries[0] is pages[0].entries[0] for page in pages)  # encoded once, too


def test_a_page_says_whether_more_lies_behind_it() -> None:
    """Also where what is kept ends, and the stream goes on: a remainder is not the end."""
    shared = Shared(12)
    shared.inner.page, shared.inner.many = 5, 5
    cursor = shared.open()
    found = [(page.entries and numbers(page), page.more) for page in map(cursor.read, [3] * 6)]
    assert found == [
        ([0, 1, 2], True),
        ([3, 4], True),
        ([5, 6, 7], True),
        ([8, 9], True),
        ([10, 11], False),
        ((), False),
    ]
    late = shared.open()
    assert [late.read(10).more, late.read(10).more] == [True, False]
    shared.inner.by_id[SHARD].closed = True
    assert not shared.open().read(100).more


def test_quiet_consumers_cost_one_poll_for_all() -> None:
    shared = Shared(1, first_pause=0.02, last_pause=0.1)
    cursors = [shared.open() for _ in range(5)]
    for cursor in cursors:
        cursor.read(10)
    before, end = shared.inner.reads, shared.clock.now + 10
    while shared.clock.now < end:
        pauses = []
        for cursor in cursors:
            page = cursor.read(10)
            assert not page.entries
            pauses.append(page.retry_after)
        assert min(pauses) > 0
        shared.clock.now += min(pauses)
    assert shared.inner.reads - before <= 10 / 0.1 + 5


@pytest.mark.parametrize(("count", "waits"), [(99, True), (100, False)])
def test_behind_a_page_of_many_it_is_read_on_at_once(count: int, waits: bool) -> None:
    """Though it was not full: a page also ends at 1 MB."""
    shared = Shared(count)
    cursor = shared.open()
    assert len(cursor.read(1_000).entries) == count
    shared.put(count, count + 1)
    page = cursor.read(1_000)
    assert numbers(page) == ([] if waits else [count])
    assert (page.retry_after > 0) is waits


def test_whoever_reads_wakes_the_others() -> None:
    shared = Shared(1)
    woken: list[str] = []
    shared.stream.on_news(SHARD, lambda: woken.append("first"))
    shared.stream.on_news(SHARD, lambda: woken.append("second"))
    cursor = shared.open()
    cursor.read(10)
    assert woken == ["first", "second"]
    cursor.read(10)
    assert len(woken) == 2


def test_a_consumer_that_lags_reads_by_itself_until_it_has_caught_up() -> None:
    shared = Shared(0, max_entries=5)
    slow, fast = shared.open(), shared.open()
    shared.put(0, 3)
    assert numbers(slow.read(1)) == [0]
    for first in range(3, 30, 3):
        read_on(fast, shared.clock)
        shared.put(first, first + 3)
    read_on(fast, shared.clock)
    assert slow.behind() == 5  # what is kept; there is more
    assert read_on(slow, shared.clock, limit=4) == list(range(1, 30))
    before = shared.inner.reads
    shared.put(30, 31)
    shared.clock.now += 1
    assert numbers(fast.read(10)) == numbers(slow.read(10)) == [30]
    assert shared.inner.reads == before + 1


def test_a_consumer_that_is_ahead_takes_the_end_along() -> None:
    shared = Shared(10)
    behind = shared.open()
    assert numbers(behind.read(2)) == [0, 1]
    ahead = shared.open(sequence(20))
    shared.put(10, 22)
    assert numbers(ahead.read(10)) == [21]
    assert read_on(behind, shared.clock) == list(range(2, 22))


def test_a_consumer_that_comes_in_from_ahead_during_a_read() -> None:
    shared = Shared(10)
    behind = shared.open()
    behind.read(3)
    shared.put(10, 22)
    ahead = shared.open(sequence(20))
    found: list[int] = []
    shared.inner.during = [lambda: found.extend(numbers(ahead.read(10)))]
    shared.clock.now += 1
    given = [*range(3), *read_on(behind, shared.clock)]
    found += read_on(ahead, shared.clock)
    shared.put(22, 24)
    shared.clock.now += 1
    assert given + read_on(behind, shared.clock) == list(range(24))
    assert found + read_on(ahead, shared.clock) == [21, 22, 23]


def test_what_is_kept_is_bounded_in_bytes_too() -> None:
    shared = Shared(0, max_bytes=3_000)
    cursor = shared.open()
    for first in range(0, 40, 4):
        shared.put(first, first + 4)
        read_on(cursor, shared.clock)
    tail = shared.stream._tail(SHARD)
    assert 0 < len(tail._entries) < 12
    assert tail._bytes == sum(len(entry.encoded) for entry in tail._entries) <= 3_000


def test_a_stream_that_does_not_answer_is_asked_by_one_at_a_time() -> None:
    shared = Shared(1)
    one, other = shared.open(), shared.open()
    shared.inner.fail = [Unavailable("away")]
    with pytest.raises(Unavailable):
        one.read(10)
    page = other.read(10)
    assert not page.entries
    assert page.retry_after > 0
    shared.clock.now += page.retry_after
    assert numbers(other.read(10)) == numbers(one.read(10)) == [0]


def test_what_the_stream_forgot_is_no_longer_served_from_memory() -> None:
    shared = Shared(3)
    one = shared.open()
    read_on(one, shared.clock)
    shared.inner.by_id[SHARD].trimmed = 4
    shared.put(3, 6)
    shared.clock.now += 1
    with pytest.raises(Trimmed):
        one.read(10)
    anew = shared.open()
    assert read_on(anew, shared.clock) == [4, 5]


def test_latest_begins_behind_what_is_there() -> None:
    shared = Shared(3)
    old, new = shared.open(), shared.open(LATEST)
    read_on(old, shared.clock)
    assert not new.read(10).entries
    shared.put(3, 5)
    assert numbers(new.read(10)) == [3, 4]
    shared.put(5, 6)
    shared.clock.now += 1
    before = shared.inner.reads
    assert numbers(new.read(10)) == [5]
    assert numbers(old.read(10)) == [3, 4, 5]
    assert shared.inner.reads <= before + 2


def test_the_end_of_a_shard_is_told_to_all() -> None:
    shared = Shared(3)
    shared.inner.by_id[SHARD].closed = True
    one, other = shared.open(), shared.open()
    assert one.read(2).closed is False
    assert one.read(2).closed is True
    page = other.read(10)
    assert (numbers(page), page.closed) == ([0, 1, 2], True)
    assert other.read(10).closed is True


def test_a_moment_at_which_all_was_read_is_never_too_late() -> None:
    shared = Shared(2)
    one, other = shared.open(), shared.open()
    one.read(10)
    shared.clock.now += 1
    empty_at = shared.clock.now
    assert one.read(10).caught_up_at == empty_at
    shared.clock.now += 0.001
    shared.put(2, 3)
    # Served without asking the stream: it says for when that holds.
    assert other.read(10).caught_up_at is None
    page = other.read(10)
    assert not page.entries
    assert page.caught_up_at == empty_at


@given(st.data())
def test_in_any_interleaving_each_reads_everything_in_order_and_once(data: st.DataObject) -> None:
    shared = Shared(0, max_entries=data.draw(st.integers(1, 12)))
    start = data.draw(st.lists(st.integers(-1, 8), min_size=3, max_size=3))
    written = 9
    shared.put(0, written)
    cursors = [shared.open(sequence(at) if at >= 0 else TRIM_HORIZON) for at in start]
    found: list[list[int]] = [[], [], []]
    for _ in range(data.draw(st.integers(0, 40))):
        match data.draw(st.integers(0, 4)):
            case 3:
                more = data.draw(st.integers(1, 6))
                shared.put(written, written + more)
                written += more
            case 4:
                shared.clock.now += 1
            case who:
                found[who] += numbers(cursors[who].read(data.draw(st.integers(1, 7))))
    for who, cursor in enumerate(cursors):
        found[who] += read_on(cursor, shared.clock)
        assert found[who] == list(range(start[who] + 1, written))


def test_many_threads_each_read_everything_in_order_and_once(tmp_path: Path) -> None:
    from infra.local.mapping.source import SystemClock

    shared = Shared(0)
    stream = SharedStream(
        shared.inner,
        Sharing(max_entries=50, first_pause=0.001, last_pause=0.002),
        SystemClock(),
    )
    found: list[list[int]] = [[] for _ in range(5)]
    until = threading.Event()

    def follow(mine: list[int]) -> None:
        cursor = stream.open(SHARD, TRIM_HORIZON)
        while not until.is_set() or len(mine) < 600:
            page = cursor.read(17)
            mine += numbers(page)
            if page.retry_after:
                until.wait(page.retry_after)

    threads = [threading.Thread(target=follow, args=(mine,), daemon=True) for mine in found]
    for thread in threads:
        thread.start()
    for first in range(0, 600, 20):
        shared.put(first, first + 20)
        until.wait(0.001)
    until.set()
    for thread in threads:
        thread.join(60)
    assert found == [list(range(600))] * 5
