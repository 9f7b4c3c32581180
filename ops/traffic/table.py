"""The application's writes to its table, with optimistic locking on the item's version."""

import time
from collections.abc import Iterable
from itertools import islice
from typing import Any

from shared import entities
from shared.aws_json import JsonService, ServiceFault
from shared.codec import RawImage, decode_image
from shared.encoding import encode_image
from shared.errors import Unavailable

Item = dict[str, Any]

# DynamoDB's limit for one BatchWriteItem.
_BATCH = 25
# An application that cannot write waits a while before it gives up.
_PATIENCE_SECONDS = 30.0
_PAUSE_SECONDS = 0.2


class Conflict(Exception):
    """Someone else changed the item first: read it again and decide anew."""


def version_of(item: Item) -> int:
    """The version the writer believes the item has."""
    version = item["metadata"]["version"] if "metadata" in item else item["version"]
    return int(version)


class Table:
    """One table, as the application uses it. Safe to share between threads.

    A call that is not answered is made again for half a minute: the version decides whether it
    had been carried out, so nothing is written twice.
    """

    def __init__(self, name: str) -> None:
        """The table `name`, at the endpoint of the process's environment."""
        self._name = name
        self._service = JsonService("dynamodb")

    def create(self, item: Item) -> None:
        """Write an item that must not exist yet. Raises Conflict if it does."""
        guard = {"ConditionExpression": f"attribute_not_exists({entities.PARTITION_KEY})"}
        self._write("PutItem", {"Item": encode_image(item), **guard})

    def replace(self, old: Item, new: Item | None) -> None:
        """Write `new` (or delete, if None) where `old` still is. Raises Conflict if it is not."""
        guard = {
            "ConditionExpression": "metadata.#v = :v" if "metadata" in old else "#v = :v",
            "ExpressionAttributeNames": {"#v": "version"},
            "ExpressionAttributeValues": {":v": {"N": str(version_of(old))}},
        }
        if new is None:
            self._write("DeleteItem", {"Key": _key(old), **guard})
        else:
            self._write("PutItem", {"Item": encode_image(new), **guard})

    def create_many(self, items: Iterable[Item]) -> None:
        """Write new items without a condition, in batches; what DynamoDB defers is sent again."""
        remaining = iter(items)
        while batch := list(islice(remaining, _BATCH)):
            requests: Any = [{"PutRequest": {"Item": encode_image(item)}} for item in batch]
            while requests:
                answer = self._call("BatchWriteItem", {"RequestItems": {self._name: requests}})
                requests = answer.get("UnprocessedItems", {}).get(self._name, [])

    def read(self, key: tuple[str, str]) -> Item | None:
        """A consistent read of one item."""
        raw_key = encode_image(dict(zip(_KEY_NAMES, key, strict=True)))
        found: RawImage | None = self._call(
            "GetItem", {"TableName": self._name, "Key": raw_key, "ConsistentRead": True}
        ).get("Item")
        return None if found is None else decode_image(found)

    def _write(self, operation: str, arguments: dict[str, Any]) -> None:
        try:
            self._call(operation, {"TableName": self._name, **arguments})
        except ServiceFault as fault:
            if fault.code == "ConditionalCheckFailedException":
                raise Conflict from None
            raise

    def _call(self, operation: str, arguments: dict[str, Any]) -> dict[str, Any]:
        end = time.monotonic() + _PATIENCE_SECONDS
        while True:
            try:
                return self._service.call(operation, arguments)
            except Unavailable:
                if time.monotonic() > end:
                    raise
                time.sleep(_PAUSE_SECONDS)


_KEY_NAMES = (entities.PARTITION_KEY, entities.SORT_KEY)


def _key(item: Item) -> Any:
    return encode_image({name: item[name] for name in _KEY_NAMES})
