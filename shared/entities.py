"""What this table holds: the one file to edit when Fanout is pointed at another table.

Everything here works on raw DynamoDB JSON, so that asking for an item's kind or version
decodes nothing else. No other file knows a key prefix, an attribute's place, or which
attributes are personal data.

| item | PK | SK |
|---|---|---|
| order | `ORDER#<orderId>` | `ORDER` |
| score | `SCORE#<scoreId>` | `USER#<userId>` |
| total | `TOTAL#<userId>` | `TOTAL` |
| heartbeat | `HEARTBEAT#<id>` | `HEARTBEAT` |
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from shared.codec import RawImage
from shared.errors import Malformed

PARTITION_KEY = "PK"
SORT_KEY = "SK"

# Where each index of the table looks (DESIGN §4).
CUSTOMER_INDEX = ("CustomerOrdersIndex", "customerId", "createdAt")
STATUS_INDEX = ("StatusIndex", "status", "createdAt")
LEADERBOARD_INDEX = ("Leaderboard", "leaderboard", "total")
# Every total carries this constant, so that one query reads the leaderboard in order.
LEADERBOARD_ATTRIBUTE, LEADERBOARD_VALUE = "leaderboard", "ALL"

TRACE_ATTRIBUTE = "trace"
HEARTBEAT_TIME = "writtenAt"

# What the core reads of an image, whichever consumer it serves (`ConsumerSpec.reads`).
READ_BY_ALL = ("version", "metadata.version", TRACE_ATTRIBUTE, HEARTBEAT_TIME)

# Attributes of an order that name or reach a person. They may be stored (archive, index,
# dead-letter queue); they are never logged, never in an error's text, never a dimension.
PERSONAL_DATA = ("customer", "shippingAddress")

# Where an order keeps what support staff look for: a field of the order index and the path of
# its attribute. "*" stands for every member of a list.
SEARCHED_ATTRIBUTES: Mapping[str, tuple[str, ...]] = {
    "customerId": ("customerId",),
    "name": ("customer", "name"),
    "email": ("customer", "email"),
    "status": ("status",),
    "product": ("items", "*", "name"),
    "productId": ("items", "*", "productId"),
    "city": ("shippingAddress", "city"),
    "postcode": ("shippingAddress", "zipCode"),
    "totalAmount": ("totalAmount",),
    "createdAt": ("createdAt",),
    "updatedAt": ("metadata", "updatedAt"),
}

ORDER_STATUSES = (
    "PENDING_VALIDATION",
    "VALIDATED",
    "PAYMENT_COMPLETED",
    "INVENTORY_UPDATED",
    "SHIPPED",
    "COMPLETED",
    "VALIDATION_FAILED",
    "PAYMENT_FAILED",
    "PAYMENT_ERROR",
    "PROCESSING_FAILED",
)
FINAL_STATUSES = frozenset({"COMPLETED", "VALIDATION_FAILED", "PROCESSING_FAILED"})

_MAX_VERSION = 2**63 - 2
_VERSION_DIGITS = len(str(_MAX_VERSION))


class Kind(StrEnum):
    """The kinds of item; the value is the prefix of the partition key."""

    ORDER = "ORDER#"
    SCORE = "SCORE#"
    TOTAL = "TOTAL#"
    HEARTBEAT = "HEARTBEAT#"
    OTHER = ""


_MARK = "#"
_BY_PREFIX = {kind.value.rstrip(_MARK): kind for kind in Kind if kind.value}
# Looked up once: an enum's attribute costs as much as a call.
_OTHER = Kind.OTHER
_USER_PREFIX = "USER#"


def key_text(keys: RawImage, name: str) -> str:
    """The string of one key attribute. Raises Malformed if it is absent or no string."""
    try:
        text = keys[name]["S"]
    except (KeyError, TypeError):
        text = None
    if text.__class__ is not str or not text:
        raise Malformed(
            f"the record's key attribute {name} is absent or no string",
            hint="read the parked record; an item of this table has the string keys PK and SK",
        )
    return text


def kind_of(keys: RawImage) -> Kind:
    """The kind of the item with these keys; OTHER for a prefix that is not ours."""
    return kind_and_id(keys)[0]


def kind_and_id(keys: RawImage) -> tuple[Kind, str]:
    """The kind, and the id behind its prefix, which may be empty: `item_id` refuses that.

    (OTHER, the whole key) for a prefix that is not ours. Raises Malformed if the key is absent
    or no string.
    """
    try:
        prefix, mark, identity = keys[PARTITION_KEY]["S"].partition(_MARK)
        if mark and prefix in _BY_PREFIX:
            return _BY_PREFIX[prefix], identity
    except (KeyError, TypeError, AttributeError):
        pass  # said by `key_text`
    return _OTHER, key_text(keys, PARTITION_KEY)


def item_id(keys: RawImage, kind: Kind) -> str:
    """The id behind the partition key's prefix. Raises Malformed if there is none."""
    text = key_text(keys, PARTITION_KEY)
    if not text.startswith(kind) or len(text) == len(kind):
        raise Malformed(
            f"the partition key holds no id after {kind.value}",
            hint="mend the writer: an item's key is its kind, '#', and its id",
        )
    return text[len(kind) :]


def score_user(keys: RawImage) -> str:
    """The user id in a score's sort key. Raises Malformed if there is none."""
    text = key_text(keys, SORT_KEY)
    if not text.startswith(_USER_PREFIX) or len(text) == len(_USER_PREFIX):
        raise Malformed(
            "the sort key of a score holds no user id after USER#",
            hint="mend the writer: a score's sort key is USER#<userId>",
        )
    return text[len(_USER_PREFIX) :]


def key_pair(kind: Kind, identity: str, user: str = "") -> tuple[str, str]:
    """The (PK, SK) of an item, for those who read or write the table."""
    sort = _USER_PREFIX + user if kind is Kind.SCORE else kind.value.rstrip("#")
    return kind.value + identity, sort


def version_of(image: RawImage) -> int | None:
    """The item's own version: `metadata.version` of an order, `version` of any other.

    None if the item has none. Raises Malformed if it is there and no positive integer:
    a wrong version would order the item's changes wrongly for ever.
    """
    value: Any = image.get("version")
    if value is None:
        metadata = image.get("metadata")
        if metadata.__class__ is dict:
            body = metadata.get("M")
            value = body.get("version") if body.__class__ is dict else None
        if value is None:
            return None
    text = value.get("N") if value.__class__ is dict else None
    if (
        text.__class__ is str
        and text.isascii()
        and text.isdigit()
        and len(text) < _VERSION_DIGITS
        and (version := int(text)) > 0
    ):
        return version
    raise Malformed(
        "the item's version is no positive integer below 10^18",
        hint="mend the writer: each change of an item writes version = old version + 1",
    )


def heartbeat_written_ms(change: Mapping[str, Any]) -> int | None:
    """When a heartbeat was written, in milliseconds; None for any other change.

    A heartbeat that is removed or damaged is none.
    """
    try:
        text = change["NewImage"][HEARTBEAT_TIME]["N"]
        plain = text.isascii() and text.isdigit() and len(text) < _VERSION_DIGITS
        return int(text) if plain and kind_of(change["Keys"]) is Kind.HEARTBEAT else None
    except (KeyError, TypeError, AttributeError, Malformed):
        return None


def is_order(image: RawImage) -> bool:
    """Whether an item is an order; False for anything damaged."""
    try:
        return kind_of(image) is Kind.ORDER
    except Malformed:
        return False
