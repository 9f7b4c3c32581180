"""A model of a table's shards, in a time of its own.

They split, merge and roll over; a shard that closed keeps its records; after a day these are
trimmed, and then it is no longer listed. Only who changed when is kept: what a record holds is
made when it is read (`simulation_stream`), so that a day of them is a few megabytes.
"""

from __future__ import annotations

import random
from array import array
from bisect import bisect_left
from dataclasses import dataclass, field
from itertools import pairwise
from zlib import crc32

RETENTION_SECONDS = 24 * 3600.0
_SPACE = 1 << 16
_MOST_OPEN = 6


class Clock:
    """The simulation's time; starts at a full hour."""

    def __init__(self) -> None:
        self.now = 1_760_000_400.0

    def wall(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now


@dataclass(slots=True)
class ModelShard:
    """One shard: a range of the items' hashes, and the changes that came while it was open.

    `trimmed` is the number of the newest record that is gone, 0 if none is.
    """

    shard_id: str
    low: int
    high: int
    parents: tuple[str, ...] = ()
    closed_at: float | None = None
    trimmed: int = 0
    numbers: array[int] = field(default_factory=lambda: array("Q"))
    items: array[int] = field(default_factory=lambda: array("L"))
    versions: array[int] = field(default_factory=lambda: array("L"))
    times: array[float] = field(default_factory=lambda: array("d"))

    def trim(self, moment: float) -> None:
        count = bisect_left(self.times, moment)
        if count:
            self.trimmed = self.numbers[count - 1]
            for column in (self.numbers, self.items, self.versions, self.times):
                del column[:count]

    def forgotten(self, moment: float) -> bool:
        """Nothing is left of it."""
        return self.closed_at is not None and self.closed_at < moment and not self.numbers


class Table:
    """One table's shards: written with `put`, reshaped, and trimmed as time goes by.

    Attributes:
        versions: the newest version of each item.
        names: of the items, by their number in `ModelShard.items`.
        shards: by id, oldest first.
    """

    def __init__(self, clock: Clock, chance: random.Random, shards: int = 2) -> None:
        self._clock, self._chance = clock, chance
        self._made = self._number = 0
        self._ids: dict[str, int] = {}
        self.names: list[str] = []
        self.versions: dict[str, int] = {}
        self.shards: dict[str, ModelShard] = {}
        self._open: list[ModelShard] = []
        self._trims_at = 0.0
        edges = [_SPACE * n // shards for n in range(shards + 1)]
        for low, high in pairwise(edges):
            self._add(low, high, ())

    def put(self, item: str) -> int:
        """Change an item; returns its new version."""
        version = self.versions[item] = self.versions.get(item, 0) + 1
        if item not in self._ids:
            self._ids[item] = len(self.names)
            self.names.append(item)
        place = crc32(item.encode()) % _SPACE
        (shard,) = [each for each in self._open if each.low <= place < each.high]
        self._number += self._chance.randint(1, 50)
        shard.numbers.append(self._number)
        shard.items.append(self._ids[item])
        shard.versions.append(version)
        shard.times.append(self._clock.now)
        return version

    def oldest_kept(self, item: str) -> int:
        """The oldest version of an item that can still be read; its next one if none can."""
        self.trim()
        wanted = self._ids.get(item)
        found = (
            version
            for shard in self.shards.values()
            for which, version in zip(shard.items, shard.versions, strict=True)
            if which == wanted
        )
        return min(found, default=self.versions.get(item, 0) + 1)

    def split(self) -> bool:
        """Cut the widest open shard in two, unless there are many already."""
        if len(self._open) >= _MOST_OPEN:
            return False
        shard = max(self._open, key=lambda each: each.high - each.low)
        middle = (shard.low + shard.high) // 2
        self._close(shard)
        self._add(shard.low, middle, (shard.shard_id,))
        self._add(middle, shard.high, (shard.shard_id,))
        return True

    def roll(self) -> bool:
        """Close a shard and go on in another, as DynamoDB does every few hours."""
        shard = self._chance.choice(self._open)
        self._close(shard)
        self._add(shard.low, shard.high, (shard.shard_id,))
        return True

    def merge(self) -> bool:
        """Join two neighbours, if there are two."""
        if len(self._open) == 1:
            return False
        at = self._chance.randrange(len(self._open) - 1)
        left, right = sorted(self._open, key=lambda each: each.low)[at : at + 2]
        self._close(left)
        self._close(right)
        self._add(left.low, right.high, (left.shard_id, right.shard_id))
        return True

    def _close(self, shard: ModelShard) -> None:
        shard.closed_at = self._clock.now
        self._open.remove(shard)

    def _add(self, low: int, high: int, parents: tuple[str, ...]) -> None:
        self._made += 1
        shard_id = f"shardId-{int(self._clock.now * 1000):020d}-{self._made:08x}"
        shard = ModelShard(shard_id, low, high, parents)
        self.shards[shard_id] = shard
        self._open.append(shard)

    def trim(self) -> None:
        """Let go of what is older than a day; looks once a minute."""
        if self._clock.now < self._trims_at:
            return
        self._trims_at = self._clock.now + 60.0
        moment = self._clock.now - RETENTION_SECONDS
        for shard_id, shard in tuple(self.shards.items()):
            shard.trim(moment)
            if shard.forgotten(moment):
                del self.shards[shard_id]
