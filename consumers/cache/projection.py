"""From a change to the cache entries that it makes stale.

Pure. Only keys are read, and the customer of an order: what else may be wrong with an item is
no matter here.
"""

from shared.cache_keys import Cached, entry_name
from shared.codec import RawImage
from shared.entities import CUSTOMER_INDEX, Kind, item_id, kind_and_id
from shared.errors import Malformed
from shared.records import Record

# Names of entries (see shared.cache_keys), in a fixed order, none twice.
Entries = tuple[str, ...]

_CUSTOMER = CUSTOMER_INDEX[1]
# The names of entries, up to the id.
_ORDER_NAME, _LIST_NAME = entry_name(Cached.ORDER, ""), entry_name(Cached.CUSTOMER_ORDERS, "")
_OTHER_NAMES = {Kind.SCORE: entry_name(Cached.SCORE, ""), Kind.TOTAL: entry_name(Cached.TOTAL, "")}
# Looked up once: an enum's attribute costs as much as a call.
_ORDER = Kind.ORDER


def project(record: Record) -> Entries | None:
    """Turn one record into the names of the entries that must leave the cache.

    An order clears itself and the list of its customer; one that moved between customers
    clears both lists. Raises Malformed for a key without an id, and for an order whose
    images, or whose customer, cannot be read: a list would stay stale unnoticed.
    """
    keys = record.keys
    kind, identity = kind_and_id(keys)
    if kind is _ORDER:
        return _checked(_order_entries(record, identity or item_id(keys, kind)))
    name = _OTHER_NAMES.get(kind)
    return None if name is None else _checked((name + (identity or item_id(keys, kind)),))


def _order_entries(record: Record, order_id: str) -> Entries:
    order = _ORDER_NAME + order_id
    old, new = record.require_images()
    before, after = _customer_of(old), _customer_of(new)
    if before is None or before == after:
        return (order,) if after is None else (order, _LIST_NAME + after)
    left = _LIST_NAME + before
    return (order, left) if after is None else (order, left, _LIST_NAME + after)


def _customer_of(image: RawImage | None) -> str | None:
    """The order's customer; None if there is no image, or the order has no customer."""
    if image is None:
        return None
    try:
        customer = image[_CUSTOMER]["S"]
        if customer.__class__ is str and customer:
            return customer
    except (KeyError, TypeError):
        if image.get(_CUSTOMER) is None:
            return None
    raise Malformed(
        f"the order's {_CUSTOMER} is empty or no string",
        hint="mend the writer, then redrive: the customer's list stays cached until it expires",
    )


def _checked(entries: Entries) -> Entries:
    """`entries`, if each can be written as UTF-8."""
    for entry in entries:
        if not entry.isascii():
            try:
                entry.encode()
            except UnicodeEncodeError:
                raise Malformed(
                    "an id holds half a surrogate pair, which no UTF-8 text can",
                    hint="mend the writer; no reader can have cached such an item",
                ) from None
    return entries
