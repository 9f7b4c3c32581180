"""Who watches a consumer in the simulation: nothing lost, nothing ahead of its turn.

The model is one number per item: all its changes up to this version are done. Since the versions
of an item have no gaps, a change that comes while an earlier one is not done shows at once, and
at the end the number is the item's newest version, or something was lost.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from tests.support.simulation_shards import Table

Change = tuple[str, int]
"""An item and one of its versions."""


class Broken(AssertionError):
    """A promise of the mapping was broken."""


def change_in(entry: Mapping[str, Any]) -> Change:
    """What an entry of a Lambda event is about, through Kinesis or not."""
    if "kinesis" in entry:
        entry = orjson.loads(base64.b64decode(entry["kinesis"]["data"]))
    change = entry["dynamodb"]
    return change["Keys"]["PK"]["S"], int(change["NewImage"]["version"]["N"])


def identifier(entry: Mapping[str, Any]) -> str:
    """By what a handler names an entry."""
    part = "kinesis" if "kinesis" in entry else "dynamodb"
    return str(entry[part]["sequenceNumber" if part == "kinesis" else "SequenceNumber"])


@dataclass(slots=True)
class Watch:
    """What one consumer was given, and what of it is done.

    Attributes:
        name: the consumer's.
        table: whose changes they are.
        prefix: of the items that its filter lets through.
        ordered: its source keeps the order of an item's changes.
        delivered, repeated: changes that were done, and those of them that were done before.
        discarded: changes that went to the on-failure destination.
        gaps: times that the mapping said that changes may be lost.
        lost: changes that were, after it was said.
    """

    name: str
    table: Table
    prefix: str
    ordered: bool = True
    delivered: int = 0
    repeated: int = 0
    discarded: int = 0
    gaps: int = 0
    lost: int = 0
    _done: dict[str, int] = field(default_factory=dict)
    _early: dict[str, set[int]] = field(default_factory=dict)
    _claim: tuple[float, dict[str, int]] | None = None

    def begin_here(self) -> None:
        """What was changed until now is not this consumer's."""
        self._done = self._wanted()

    def given(self, changes: Sequence[Change]) -> None:
        """The consumer is handed a batch. Raises Broken if one of it is ahead of its turn."""
        seen: dict[str, int] = {}
        for item, version in changes:
            if not item.startswith(self.prefix):
                raise Broken(f"{self.name} was given {item}, which its filter keeps away")
            known = seen.get(item) or self._done.get(item, 0)
            if version > known + 1 and self.ordered:
                known = self._jump(item, known, version)
            seen[item] = max(known, version)

    def did(self, changes: Iterable[Change]) -> None:
        """These are done."""
        for item, version in changes:
            self.delivered += 1
            done = self._done.get(item, 0)
            early = self._early.setdefault(item, set()) if not self.ordered else set()
            if version <= done or version in early:
                self.repeated += 1
            elif version > done + 1 and not self.ordered:
                early.add(version)
            else:
                self._done[item] = self._join(item, version)

    def gave_up(self, changes: Sequence[Change]) -> None:
        """The destination has these: nobody waits for them any more."""
        self.given(changes)
        self.did(changes)
        self.delivered -= len(changes)
        self.discarded += len(changes)

    def _jump(self, item: str, done: int, version: int) -> int:
        """The version that counts as done after a gap that the mapping has told."""
        done = self._forget(item, done)
        if version > done + 1:
            raise Broken(
                f"{self.name} was given {item} version {version}; {done} is the last it did"
            )
        return done

    def _forget(self, item: str, done: int) -> int:
        """After a gap that the mapping has told, what is trimmed is lost; nothing else is."""
        kept = self.table.oldest_kept(item) if self.gaps else 0
        if kept > done + 1:
            self.lost += kept - 1 - done
            self._done[item] = done = self._join(item, kept - 1)
        return done

    def _join(self, item: str, done: int) -> int:
        """The version up to which all is done, with what came early."""
        early = self._early.get(item, ())
        while early and done + 1 in early:
            done += 1
            early.discard(done)
        return done

    # -- claims and the end ------------------------------------------------------------------

    def claims(self, caught_up_at: float, now: float) -> None:
        """The mapping says that all that was changed before `caught_up_at` is done."""
        if self._claim is not None and caught_up_at > self._claim[0]:
            self._require(self._claim[1], "was said to be done")
            self._claim = None
        if self._claim is None:
            self._claim = now, self._wanted()

    def unclaim(self) -> None:
        """Expect nothing of what the mapping says until the next `claims`."""
        self._claim = None

    def done_to_the_end(self) -> bool:
        """Everything that was ever changed is done."""
        return all(
            self._done.get(item, 0) >= last or self._forget(item, self._done.get(item, 0)) >= last
            for item, last in self._wanted().items()
        )

    def require_all(self) -> None:
        """Raises Broken if a change was lost."""
        self._require(self._wanted(), "was changed last")

    def pending(self) -> int:
        """How many changes came before an earlier one of their item; only if not `ordered`."""
        return sum(map(len, self._early.values()))

    def _wanted(self) -> dict[str, int]:
        return {
            item: version
            for item, version in self.table.versions.items()
            if item.startswith(self.prefix)
        }

    def _require(self, wanted: Mapping[str, int], what: str) -> None:
        for item, version in wanted.items():
            done = self._done.get(item, 0)
            if done < version and (done := self._forget(item, done)) < version:
                raise Broken(f"{self.name}: {item} version {version} {what}; {done} is done")
