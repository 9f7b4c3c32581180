"""The application's reads: through the cache, and never staler than the cache promises.

| entry | holds | loaded |
|---|---|---|
| order, score, total | the item as raw DynamoDB JSON | by its key, consistently |
| customer's orders | the ids of the newest orders, newest first | from an index |

A global secondary index follows its table, it is never read consistently. So a list that was loaded
while the index lagged may lack an order that was just placed, although its lease stood. Three
things bound that: a list holds ids alone, each order is read by its own entry, an order that is
gone or has moved to another customer drops out when the list is read; and lists live for seconds.
So no reader ever sees an old state of an order; a new one may be missing from a list until
`LIST_TTL_MS` have passed.
"""

from collections.abc import Iterator
from typing import Any

from shared import entities
from shared.aws_json import JsonService
from shared.cache import CacheReader
from shared.cache_keys import Cached, entry_name
from shared.codec import RawImage, decode_image
from shared.entities import Kind

Item = dict[str, Any]

LIST_LENGTH = 50
LIST_TTL_MS = 10_000


class Source:
    """What a cache entry is loaded from; safe to share between threads."""

    def __init__(self, table: str) -> None:
        """The table `table`, at the endpoint of the process's environment."""
        self._table = table
        self._service = JsonService("dynamodb")

    def load(self, kind: Cached, identity: str) -> Any:
        """The value of an entry as it is cached, JSON; None for an item that is not there."""
        match kind:
            case Cached.ORDER:
                return self._item(*entities.key_pair(Kind.ORDER, identity))
            case Cached.TOTAL:
                return self._item(*entities.key_pair(Kind.TOTAL, identity))
            case Cached.SCORE:
                return self._score(identity)
            case Cached.CUSTOMER_ORDERS:
                return list(self._customer_orders(identity))

    def _item(self, partition: str, sort: str) -> RawImage | None:
        key = {entities.PARTITION_KEY: {"S": partition}, entities.SORT_KEY: {"S": sort}}
        answer = self._call("GetItem", Key=key, ConsistentRead=True)
        item: RawImage | None = answer.get("Item")
        return item

    def _score(self, score_id: str) -> RawImage | None:
        """A score by its id alone: its sort key is the player's."""
        partition, _ = entities.key_pair(Kind.SCORE, score_id)
        found = self._query(entities.PARTITION_KEY, partition, ConsistentRead=True, Limit=1)
        return next(found, None)

    def _customer_orders(self, customer: str) -> Iterator[str]:
        index, hash_key, _ = entities.CUSTOMER_INDEX
        newest = self._query(
            hash_key, customer, IndexName=index, ScanIndexForward=False, Limit=LIST_LENGTH
        )
        for item in newest:
            yield entities.item_id(item, Kind.ORDER)

    def _query(self, key: str, value: str, **options: Any) -> Iterator[RawImage]:
        answer = self._call(
            "Query",
            KeyConditionExpression="#key = :value",
            ExpressionAttributeNames={"#key": key},
            ExpressionAttributeValues={":value": {"S": value}},
            **options,
        )
        yield from answer["Items"]

    def _call(self, operation: str, **arguments: Any) -> dict[str, Any]:
        return self._service.call(operation, {"TableName": self._table, **arguments})


class Reads:
    """The application's readers; safe to share between threads."""

    def __init__(self, source: Source, cache: CacheReader[Any]) -> None:
        """`cache` has to keep JSON, as it does by default."""
        self._source = source
        self._cache = cache

    def order(self, order_id: str) -> Item | None:
        """An order, decoded; None if there is none."""
        return self._read(Cached.ORDER, order_id)

    def score(self, score_id: str) -> Item | None:
        """A score, decoded; None if there is none."""
        return self._read(Cached.SCORE, score_id)

    def total(self, user: str) -> Item | None:
        """A player's total, decoded; None if there is none."""
        return self._read(Cached.TOTAL, user)

    def customer_orders(self, customer: str) -> list[Item]:
        """A customer's newest orders, newest first."""
        entry = entry_name(Cached.CUSTOMER_ORDERS, customer)
        ids = self._cache.get(
            entry, lambda: self._source.load(Cached.CUSTOMER_ORDERS, customer), ttl_ms=LIST_TTL_MS
        )
        orders = (self.order(order_id) for order_id in ids or ())
        owner = entities.CUSTOMER_INDEX[1]
        return [order for order in orders if order and order.get(owner) == customer]

    def _read(self, kind: Cached, identity: str) -> Item | None:
        entry = entry_name(kind, identity)
        raw = self._cache.get(entry, lambda: self._source.load(kind, identity))
        return None if raw is None else decode_image(raw)
