"""From a change of an order to a write of its document. Pure."""

from typing import NamedTuple

from consumers.search.document import order_document, tombstone
from shared.entities import Kind, item_id, kind_and_id, version_of
from shared.records import Record

# Looked up once: an enum's attribute costs as much as a call.
_ORDER = Kind.ORDER


class Operation(NamedTuple):
    """One write: the document replaces what the index holds, unless that is newer.

    A tuple, not a dataclass: one is made for each record, and this takes a third of the time.

    Attributes:
        id: of the document: the order's id.
        version: grows with every change of the order.
        own_version: the version is the item's own. If not, it is a time, two changes may
            share it, and the later write of such a pair wins (`external_gte`).
        document: JSON; of a removed order a tombstone.
    """

    id: str
    version: int
    own_version: bool
    document: bytes


def project(record: Record) -> Operation | None:
    """Turn one record into a write of its order's document; None if it is no order.

    A removal becomes a tombstone with the old version + 1, so that a late replay cannot bring
    the order back. Raises Malformed, naming the attribute, for what cannot be indexed.
    """
    keys = record.keys
    kind, order_id = kind_and_id(keys)
    if kind is not _ORDER:
        return None
    order_id = order_id or item_id(keys, kind)
    old, new = record.require_images()
    if new is None:
        assert old is not None  # require_images
        version = version_of(old)
        document = tombstone(order_id, record.created_ms)
        version = None if version is None else version + 1
    else:
        version = version_of(new)
        document = order_document(order_id, new)
    own = version is not None
    return Operation(order_id, record.created_us if version is None else version, own, document)
