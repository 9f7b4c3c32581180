"""Is every change in the archive? Each item's image chain, from its INSERT to what the table holds.

A missing change breaks the chain, or leaves a last image that is not the table's. The one thing
that cannot be seen is an item that came and went with not a single change archived.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from ops.verify.findings import Damage, Finding, Verdict
from ops.verify.table import Table, key_of, name_of
from shared import archive as archived
from shared import entities
from shared.archive import Archive, ItemChain, image_digest
from shared.codec import RawImage
from shared.entities import Kind
from shared.errors import Malformed

_NAME = "audit"
_FIND_IT = (
    "redrive audit's dead-letter queue; if it is empty, an archive object was removed: restore "
    "its older version, which Object Lock keeps"
)
_BEHIND = (
    "see audit's lag and dead letters in `fanout status`; if neither explains it, an archive "
    "object was removed, or the table was changed without its stream"
)
_RESTORE = "restore the object's older version, which Object Lock keeps, or replay its hour"


class _State(NamedTuple):
    """An item as the table has it: the digest of its image, 0 if there is none; its version."""

    image: int
    version: int | None


class _Left(NamedTuple):
    """What differs from the table's first state.

    Attributes:
        finding: that very difference.
        passed: the chain is whole, and the item had that state before its end.
        end: the last image of a whole chain; -1 if it has gaps.
    """

    finding: Finding
    passed: bool
    end: int


_ABSENT = _State(0, None)


class AuditCheck:
    """Compares the archive with the table."""

    def __init__(self, table: Table, archive: Archive) -> None:
        """Nothing is read yet."""
        self.verdict = Verdict(_NAME)
        self.needs_items = True
        self._table = table
        self._archive = archive
        # An integer of 128 bits for each item: the digest of its image.
        self._images: dict[str, int] = {}

    def expect(self, kind: Kind, name: str, item: RawImage) -> None:  # noqa: ARG002 - all kinds
        """Remember a digest of the item."""
        self._images[name] = _number(image_digest(item))

    def compare(self) -> Iterator[Finding]:
        """Go through the archive, item by item; last, name what it does not know."""
        images, self._images = self._images, {}
        self.verdict.checked = len(images)
        removed = 0
        for entry in self._archive.check():
            if isinstance(entry, archived.Damage):
                yield _unreadable(entry)
                continue
            name = name_of(*entry.item_key)
            image = images.pop(name, 0)
            removed += not image
            yield from _differences(name, entry, _State(image, None))
        self.verdict.checked += removed
        self.verdict.note = f"{removed:,} of them no longer in the table" if removed else ""
        for name in images:
            yield _unknown(name)

    def look_again(self, suspects: Sequence[Finding]) -> Iterator[Finding]:
        """Read the suspects, then their chains, then the suspects once more."""
        unreadable = {finding.item for finding in suspects if finding.damage is Damage.CORRUPT}
        if unreadable:
            for line in self._archive.read():
                if isinstance(line, archived.Damage) and _place(line) in unreadable:
                    yield _unreadable(line)
        names = {finding.item for finding in suspects} - unreadable
        before = self._states(names)
        left: dict[str, _Left] = {}
        unknown = set(names)
        for entry in self._archive.check(only={key_of(name) for name in names}):
            if isinstance(entry, ItemChain):
                name = name_of(*entry.item_key)
                unknown.discard(name)
                state = before.get(name, _ABSENT)
                for finding in _differences(name, entry, state):
                    left[name] = _left(finding, entry, state)
        after = self._states(unknown.union(left))
        yield from map(_unknown, unknown & after.keys())
        for name, (finding, passed, end) in left.items():
            first, last = before.get(name, _ABSENT), after.get(name, _ABSENT)
            # An item that changes all the time, as a heartbeat does, never stands still while
            # its chain is read: that the archive is past what the table first had, or where it
            # is now, is as much as can be asked then.
            if first == last or not (passed or end == last.image):
                yield finding

    def _states(self, names: Iterable[str]) -> dict[str, _State]:
        return {
            name: _State(_number(image_digest(item)), _version(item))
            for name, item in self._table.named(names)
        }


def _left(finding: Finding, chain: ItemChain, first: _State) -> _Left:
    if chain.gaps:
        return _Left(finding, passed=False, end=-1)
    images = [_number(link.new) for link in chain.links]
    return _Left(finding, passed=first.image in images, end=images[-1])


def _differences(name: str, chain: ItemChain, state: _State) -> Iterator[Finding]:
    """At most one finding; `state` is the table's."""
    image, version = state
    same_end = _number(chain.last_image) == image
    last = chain.links[-1]
    archived = "a removal" if last.new is None else f"version {last.version}"
    there = "the item" if version is None else f"version {version}"
    if chain.gaps:
        gap = str(chain.gaps[0]).removeprefix(f"{'|'.join(chain.item_key)}: ")
        more = f"; {len(chain.gaps) - 1} more gaps" if len(chain.gaps) > 1 else ""
        end = "" if same_end else "; nor is its last image the table's"
        yield Finding(_NAME, name, Damage.GAP, gap + more + end, _FIND_IT)
    elif same_end:
        return
    elif not image:
        detail = f"the archive ends with {archived}, the table no longer has the item"
        yield Finding(_NAME, name, Damage.GHOST, detail, _BEHIND)
    else:
        detail = f"the archive ends with {archived}, and another image than the table, {there}"
        yield Finding(_NAME, name, Damage.STALE, detail, _BEHIND)


def _unknown(name: str) -> Finding:
    detail = "the table has the item, the archive not one change of it"
    return Finding(_NAME, name, Damage.MISSING, detail, _BEHIND)


def _unreadable(entry: archived.Damage) -> Finding:
    return Finding(_NAME, _place(entry), Damage.CORRUPT, entry.reason, _RESTORE)


def _place(entry: archived.Damage) -> str:
    return entry.object_key if entry.line is None else f"{entry.object_key}:{entry.line}"


def _number(digest: str | None) -> int:
    return int(digest, 16) if digest else 0


def _version(item: RawImage) -> int | None:
    try:
        return entities.version_of(item)
    except Malformed:
        return None
