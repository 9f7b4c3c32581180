"""What a verification finds: one line per item that is not as it should be."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from shared.codec import RawImage
from shared.entities import Kind


class Damage(StrEnum):
    """In what way an item's projection differs from the table."""

    MISSING = "missing"  # the table has it, the projection does not
    STALE = "stale"  # an older version, or another content
    GHOST = "ghost"  # the projection has it, the table does not
    GAP = "gap"  # a change is not in the archive
    WRONG = "wrong"  # a number that does not add up
    CORRUPT = "corrupt"  # stored, but cannot be read


@dataclass(frozen=True, slots=True)
class Finding:
    """One item of one projection that is not as it should be.

    Attributes:
        projection: the consumer's name.
        item: what a person would look for: a key, a cache entry, an object's name.
        damage: the kind of difference.
        detail: what was expected and what is there; holds no personal data.
        hint: the next step that helps.
    """

    projection: str
    item: str
    damage: Damage
    detail: str
    hint: str


@dataclass(slots=True)
class Verdict:
    """The result for one projection.

    Attributes:
        projection: the consumer's name.
        checked: what was compared: items, entries, documents or series.
        findings: what is wrong; empty means parity.
        rechecked: what differed at first and settled while we looked again: it was in flight.
        note: anything a reader of the table should know.
    """

    projection: str
    checked: int = 0
    findings: list[Finding] = field(default_factory=list)
    rechecked: int = 0
    note: str = ""

    def count(self, damage: Damage) -> int:
        """How many findings are of this kind."""
        return sum(finding.damage is damage for finding in self.findings)


class Check(Protocol):
    """Compares one projection with the table.

    Keeps a few bytes for each item, and no item: tables are larger than memory. The first look
    is cheap and may be torn, as table and projection are read one after the other while both
    change. What differs is a suspect, and is looked at again by itself.

    Attributes:
        verdict: what is known so far.
        needs_items: whether it must be shown the table's items.
    """

    verdict: Verdict
    needs_items: bool

    def expect(self, kind: Kind, name: str, item: RawImage) -> None:
        """Take note of one item of the table; called for every item before `compare`."""

    def compare(self) -> Iterator[Finding]:
        """Read the projection and yield what differs; sets `checked` and `note`."""

    def look_again(self, suspects: Sequence[Finding]) -> Iterator[Finding]:
        """Look at the suspects' items anew, and yield those that still differ."""
