"""From a change to the cache entries that it makes stale.

Pure. Only keys are read, and the customer of an order: what else may be wrong with an item is
no matter here.
"""

from shared.cache_keys import Cached, entry_name
from shared.codec import RawImage
from shared.entities import CUSTOMER_INDEX, Kind, item_id, kind_of
from shared.errors import Malformed
from shared.records import Record

# Names of entries (see shared.cache_keys), in a fixed order, none twice.
Entries = tuple[str, ...]

_CUSTOMER = CUSTOMER_INDEX[1]
# Looked up once: an enum's attribute costs as much as a call.
_ORDER, _CACHED_ORDER, _CACHED_LIST = Kind.ORDER, Cached.ORDER, Cached.CUSTOMER_ORDERS


def project(record: Record) -> Entries | None:
    """Turn one record into the names of the entries that must leave the cache.

    An order clears itself and the list of its customer; one that moved between customers
    clears both lists. Raises Malformed for a key without an id, and for an order whose
    images, or whose customer, cannot be read: a list would stay stale unnoticed.
    """
    keys = record.keys
    kind = kind_of(keys)
    if kind is _ORDER:
        return _checked(_order_entries(record, item_id(keys, kind)))
    if kind is Kind.SCORE:
        return _checked((entry_name(Cached.SCORE, item_id(keys, kind)),))
    if kind is Kind.TOTAL:
        return _checked((entry_name(Cached.TOTAL, item_id(keys, kind)),))
    return None


def _order_entries(record: Record, order_id: str) -> Entries:
    order = entry_name(_CACHED_ORDER, order_id)
    old, new = record.require_images()
    before, after = _customer_of(old), _customer_of(new)
    if before is None or before == after:
        return (order,) if after is None else (order, entry_name(_CACHED_LIST, after))
    left = entry_name(_CACHED_LIST, before)
    if after is None:
        return (order, left)
    return (order, left, entry_name(_CACHED_LIST, after))


def _customer_of(image: RawImage | None) -> str | None:
    """The order's customer; None if there is no image, or the order has no customer."""
    if image is None:
        return None
    try:
        customer = image[_CUSTOMER]["S"]
    except (KeyError, TypeError):
        if image.get(_CUSTOMER) is None:
            return None
        customer = None
    if customer.__class__ is str and customer:
        return customer
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
