"""An item's life from the archive, change by change: what was changed, from what, to what."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ops.verify.table import key_of, name_of
from shared import entities
from shared.archive import Archive, Change, Gap, ItemKey
from shared.codec import RawImage
from shared.entities import Kind

_KEYS = frozenset({entities.PARTITION_KEY, entities.SORT_KEY})


@dataclass(frozen=True, slots=True)
class Difference:
    """One attribute that a change set, altered or removed.

    Attributes:
        path: such as `metadata.version` or `items[0].quantity`.
        old: its value before, as text; None if it was not there.
        new: its value after; None if it is gone.
        personal: whether it names or reaches a person.
    """

    path: str
    old: str | None
    new: str | None
    personal: bool


@dataclass(frozen=True, slots=True)
class Step:
    """One change of an item.

    Attributes:
        at_ms: when, milliseconds since the epoch; a stream knows whole seconds only.
        change: INSERT, MODIFY or REMOVE.
        version: the item's version with it, if the record told one.
        differences: by path.
        gap: what is missing before it, in words; empty if nothing is.
        expired: it was DynamoDB itself that removed the item, as its time to live had passed.
        event_id: DynamoDB's id of the change.
        archived_in: the archive object, and the line in it.
    """

    at_ms: int
    change: str
    version: int | None
    differences: tuple[Difference, ...]
    gap: str
    expired: bool
    event_id: str
    archived_in: str


@dataclass(frozen=True, slots=True)
class Life:
    """All that the archive knows of one item.

    Attributes:
        item: its name, `PK|SK`.
        steps: its changes, in order; never empty.
        unreadable: places in the archive that cannot be read and may hold more of it.
    """

    item: str
    steps: tuple[Step, ...]
    unreadable: tuple[str, ...]


def lives_of(archive: Archive, text: str) -> Iterator[Life]:
    """The lives of the items that `text` names.

    `text` is a name, `PK|SK`, or the id of an order, score or heartbeat, or of a user, which
    stands for the user's total. Reads the whole archive, twice for an id.
    """
    keys = [key_of(text)] if "|" in text else sorted(_keys_of(archive, text))
    for key in keys:
        history = archive.history(key)
        if history.changes:
            gaps = {gap.before.event_id: gap for gap in history.gaps}
            steps = tuple(_step(change, gaps.get(change.event_id)) for change in history.changes)
            yield Life(name_of(*key), steps, tuple(map(str, history.damage)))


def _keys_of(archive: Archive, identity: str) -> set[ItemKey]:
    """The keys, among all that ever changed, of items with this id."""
    partitions = {kind.value + identity for kind in Kind if kind is not Kind.OTHER}
    return {
        entry.item_key
        for entry in archive.read()
        if isinstance(entry, Change) and entry.item_key[0] in partitions
    }


def _step(change: Change, gap: Gap | None) -> Step:
    missing = "" if gap is None else str(gap).removeprefix(f"{'|'.join(gap.item_key)}: ")
    return Step(
        at_ms=change.created_ms,
        change=change.event_name,
        version=change.version,
        differences=tuple(differences(_image(change.old_raw), _image(change.new_raw))),
        gap=missing,
        expired="userIdentity" in change.fields,
        event_id=change.event_id,
        archived_in=f"{change.object_key}:{change.line}",
    )


def _image(raw: Any) -> RawImage:
    """An image as delivered; one that is no map has no attributes to compare."""
    return raw if isinstance(raw, dict) else {}


def differences(old: RawImage, new: RawImage) -> Iterator[Difference]:
    """What differs between two raw images, by path, keys left out. Never raises."""
    for name in sorted((old.keys() | new.keys()) - _KEYS):
        personal = name in entities.PERSONAL_DATA
        for path, before, after in _compare(name, old.get(name), new.get(name)):
            yield Difference(path, before, after, personal)


def _compare(path: str, old: Any, new: Any) -> Iterator[tuple[str, str | None, str | None]]:
    if old == new:
        return
    before, after = _members(old), _members(new)
    if before is None or after is None:
        yield path, _text(old), _text(new)
        return
    for step in sorted(before.keys() | after.keys(), key=_place):
        yield from _compare(path + step, before.get(step), after.get(step))


def _members(value: Any) -> Mapping[str, Any] | None:
    """The parts of a map, or of a list of maps, by the next step of their path.

    None for what is compared as a whole. What is not there has no parts.
    """
    if value is None:
        return {}
    body = value.get("M") if isinstance(value, dict) else None
    if isinstance(body, dict) and body:
        return {f".{name}": member for name, member in body.items()}
    body = value.get("L") if isinstance(value, dict) else None
    if isinstance(body, list) and body and all(map(_members, body)):
        return {f"[{place}]": member for place, member in enumerate(body)}
    return None


def _place(step: str) -> tuple[int, str]:
    """Sorts [2] before [10]."""
    return len(step) if step.startswith("[") else 0, step


def _text(value: Any) -> str | None:
    """An attribute value for people; strings quoted, so that "1" and 1 are told apart."""
    if value is None:
        return None
    match value:
        case {"N": str(number)}:
            return number
        case {"NULL": _}:
            return "null"
        case {"B": str(body)}:
            return f"binary {body}"
        case {"S": body} | {"BOOL": body}:
            return json.dumps(body, ensure_ascii=False)
        case {"L": list(members)}:
            return f"[{', '.join(str(_text(member)) for member in members)}]"
        case {"M": dict(members)}:
            parts = (f"{name}: {_text(member)}" for name, member in sorted(members.items()))
            return f"{{{', '.join(parts)}}}"
        case {"SS": list(members)} | {"NS": list(members)} | {"BS": list(members)}:
            return f"{{{', '.join(sorted(map(str, members)))}}}"
    # Archived as it was delivered, though DynamoDB has no such type.
    return json.dumps(value, ensure_ascii=False, sort_keys=True)
