"""Reading the archive: its changes, each item's history, and the proof that nothing is missing.

    archive = Archive(bucket)
    for entry in archive.read(start_ms, end_ms):   # every change once, in the archive's order
        match entry:
            case Change(): ...
            case Damage(): ...                     # an object or a line that cannot be read
    for entry in archive.check():                  # item by item, images reduced to digests
        match entry:
            case ItemChain(): entry.gaps, entry.last_image == image_digest(item_in_the_table)
            case Damage(): ...
    archive.history(("ORDER#1", "ORDER"))          # one item's life, change by change

Everything streams; memory is bounded as each method says. What cannot be read is never left out
in silence: it comes as `Damage` between the rest. All methods raise Unavailable if S3 does not
answer.
"""

from collections.abc import Iterator, Set
from dataclasses import dataclass

from shared import archive_scan
from shared.archive_chain import (
    Gap,
    ItemChain,
    Link,
    chain,
    from_row,
    image_digest,
    link_of,
    to_row,
)
from shared.archive_change import Change, ItemKey
from shared.archive_format import ObjectName
from shared.archive_scan import HOUR_MS, Damage
from shared.archive_spool import Spool
from shared.archive_store import Fetch, fetch
from shared.errors import Malformed

__all__ = ["Archive", "Change", "Damage", "Gap", "History", "ItemChain", "ItemKey", "Link"]
__all__ += ["image_digest"]


@dataclass(frozen=True, slots=True)
class History:
    """The life of one item.

    Attributes:
        changes: in order, repeats dropped; empty if the archive knows no such item.
        gaps: where changes are missing.
        damage: what could not be read on the way, and might have held more of it.
    """

    changes: tuple[Change, ...]
    gaps: tuple[Gap, ...]
    damage: tuple[Damage, ...]


class Archive:
    """The archive in one bucket. Time ranges are half open, in milliseconds since the epoch."""

    def __init__(self, bucket: str, fetch: Fetch = fetch) -> None:
        """Nothing is read yet. Reached by AWS's own settings, like every client of ours.

        Who reads the archive several times can give a `fetch` that keeps what it got.
        """
        self._bucket = bucket
        self._fetch = fetch

    def objects(
        self, start_ms: int | None = None, end_ms: int | None = None
    ) -> Iterator[ObjectName | Damage]:
        """Yield the objects whose hour touches the range, in order, without reading them."""
        return archive_scan.objects(self._bucket, start_ms, end_ms)

    def read(
        self, start_ms: int | None = None, end_ms: int | None = None
    ) -> Iterator[Change | Damage]:
        """Yield every change once, hour by hour, in the order of the objects' names.

        An item's changes come in their order as long as they came so from the stream. Memory:
        one object, and the eventIDs of one hour (some 100 bytes a change).
        """
        hour, seen = None, set[str]()
        for entry in archive_scan.entries(self._bucket, start_ms, end_ms, fetch=self._fetch):
            if isinstance(entry, Change):
                # A repeat was made in the same hour: that of the change.
                if entry.created_ms // HOUR_MS != hour:
                    hour, seen = entry.created_ms // HOUR_MS, set()
                if entry.event_id in seen:
                    continue
                seen.add(entry.event_id)
            yield entry

    def check(
        self,
        start_ms: int | None = None,
        end_ms: int | None = None,
        *,
        whole: bool | None = None,
        only: Set[ItemKey] | None = None,
    ) -> Iterator[ItemChain | Damage]:
        """Yield the chain of every item that changed in the range; damage first, as it is met.

        Args:
            start_ms: beginning of the range.
            end_ms: its end.
            whole: whether a history must begin with an INSERT; by default if it has no start.
                False for a table that is older than its archive.
            only: look at these items alone.

        Items come in no particular order. Memory: about 20 MB and the changes of 1/256 of all
        items without their images; the rest waits in a temporary file.
        """
        if whole is None:
            whole = start_ms is None
        with Spool() as spool:
            lines = archive_scan.entries(self._bucket, start_ms, end_ms, only, fetch=self._fetch)
            for entry in lines:
                if isinstance(entry, Damage):
                    yield entry
                    continue
                try:
                    row = to_row(entry.item_key, link_of(entry))
                except Malformed as error:
                    yield Damage(entry.object_key, error.reason, entry.line)
                else:
                    spool.add(entry.item_key[0].encode(errors="surrogatepass"), row)
            for rows in spool.groups():
                items: dict[ItemKey, list[Link]] = {}
                for row in rows:
                    item_key, link = from_row(row)
                    items.setdefault(item_key, []).append(link)
                for item_key, links in items.items():
                    yield chain(item_key, links, whole)

    def history(
        self, item_key: ItemKey, start_ms: int | None = None, end_ms: int | None = None
    ) -> History:
        """The life of one item, change by change.

        Reads every object of the range: a start (the item's own createdAt will do) saves time.
        With a start the history need not begin with an INSERT. Memory: the item's changes.
        """
        changes: dict[tuple[str, str | None, str | None], Change] = {}
        links: list[Link] = []
        damage: list[Damage] = []
        only = {item_key}
        lines = archive_scan.entries(self._bucket, start_ms, end_ms, only, fetch=self._fetch)
        for entry in lines:
            if isinstance(entry, Damage):
                damage.append(entry)
                continue
            try:
                link = link_of(entry)
            except Malformed as error:
                damage.append(Damage(entry.object_key, error.reason, entry.line))
            else:
                links.append(link)
                changes[link.event_id, link.old, link.new] = entry
        if not links:
            return History((), (), tuple(damage))
        life = chain(item_key, links, whole=start_ms is None)
        ordered = (changes[link.event_id, link.old, link.new] for link in life.links)
        return History(tuple(ordered), tuple(life.gaps), tuple(damage))
