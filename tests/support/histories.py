"""Histories of orders and scores, the table that they leave, and the ways they can be delivered.

The model of what is true is the table here: plain dicts, written by the history itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import count, pairwise
from typing import Any

from hypothesis import strategies as st

from shared.entities import ORDER_STATUSES
from tests.support.records import Raw, kinesis_record, order, score, stream_record

_names = count(1)  # each history has items of its own, so that all can share one set of servers

Item = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Change:
    """One committed write: `old` to `new`, None where there is nothing; numbered from 1."""

    name: str
    number: int
    old: Item | None
    new: Item | None

    @property
    def key(self) -> str:
        """The item's partition key."""
        item = self.new or self.old
        assert item is not None
        return str(item["PK"])

    def from_stream(self) -> Raw:
        """The record of the table's stream."""
        return stream_record(self.old, self.new, sequence=self.number, event_id=self._event_id)

    def from_kinesis(self, place: int) -> Raw:
        """The record in Kinesis, delivered at some place of its own."""
        return kinesis_record(self.old, self.new, sequence=place, event_id=self._event_id)

    @property
    def _event_id(self) -> str:
        return f"{self.name}-{self.number}"


@dataclass(slots=True)
class History:
    """A history being written.

    Attributes:
        name: part of every id in it.
        changes: in the order of their commits.
        table: the items that are there now, by partition key.
        versions: the last version of each item that ever was; a removal is one, too.
    """

    name: str
    changes: list[Change] = field(default_factory=list)
    table: dict[str, Item] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)

    def order(self, which: int, customer: int, status: str) -> None:
        """Write an order, unless it was removed: the application never brings one back."""
        order_id = f"{self.name}-{which}"
        key = f"ORDER#{order_id}"
        if key in self.table or key not in self.versions:
            version = self.versions.get(key, 0) + 1
            owner = f"{self.name}-c{customer}"
            self._write(key, order(order_id, version, status=status, customerId=owner))

    def score(self, which: int, user: int, value: Decimal) -> None:
        """Write a score; one that was removed may come back."""
        key = f"SCORE#{self.name}-{which}"
        version = self.versions.get(key, 0) + 1
        self._write(key, score(f"{self.name}-{which}", f"{self.name}-u{user}", value, version))

    def remove(self, kind: str, which: int) -> None:
        """Remove an item, if it is there."""
        key = f"{kind}#{self.name}-{which}"
        if key in self.table:
            self._write(key, None)

    def sums(self) -> dict[str, tuple[Decimal, int]]:
        """Each player's total and number of scores."""
        found: dict[str, tuple[Decimal, int]] = {}
        for item in self.table.values():
            if item["PK"].startswith("SCORE#"):
                user = item["SK"].removeprefix("USER#")
                total, scores = found.get(user, (Decimal(0), 0))
                found[user] = total + item["Score"], scores + 1
        return found

    def orders_of(self, customer: str) -> list[str]:
        """A customer's orders, each with its version."""
        return sorted(
            f"{item['orderId']} {item['metadata']['version']}"
            for item in self.table.values()
            if item.get("customerId") == customer
        )

    def _write(self, key: str, new: Item | None) -> None:
        old = self.table.pop(key, None)
        if new is not None:
            self.table[key] = new
        self.versions[key] = self.versions.get(key, 0) + 1
        self.changes.append(Change(self.name, len(self.changes) + 1, old, new))


_which = st.integers(1, 2)
_order = st.tuples(st.just("order"), _which, st.integers(1, 2), st.sampled_from(ORDER_STATUSES))
# Cents: sums stay far within what Decimal keeps exactly.
_values = st.integers(-(10**9), 10**9).map(lambda cents: Decimal(cents) / 100)
_score = st.tuples(st.just("score"), _which, st.just(1), _values)
_remove = st.tuples(st.just("remove"), st.sampled_from(["ORDER", "SCORE"]), _which)
STEPS = st.lists(st.one_of(_order, _order, _score, _score, _remove), min_size=2, max_size=14)
"""What is done to a few items: small enough to look at when it fails."""


def new_history() -> History:
    """An empty one, with a name that no other has."""
    return History(f"h{next(_names)}")


def write(history: History, step: tuple[Any, ...]) -> None:
    """Do one of `STEPS`."""
    getattr(history, step[0])(*step[1:])


def histories() -> st.SearchStrategy[History]:
    """Whole histories of two orders and two scores."""

    def made(steps: Sequence[tuple[Any, ...]]) -> History:
        history = new_history()
        for step in steps:
            write(history, step)
        return history

    return STEPS.map(made)


Batches = list[list[Change]]


@st.composite
def in_any_order(draw: st.DrawFn, changes: Sequence[Change]) -> Batches:
    """As Kinesis may: each change at least once, repeats, any order, cut anywhere."""
    if not changes:
        return []
    repeats = draw(st.lists(st.sampled_from(changes), max_size=6))
    order = draw(st.permutations([*changes, *repeats]))
    cuts = draw(st.sets(st.integers(1, len(order)), max_size=4))
    edges = sorted({0, len(order), *cuts})
    return [order[low:high] for low, high in pairwise(edges)]


@st.composite
def as_a_stream(draw: st.DrawFn, changes: Sequence[Change]) -> Batches:
    """As a stream does: each item in order within its shard; a batch begins at the checkpoint
    or, redelivered, before it; the shards' batches come in any order among each other."""
    shard_of = {key: draw(st.integers(0, 1)) for key in sorted({each.key for each in changes})}
    batches: Batches = []
    for shard in (0, 1):
        mine = [each for each in changes if shard_of[each.key] == shard]
        at, reached = 0, 0
        while reached < len(mine):
            start = draw(st.integers(max(0, reached - 4), reached))
            reached = draw(st.integers(reached + 1, min(len(mine), reached + 6)))
            # Somewhere behind the shard's last batch, among those of the other shard.
            at = draw(st.integers(at, len(batches)))
            batches.insert(at, mine[start:reached])
            at += 1
    return batches
