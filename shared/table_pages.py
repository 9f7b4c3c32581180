"""The items of a DynamoDB Scan or Query, all its pages."""

from collections.abc import Callable, Iterator
from typing import Any

from shared.codec import RawImage

# As `shared.aws_json.JsonService.call`: operation and arguments to the parsed answer.
Call = Callable[[str, dict[str, Any]], dict[str, Any]]


def items_of_pages(call: Call, operation: str, **arguments: Any) -> Iterator[RawImage]:
    """Yield what `operation`, Scan or Query, finds; a page is asked for when it is needed.

    A page has at most 1 MB, so any number of items fits in memory. What changes meanwhile may be
    missed or be seen as it was. Raises what `call` raises.
    """
    while True:
        page = call(operation, arguments)
        yield from page["Items"]
        # An empty page may have more behind it: only the key tells.
        if not page.get("LastEvaluatedKey"):
            return
        arguments = {**arguments, "ExclusiveStartKey": page["LastEvaluatedKey"]}
