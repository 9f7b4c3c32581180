"""The table as it is: every item, read consistently, in bounded memory."""

from collections.abc import Iterator
from typing import Any

from shared import entities
from shared.aws_json import JsonService
from shared.codec import RawImage


class TableScan:
    """Reads a table's items as raw DynamoDB JSON."""

    def __init__(self, table: str) -> None:
        """The table `table`, at the endpoint of the process's environment."""
        self._table = table
        self._service = JsonService("dynamodb")

    def items(self) -> Iterator[RawImage]:
        """Yield every item, page by page."""
        start: dict[str, Any] = {}
        while True:
            page = self._service.call(
                "Scan", {"TableName": self._table, "ConsistentRead": True, **start}
            )
            yield from page["Items"]
            if not page.get("LastEvaluatedKey"):
                return
            start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}

    def item(self, partition: str, sort: str) -> RawImage | None:
        """One item, or None."""
        key = {entities.PARTITION_KEY: {"S": partition}, entities.SORT_KEY: {"S": sort}}
        answer = self._service.call(
            "GetItem", {"TableName": self._table, "Key": key, "ConsistentRead": True}
        )
        return answer.get("Item")


def item_name(item: RawImage) -> str:
    """How an item is named in findings and on the command line: `PK|SK`."""
    return f"{item[entities.PARTITION_KEY]['S']}|{item[entities.SORT_KEY]['S']}"
