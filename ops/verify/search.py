"""Does the order index hold each order of the table, as it is now, and no other?"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import orjson

from consumers.search.document import order_document
from consumers.search.index import DELETED, WRITE_ALIAS
from consumers.search.json_api import ask, connected
from consumers.search.state import StoredDocument, documents, refresh
from ops.verify.findings import Damage, Finding, Verdict
from ops.verify.table import Table, key_of, name_of, pages
from shared import entities
from shared.codec import RawImage
from shared.entities import Kind
from shared.errors import Malformed

_NAME = "search"
_REDRIVE = "see search's lag in `fanout status`; redrive its dead-letter queue"
_FOREIGN = "somebody else writes to the index: find out who, then let the order be written again"
_MEND = "mend the order in the table: its next change brings the document up to date"


class SearchCheck:
    """Compares the index with the table's orders, by version and content."""

    def __init__(self, table: Table, url: str) -> None:
        """`url` is OpenSearch's."""
        self.verdict = Verdict(_NAME)
        self.needs_items = True
        self._table = table
        self._url = url
        # By document id, a hash of version and content; 0 for an order that cannot be indexed.
        self._orders: dict[str, int] = {}

    def expect(self, kind: Kind, name: str, item: RawImage) -> None:
        """Remember a hash of the order's document."""
        if kind is not Kind.ORDER:
            return
        order_id = _id_of(name)
        try:
            version = entities.version_of(item)
            document = orjson.loads(order_document(entities.item_id(item, kind), item))
        except Malformed:
            self._orders[order_id] = 0
        else:
            self._orders[order_id] = _hash(version, document)

    def compare(self) -> Iterator[Finding]:
        """Go through the index; what it holds otherwise or not at all is suspect."""
        orders, self._orders = self._orders, {}
        tombstones = 0
        self.verdict.checked = len(orders)
        refresh(self._url)
        for stored in documents(self._url):
            expected = orders.pop(stored.id, None)
            hidden = stored.source.get(DELETED) is True
            tombstones += hidden
            if expected is None:
                if not hidden:
                    yield _suspect(stored.id)
            elif expected not in {
                _hash(stored.version, stored.source),
                _hash(None, stored.source),
            }:
                yield _suspect(stored.id)
        self.verdict.note = f"{tombstones:,} tombstones of removed orders" if tombstones else ""
        for order_id in orders:
            yield _suspect(order_id)

    def look_again(self, suspects: Sequence[Finding]) -> Iterator[Finding]:
        """Get the documents, then the orders, and compare them in full."""
        for names in pages(finding.item for finding in suspects):
            ids = {name: _id_of(name) for name in names}
            stored = {document.id: document for document in self._get(ids.values())}
            orders = dict(self._table.named(names))
            for name, order_id in ids.items():
                yield from _differences(name, orders.get(name), stored.get(order_id))

    def _get(self, ids: Iterable[str]) -> Iterator[StoredDocument]:
        """These documents as they are this moment, refreshed or not."""
        wanted = list(filter(None, ids))
        if not wanted:
            return
        with connected(self._url) as connection:
            answer = ask(connection, "POST", f"/{WRITE_ALIAS}/_mget", {"ids": wanted})
        for found in answer["docs"]:
            if found.get("found"):
                yield StoredDocument(found["_id"], found["_version"], found["_source"])


def _differences(
    name: str, order: RawImage | None, stored: StoredDocument | None
) -> Iterator[Finding]:
    """At most one finding."""
    hidden = stored is not None and stored.source.get(DELETED) is True
    if order is None:
        if stored is not None and not hidden:
            detail = f"the index shows version {stored.version} of an order that is gone"
            yield Finding(_NAME, name, Damage.GHOST, detail, _REDRIVE)
        return
    try:
        version = entities.version_of(order)
        document = orjson.loads(order_document(entities.item_id(order, Kind.ORDER), order))
    except Malformed as error:
        damage = Damage.MISSING if stored is None or hidden else Damage.STALE
        detail = f"the table's order cannot be indexed: {error.reason}"
        yield Finding(_NAME, name, damage, detail, _MEND)
        return
    should = "the order" if version is None else f"version {version}"
    if stored is None:
        yield Finding(_NAME, name, Damage.MISSING, f"the index does not have {should}", _REDRIVE)
    elif hidden:
        detail = f"the index has its removal, version {stored.version}; the table has {should}"
        yield Finding(_NAME, name, Damage.MISSING, detail, _FOREIGN)
    elif version is not None and stored.version != version:
        detail = f"the index has version {stored.version}, the table {should}"
        hint = _REDRIVE if stored.version < version else _FOREIGN
        yield Finding(_NAME, name, Damage.STALE, detail, hint)
    elif fields := sorted(_differing(document, stored.source)):
        detail = f"{should} in both, but the index has other {', '.join(fields)}"
        yield Finding(_NAME, name, Damage.STALE, detail, _FOREIGN)


def _differing(one: Mapping[str, Any], other: Mapping[str, Any]) -> Iterator[str]:
    """Names of the fields that differ; their values may be personal."""
    for field in one.keys() | other.keys():
        if field not in one or field not in other or one[field] != other[field]:
            yield field


def _id_of(name: str) -> str:
    """The id of a document, by its order's name; empty for an order that has none."""
    return key_of(name)[0].removeprefix(Kind.ORDER.value)


def _suspect(order_id: str) -> Finding:
    name = name_of(*entities.key_pair(Kind.ORDER, order_id))
    return Finding(_NAME, name, Damage.STALE, "differs from the table", _REDRIVE)


def _hash(version: int | None, document: Mapping[str, Any]) -> int:
    # 64 bits, good within this process: what differs by chance alone is looked at again.
    return hash((version, orjson.dumps(document, option=orjson.OPT_SORT_KEYS))) or 1
