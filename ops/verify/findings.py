"""What a verification finds: one line per item that is not as it should be."""

from collections.abc import Callable, Iterable, Iterator, Set
from dataclasses import dataclass, field
from enum import StrEnum


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
        item: what a person would look for: a key, a document id, an object's name.
        damage: the kind of difference.
        detail: what was expected and what is there; holds no personal data.
    """

    projection: str
    item: str
    damage: Damage
    detail: str


@dataclass(slots=True)
class Verdict:
    """The result for one projection.

    Attributes:
        projection: the consumer's name.
        checked: items compared.
        findings: what is wrong; empty means parity.
        rechecked: items that were in flight at first and settled while we looked again.
        note: anything a reader of the table should know.
    """

    projection: str
    checked: int = 0
    findings: list[Finding] = field(default_factory=list)
    rechecked: int = 0
    note: str = ""


# Compares a projection with the table and yields what differs. With `only`, it looks at no
# other items than those, named as in its findings. Adds to the verdict's `checked`.
Check = Callable[[Verdict, Set[str] | None], Iterator[Finding]]


def verify(projection: str, check: Check, settle: Iterable[None]) -> Verdict:
    """Run a check, and look again at what differs until it has settled.

    An item may be in flight: changed in the table, not yet in the projection. It is looked at
    again after each step of `settle` (which waits) and is a finding only if it still differs
    when `settle` ends. Nothing is excused: what never settles is found.
    """
    verdict = Verdict(projection)
    suspects = list(check(verdict, None))
    first = {finding.item for finding in suspects}
    checked = verdict.checked
    for _ in settle:
        if not suspects:
            break
        suspects = list(check(verdict, {finding.item for finding in suspects}))
    verdict.checked = checked
    verdict.findings = suspects
    verdict.rechecked = len(first) - len({finding.item for finding in suspects} & first)
    return verdict
