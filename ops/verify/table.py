"""The table as it is, read consistently: all of it page by page, or single items in batches."""

import time
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from shared import entities
from shared.aws_json import JsonService
from shared.codec import RawImage
from shared.errors import Retryable, Unavailable
from shared.table_pages import items_of_pages

RawKey = Mapping[str, Mapping[str, str]]

# DynamoDB's limit for one BatchGetItem.
_BATCH = 100
_ATTEMPTS = 5
PAGE = 500
_FIRST_PAUSE_SECONDS = 0.1


class Table:
    """Reads one table as raw DynamoDB JSON; safe to share between threads."""

    def __init__(self, name: str) -> None:
        """The table `name`, at the endpoint of the process's environment."""
        self._name = name
        self._service = JsonService("dynamodb")

    def items(self) -> Iterator[RawImage]:
        """Yield every item. What changes meanwhile may be missed or be seen as it was."""
        return items_of_pages(self._call, "Scan", TableName=self._name, ConsistentRead=True)

    def get(self, keys: Iterable[RawKey]) -> Iterator[RawImage]:
        """Yield the items of these keys that exist, in no order."""
        remaining = iter(keys)
        while batch := list(islice(remaining, _BATCH)):
            for attempt in range(_ATTEMPTS):
                wanted = {self._name: {"Keys": batch, "ConsistentRead": True}}
                answer = self._call("BatchGetItem", {"RequestItems": wanted})
                yield from answer["Responses"].get(self._name, ())
                batch = answer.get("UnprocessedKeys", {}).get(self._name, {}).get("Keys", [])
                if not batch:
                    break
                time.sleep(_FIRST_PAUSE_SECONDS * 2**attempt)
            else:
                raise Unavailable(
                    f"DynamoDB left reads of {self._name} undone {_ATTEMPTS} times",
                    hint="it throttles: verify again when the table has capacity",
                )

    def named(self, names: Iterable[str]) -> Iterator[tuple[str, RawImage]]:
        """Yield the items with these names (see `item_name`) that exist, each with its name."""
        # Half a key, as what somebody put into a projection may be named, is no item's.
        keys = (raw_key(name) for name in names if all(key_of(name)))
        for item in self.get(keys):
            yield item_name(item), item

    def query(self, **arguments: Any) -> Iterator[RawImage]:
        """Yield the items of one Query, all pages; `Limit` is that of a page."""
        return items_of_pages(self._call, "Query", TableName=self._name, **arguments)

    def _call(self, operation: str, arguments: dict[str, Any]) -> dict[str, Any]:
        for attempt in range(_ATTEMPTS - 1):
            try:
                return self._service.call(operation, arguments)
            except Retryable:
                time.sleep(_FIRST_PAUSE_SECONDS * 2**attempt)
        return self._service.call(operation, arguments)


def pages(names: Iterable[str]) -> Iterator[list[str]]:
    """Some hundreds at a time, so that what is read for them fits into memory."""
    remaining = iter(names)
    while page := list(islice(remaining, PAGE)):
        yield page


def item_name(item: RawImage) -> str:
    """How an item is named in findings and on the command line: `PK|SK`."""
    return name_of(item[entities.PARTITION_KEY]["S"], item[entities.SORT_KEY]["S"])


def name_of(partition: str, sort: str) -> str:
    """The name of the item with this key; a `|` within PK is written `%7C`, and `%` as `%25`."""
    if "|" in partition or "%" in partition:
        partition = partition.replace("%", "%25").replace("|", "%7C")
    return f"{partition}|{sort}"


def key_of(name: str) -> tuple[str, str]:
    """(PK, SK) of a name."""
    partition, _, sort = name.partition("|")
    return partition.replace("%7C", "|").replace("%25", "%"), sort


def raw_key(name: str) -> RawKey:
    """The raw primary key of an item, by its name."""
    partition, sort = key_of(name)
    return {entities.PARTITION_KEY: {"S": partition}, entities.SORT_KEY: {"S": sort}}
