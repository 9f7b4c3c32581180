"""What the application caches, and under which keys: one place for consumer and reader.

An entry is named by its kind and id, such as `order:o-1`. It has two keys in the cache:

| key | holds |
|---|---|
| `{order:o-1}` | the value |
| `{order:o-1}:lease` | the token of the one reader that may fill it |

The braces are Redis' hash tag: in a cluster both keys of an entry hash to the same slot, so that
one script may use both and one UNLINK may remove both (Redis cluster specification, "Hash
tags": the text between the first `{` and the first `}` behind it, if it is not empty, is hashed
in place of the key). An id may hold any character; even one with braces of its own
yields the same tag in both keys.
"""

from enum import StrEnum

# What the key of a lease has behind that of the value.
LEASE = ":lease"


class Cached(StrEnum):
    """The kinds of entry; the value is the first part of an entry's name."""

    ORDER = "order"  # one order, by its id
    CUSTOMER_ORDERS = "customer-orders"  # the orders of one customer, by the customer's id
    SCORE = "score"  # one score, by its id
    TOTAL = "total"  # one user's total, by the user's id


_KINDS = {kind.value: kind for kind in Cached}


def entry_name(kind: Cached, identity: str) -> str:
    """The name of an entry, for `value_key`, `lease_key` and `CacheReader.get`."""
    return kind + ":" + identity


def split_name(entry: str) -> tuple[Cached, str]:
    """(kind, id) of an entry's name. Raises ValueError for a name that is not ours."""
    kind, _, identity = entry.partition(":")
    if kind not in _KINDS or not identity:
        raise ValueError(f"no entry of this cache is named {entry!r}")
    return _KINDS[kind], identity


def value_key(entry: str) -> str:
    """The key that holds the entry's value."""
    return "{" + entry + "}"


def lease_key(entry: str) -> str:
    """The key that holds the entry's lease, in the same slot as its value."""
    return "{" + entry + "}" + LEASE


def keys_of(entry: str) -> tuple[str, str]:
    """Both keys of an entry: all that an invalidation removes."""
    value = "{" + entry + "}"
    return value, value + LEASE


def entry_of(key: str) -> str | None:
    """The entry whose value `key` holds; None for a lease or a key that is not ours."""
    entry = key[1:-1]
    if value_key(entry) != key:
        return None
    try:
        split_name(entry)
    except ValueError:
        return None
    return entry
