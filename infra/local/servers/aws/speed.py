"""What the emulator does slowly, with the same answers.

- A page of a scan sorted and walked the whole table: reading a table took time with the square of
  its size. Here the keys are sorted once and kept so.
- A page of stream records was turned into JSON twice, by Python's own encoder. Here by orjson.
"""

import json
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterator
from typing import Any

import orjson
from ministack.services import dynamodb, dynamodb_streams

from infra.local.servers.aws.hooks import original, replace

Key = tuple[str, str]
# Any other parameter is rare here and goes the emulator's own way.
_PLAIN_SCAN = frozenset({"TableName", "ExclusiveStartKey", "Limit", "ConsistentRead"})


class KeyOrder:
    """The keys of each table that was scanned, in the emulator's order, kept up to date."""

    def __init__(self) -> None:
        # By table id: a table made again under the same name is another one.
        self._keys: dict[str, list[Key]] = {}

    def of(self, table: dict[str, Any]) -> list[Key]:
        """All keys of a table, sorted."""
        keys = self._keys.get(table["TableId"])
        if keys is None:
            keys = sorted((pk, sk) for pk, items in table["items"].items() for sk in items)
            self._keys[table["TableId"]] = keys
        return keys

    def hook(self) -> None:
        """Follow every write from now on."""
        replace(dynamodb, "_set_item", self._on_set)
        replace(dynamodb, "_remove_item", self._on_remove)
        replace(dynamodb, "_items_replaced", self._on_items_replaced)

    def _on_set(self, set_item: Callable[..., Any]) -> Callable[..., Any]:
        def hooked(table: Any, pk: str, sk: str, item: Any) -> Any:
            old = set_item(table, pk, sk, item)
            if old is None and (keys := self._keys.get(table["TableId"])) is not None:
                insort(keys, (pk, sk))
            return old

        return hooked

    def _on_remove(self, remove_item: Callable[..., Any]) -> Callable[..., Any]:
        def hooked(table: Any, pk: str, sk: str) -> Any:
            old = remove_item(table, pk, sk)
            if old is not None and (keys := self._keys.get(table["TableId"])) is not None:
                del keys[bisect_left(keys, (pk, sk))]
            return old

        return hooked

    def _on_items_replaced(self, items_replaced: Callable[..., Any]) -> Callable[..., Any]:
        def hooked(table: Any) -> None:
            items_replaced(table)
            self._keys.pop(table["TableId"], None)

        return hooked


def speed_up() -> None:
    """Replace the slow parts; call before requests are served."""
    order = KeyOrder()
    order.hook()
    replace(dynamodb, "_scan", lambda scan: _scan(scan, order))
    for module in (dynamodb, dynamodb_streams):
        replace(module, "json_response", _json_response)
    original(dynamodb_streams, "_GET_RECORDS_MAX_BYTES")
    replace(dynamodb_streams, "_cap_page_bytes", lambda _original: _cap_page_bytes)


def _scan(scan: Callable[..., Any], order: KeyOrder) -> Callable[..., Any]:
    def hooked(data: dict[str, Any]) -> Any:
        table = dynamodb._tables.get(dynamodb._normalize_table_name(data.get("TableName")))
        start, limit = data.get("ExclusiveStartKey"), data.get("Limit")
        names = () if table is None else (table["pk_name"], table["sk_name"])
        if (
            not data.keys() <= _PLAIN_SCAN
            or None in names
            or not names
            or (start is not None and start.keys() != set(names))
            or (limit is not None and limit < 1)
        ):
            return scan(data)
        keys = order.of(table)
        first = 0
        if start is not None:
            pk, sk = (dynamodb._extract_key_val(start[name]) for name in names)
            first = bisect_right(keys, (pk, sk))
        items = _items(table, keys, first)
        page, more = dynamodb._paginate_evaluated_items(items, limit, table)
        result = {"Items": page, "Count": len(page), "ScannedCount": len(page)}
        if more and page:
            result["LastEvaluatedKey"] = {name: page[-1][name] for name in names}
        return dynamodb.json_response(result)

    return hooked


def _items(table: dict[str, Any], keys: list[Key], first: int) -> Iterator[Any]:
    for pk, sk in keys[first:]:
        item = table["items"].get(pk, {}).get(sk)
        if item is not None:  # TTL's thread may have taken it just now
            yield item


def _json_response(json_response: Callable[..., Any]) -> Callable[..., Any]:
    def hooked(data: Any, status: int = 200, **options: Any) -> Any:
        try:
            body = orjson.dumps(data)
        except TypeError:  # such as integers of more than 64 bits where no number belongs
            return json_response(data, status, **options)
        status, headers, _ = json_response({}, status, **options)
        return status, headers, body

    return hooked


def _cap_page_bytes(page: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """As many records as fit into the size of a page, but at least one."""
    total = 0
    for count, record in enumerate(page):
        try:
            total += len(orjson.dumps(record))
        except TypeError:
            total += len(json.dumps(record))
        if count and total > dynamodb_streams._GET_RECORDS_MAX_BYTES:
            return page[:count]
    return page
