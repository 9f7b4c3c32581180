"""Leases under every interleaving of readers with writers and their invalidations.

Systematic: each order in which the steps can happen is played, step by step, on a real server.
A reader takes, loads (a consistent read) and fills; a writer commits, and some time later its
change is invalidated. After each step no value may be cached that is older than what has been
invalidated; so at the end the cache holds the newest value or none.

That these checks can fail is shown with the lease's own check taken out of the script.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import pytest
from redis import Redis

from consumers.cache.sink import CacheSink
from shared.cache_keys import value_key
from shared.cache_leases import FILL, Hit, Lease, Leases
from shared.clock import Deadline

ENTRY = "order:o-1"
MINUTE_MS = 60_000
READER = ("take", "load", "fill")
WRITER = ("commit", "invalidate")
# Fills whatever became of the lease.
FILL_UNCHECKED = FILL.replace("return 0", "local nothing = 0", 1)
# Fills if anybody has the lease.
FILL_UNDER_ANY_LEASE = FILL.replace(
    "redis.call('GET', KEYS[2]) ~= ARGV[1]", "redis.call('EXISTS', KEYS[2]) == 0"
)

Step = tuple[int, str]


def interleavings(actors: Sequence[tuple[str, ...]]) -> Iterator[list[Step]]:
    """Every order of all actors' steps that keeps each actor's own order."""
    if not any(actors):
        yield []
    for number, steps in enumerate(actors):
        if steps:
            rest = [*actors[:number], steps[1:], *actors[number + 1 :]]
            for following in interleavings(rest):
                yield [(number, steps[0]), *following]


@dataclass(slots=True)
class World:
    """A table with one item, its cache, and who is at work on them.

    Versions count from 1. `seen` is the newest version whose change has been invalidated.
    """

    cache: Redis
    leases: Leases
    invalidate: Callable[[], object]
    version: int = 1
    seen: int = 1
    found: dict[int, Hit | Lease | object] = field(default_factory=dict)
    loaded: dict[int, int] = field(default_factory=dict)
    committed: dict[int, int] = field(default_factory=dict)

    def play(self, steps: Sequence[Step]) -> str:
        """Play steps; returns what was stale, or "" if nothing ever was."""
        for number, step in steps:
            getattr(self, f"_{step}")(number)
            cached = self.cache.get(value_key(ENTRY))
            assert cached is None or isinstance(cached, bytes)
            if cached is not None and int(cached) < self.seen:
                return f"{int(cached)} is cached after {step} of {number}; {self.seen} was seen"
        return ""

    def _take(self, reader: int) -> None:
        self.found[reader] = self.leases.take(ENTRY)

    def _load(self, reader: int) -> None:
        if not isinstance(self.found[reader], Hit):
            self.loaded[reader] = self.version

    def _fill(self, reader: int) -> None:
        lease = self.found[reader]
        if isinstance(lease, Lease):
            self.leases.fill(lease, str(self.loaded[reader]).encode(), MINUTE_MS)

    def _commit(self, writer: int) -> None:
        self.version += 1
        self.committed[writer] = self.version

    def _invalidate(self, writer: int) -> None:
        self.invalidate()
        self.seen = max(self.seen, self.committed[writer])


@pytest.fixture
def world(cache: Redis, sink: CacheSink) -> Callable[..., World]:
    def invalidate() -> None:
        assert sink.write([(ENTRY,)], Deadline(60)).unavailable == {}

    def make(fill: str = FILL, *, cached: bool = False) -> World:
        cache.flushdb()
        if cached:
            cache.set(value_key(ENTRY), b"1")
        return World(cache, Leases(cache, MINUTE_MS, fill=fill), invalidate)

    return make


@pytest.mark.parametrize("cached", [False, True], ids=["cold", "warm"])
@pytest.mark.parametrize(
    ("actors", "orders"),
    [
        ((READER, WRITER), 10),
        ((READER, WRITER, WRITER), 210),
        ((READER, READER, WRITER), 560),
    ],
    ids=["one reader, one writer", "one reader, two writers", "two readers, one writer"],
)
def test_no_order_of_steps_leaves_a_stale_value(
    actors: tuple[tuple[str, ...], ...], orders: int, cached: bool, world: Callable[..., World]
) -> None:
    played = 0
    for steps in interleavings(actors):
        stale = world(cached=cached).play(steps)
        assert stale == "", (steps, stale)
        played += 1
    assert played == orders


def stale_orders(
    world: Callable[..., World], fill: str, actors: Sequence[tuple[str, ...]]
) -> list[list[Step]]:
    return [steps for steps in interleavings(actors) if world(fill).play(steps)]


def test_without_the_lease_a_stale_value_is_found(world: Callable[..., World]) -> None:
    """The proof that the test above looks: the one order in which a fill overtakes."""
    assert FILL_UNCHECKED != FILL
    assert stale_orders(world, FILL_UNCHECKED, (READER, WRITER)) == [
        [(0, "take"), (0, "load"), (1, "commit"), (1, "invalidate"), (0, "fill")]
    ]


def test_a_fill_under_anothers_lease_would_be_found(world: Callable[..., World]) -> None:
    """It takes two readers: the second's lease, taken anew, must not serve the first."""
    assert FILL_UNDER_ANY_LEASE != FILL
    assert stale_orders(world, FILL_UNDER_ANY_LEASE, (READER, WRITER)) == []
    assert stale_orders(world, FILL_UNDER_ANY_LEASE, (READER, READER, WRITER))


def test_a_lease_that_outlives_its_invalidation_would_be_found(world: Callable[..., World]) -> None:
    """An invalidation that removes the value alone leaves the slow reader its right to fill."""

    found = []
    for steps in interleavings((READER, WRITER)):
        play = world()
        play.invalidate = lambda: play.cache.unlink(value_key(ENTRY))  # noqa: B023 - used at once
        found += [steps] if play.play(steps) else []
    assert len(found) == 1


def test_the_newest_value_can_be_cached_again(world: Callable[..., World]) -> None:
    """Refusing fills is not the whole of it: in quiet times a value is cached."""
    for steps in interleavings((READER, WRITER)):
        play = world()
        assert play.play([*steps, (2, "take"), (2, "load"), (2, "fill")]) == ""
        assert play.cache.get(value_key(ENTRY)) == b"2"
