"""The image chain: each change begins with the item as the change before it left it.

A change's OldImage equals the NewImage before it, an INSERT begins and a REMOVE ends with no item.
Where two neighbours do not fit, at least one change between them is not in the archive. What the
chain cannot show: changes at the end of an item's life that are missing (compare its last image
with the table), and changes that together led back to the same image (an item that has a version
never does that).

Only digests of images are kept, so that a chain costs the same for items of any size.
"""

import hashlib
import json
from base64 import b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from typing import Any, NamedTuple

import orjson

from shared.archive_change import Change, ItemKey
from shared.archive_format import from_line, to_line
from shared.errors import Malformed

_SETS = ("SS", "NS", "BS")
_SET_TAGS = tuple(f'"{tag}":['.encode() for tag in _SETS)


class Link(NamedTuple):
    """One change of an item, reduced to what the chain needs.

    Attributes:
        event_id: DynamoDB's id of the change.
        sequence: its place in the stream; None if it came through Kinesis.
        created_us: when it was made, microseconds since the epoch.
        version: the item's version with it, if known.
        old, new: digests of its images as `image_digest` makes them; None for no item.
    """

    event_id: str
    sequence: int | None
    created_us: int
    version: int | None
    old: str | None
    new: str | None


@dataclass(frozen=True, slots=True)
class Gap:
    """A place in an item's history where at least one change is missing.

    Attributes:
        item_key: (PK, SK).
        after: the last change before the gap; None if the history does not begin with an INSERT.
        before: the first change behind it.
    """

    item_key: ItemKey
    after: Link | None
    before: Link

    @property
    def expected(self) -> str | None:
        """Digest of the image with which `before` had to begin; None for no item."""
        return self.after.new if self.after else None

    @property
    def found(self) -> str | None:
        """Digest of the image with which it begins."""
        return self.before.old

    def __str__(self) -> str:
        """One line for people; names the item and the changes around the gap, no image."""
        name, before = "|".join(self.item_key), f"before {_place(self.before)}"
        if self.after is None:
            return f"{name}: the first changes are missing, {before}"
        after = f"after {_place(self.after)}"
        if self.found is None:
            return f"{name}: the item's removal is missing {after}, {before}"
        return f"{name}: a change is missing {after}, {before}"


@dataclass(frozen=True, slots=True)
class ItemChain:
    """All that the archive knows of one item, images reduced to digests.

    Attributes:
        item_key: (PK, SK).
        links: its changes in order, repeats dropped; never empty.
        gaps: where the chain is broken; empty if it is whole.
    """

    item_key: ItemKey
    links: Sequence[Link]
    gaps: Sequence[Gap]

    @property
    def last_image(self) -> str | None:
        """Digest of the item as the last change left it; None if it was removed."""
        return self.links[-1].new


def to_row(item_key: ItemKey, link: Link) -> bytes:
    """A link as one line, to be put aside; `from_row` reads it."""
    # As text: sequence numbers have more than 64 bits.
    sequence = None if link.sequence is None else str(link.sequence)
    return to_line([*item_key, *link._replace(sequence=sequence)])  # type: ignore[arg-type]


def from_row(row: bytes) -> tuple[ItemKey, Link]:
    """Read what `to_row` wrote."""
    partition, sort, event_id, sequence, *rest = from_line(row)
    number = None if sequence is None else int(sequence)
    return (partition, sort), Link(event_id, number, *rest)


def link_of(change: Change) -> Link:
    """Reduce a change to its link."""
    return Link(
        change.event_id,
        change.sequence,
        change.created_us,
        change.version,
        image_digest(change.old_raw),
        image_digest(change.new_raw),
    )


def image_digest(image: Any) -> str | None:
    """Digest of an item's raw DynamoDB JSON (32 hex digits); None for None.

    The same for the same item, in whatever order its attributes and the members of its sets come,
    and whether binaries are base64 text, as in a stream, or bytes, as botocore gives them.
    Raises Malformed for an image nested so deep that nothing can walk it.
    """
    if image is None:
        return None
    try:
        data = orjson.dumps(image, default=_base64, option=orjson.OPT_SORT_KEYS)
        if any(tag in data for tag in _SET_TAGS):
            data = orjson.dumps(_ordered(image), option=orjson.OPT_SORT_KEYS)
    except TypeError:
        # What UTF-8 or 64 bits cannot hold.
        try:
            data = json.dumps(_ordered(image), sort_keys=True, separators=(",", ":")).encode()
        except RecursionError:
            raise Malformed("the change carries an image that is nested too deep") from None
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def _base64(value: Any) -> str:
    if isinstance(value, bytes | bytearray):
        return b64encode(value).decode()
    raise TypeError


def _ordered(value: Any) -> Any:
    """A copy in which the members of sets, which have no order, are in order."""
    if isinstance(value, dict):
        return {
            name: sorted(map(_ordered, inner), key=str)
            if name in _SETS and isinstance(inner, list)
            else _ordered(inner)
            for name, inner in value.items()
        }
    if isinstance(value, list):
        return list(map(_ordered, value))
    return _base64(value) if isinstance(value, bytes | bytearray) else value


def chain(item_key: ItemKey, links: Iterable[Link], whole: bool) -> ItemChain:
    """Put the changes of one item in order and look for gaps.

    `whole`: the links are the item's whole history, so that it must begin with an INSERT.
    """
    # A repeat is the same change with the same images; two different ones under one eventID
    # both stay, and do not fit.
    distinct = {(link.event_id, link.old, link.new): link for link in links}
    ordered = in_order(list(distinct.values()))
    gaps = []
    before: Link | None = None
    for link in ordered:
        if before is None:
            if whole and link.old is not None:
                gaps.append(Gap(item_key, None, link))
        elif link.old != before.new:
            gaps.append(Gap(item_key, before, link))
        before = link
    return ItemChain(item_key, ordered, gaps)


def in_order(links: list[Link]) -> list[Link]:
    """The links of one item in the order of their changes.

    By sequence number where all have one. Kinesis gives none and delivers out of order; there
    the creation time tells, and for changes of one instant which follows from which, then the
    version.
    """
    if all(link.sequence is not None for link in links):
        return sorted(links, key=lambda link: link.sequence or 0)
    by_time = sorted(links, key=lambda link: (link.created_us, link.version or 0))
    ordered: list[Link] = []
    for _, instant in groupby(by_time, key=lambda link: link.created_us):
        waiting = list(instant)
        while waiting:
            image = ordered[-1].new if ordered else None
            fits = (place for place, link in enumerate(waiting) if link.old == image)
            ordered.append(waiting.pop(next(fits, 0)))
    return ordered


def _place(link: Link) -> str:
    moment = datetime.fromtimestamp(link.created_us / 1_000_000, UTC).isoformat(" ", "seconds")
    version = "" if link.version in (None, link.created_us) else f"version {link.version}, "
    return f"{version}{moment} (eventID {link.event_id})"
