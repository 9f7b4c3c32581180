"""The application's writes to its table, with optimistic locking on the item's version."""

from collections.abc import Iterable
from itertools import islice
from typing import Any

from botocore.exceptions import ClientError

from shared import entities
from shared.clients import aws_client
from shared.codec import decode_image, encode_image

Item = dict[str, Any]

# DynamoDB's limit for one BatchWriteItem.
_BATCH = 25


class Conflict(Exception):
    """Someone else changed the item first: read it again and decide anew."""


def version_of(item: Item) -> int:
    """The version the writer believes the item has."""
    version = item["metadata"]["version"] if "metadata" in item else item["version"]
    return int(version)


class Table:
    """One table, as the application uses it. Safe to share between threads."""

    def __init__(self, name: str) -> None:
        """The table `name`, at the endpoint of the process's environment."""
        self._name = name
        self._client = aws_client("dynamodb")

    def create(self, item: Item) -> None:
        """Write an item that must not exist yet. Raises Conflict if it does."""
        self._guarded(
            self._client.put_item,
            Item=encode_image(item),
            ConditionExpression="attribute_not_exists(PK)",
        )

    def replace(self, old: Item, new: Item | None) -> None:
        """Write `new` (or delete, if None) where `old` still is. Raises Conflict if it is not."""
        guard = {
            "ConditionExpression": "metadata.#v = :v" if "metadata" in old else "#v = :v",
            "ExpressionAttributeNames": {"#v": "version"},
            "ExpressionAttributeValues": {":v": {"N": str(version_of(old))}},
        }
        if new is None:
            self._guarded(self._client.delete_item, Key=_key(old), **guard)
        else:
            self._guarded(self._client.put_item, Item=encode_image(new), **guard)

    def create_many(self, items: Iterable[Item]) -> None:
        """Write new items without a condition, in batches; what DynamoDB defers is sent again."""
        remaining = iter(items)
        while batch := list(islice(remaining, _BATCH)):
            requests = [{"PutRequest": {"Item": encode_image(item)}} for item in batch]
            while requests:
                answer = self._client.batch_write_item(RequestItems={self._name: requests})
                requests = answer.get("UnprocessedItems", {}).get(self._name, [])

    def read(self, key: tuple[str, str]) -> Item | None:
        """A consistent read of one item."""
        answer = self._client.get_item(
            TableName=self._name,
            Key=encode_image({entities.PARTITION_KEY: key[0], entities.SORT_KEY: key[1]}),
            ConsistentRead=True,
        )
        return decode_image(answer["Item"]) if "Item" in answer else None

    def _guarded(self, call: Any, **arguments: Any) -> None:
        try:
            call(TableName=self._name, **arguments)
        except ClientError as error:
            if error.response["Error"]["Code"] == "ConditionalCheckFailedException":
                raise Conflict from None
            raise


def _key(item: Item) -> Any:
    names = (entities.PARTITION_KEY, entities.SORT_KEY)
    return encode_image({name: item[name] for name in names})
