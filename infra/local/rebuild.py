"""Rebuild a projection from the table, through the consumer's own handler.

Every item becomes the record of an INSERT at its present version. Live traffic may go on: the
versions decide, as they do for any record that comes late. What the table no longer has is taken
from the archive as a REMOVE, so that a late repeat cannot bring a deleted item back.

For projections that are ordered by version (`search`, `totals`); `audit` and `metrics` are made
of changes, which a table does not have.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice
from typing import Any

import orjson

from shared import entities
from shared.aws_json import JsonService
from shared.clock import now_ms
from shared.codec import RawImage
from shared.errors import Unavailable
from shared.records import STREAM
from shared.table_pages import items_of_pages

_BATCH = 500

# Runs the consumer's handler on a Lambda event and returns its answer, both as JSON text.
Invoke = Callable[[bytes], bytes]


def rebuild(invoke: Invoke, images: Iterable[RawImage], removed: Iterable[RawImage] = ()) -> int:
    """Deliver an INSERT for each of `images` and a REMOVE for each of `removed`; return how many.

    Raises Unavailable if the handler reports a failure: nothing is half done that a second run
    would not complete.
    """
    delivered = 0
    pending = chain(_records("INSERT", "NewImage", images), _records("REMOVE", "OldImage", removed))
    while batch := list(islice(pending, _BATCH)):
        answer = orjson.loads(invoke(orjson.dumps({"Records": batch})) or b"null")
        if not isinstance(answer, dict) or answer.get("batchItemFailures"):
            raise Unavailable("the rebuild was not taken", hint="see the consumer's log; try again")
        delivered += len(batch)
    return delivered


def _records(event_name: str, field: str, images: Iterable[RawImage]) -> Iterator[dict[str, Any]]:
    names = (entities.PARTITION_KEY, entities.SORT_KEY)
    for number, image in enumerate(images, 1):
        yield {
            "eventID": f"rebuild-{event_name.lower()}-{number}",
            "eventName": event_name,
            "eventVersion": "1.1",
            "eventSource": STREAM,
            "dynamodb": {
                "ApproximateCreationDateTime": now_ms() // 1000,
                "Keys": {name: image[name] for name in names},
                field: image,
                "SequenceNumber": str(number),
                "StreamViewType": "NEW_AND_OLD_IMAGES",
            },
        }


def items_of(table: str, kind: entities.Kind) -> Iterator[RawImage]:
    """Every item of one kind, read consistently, page by page."""
    call = JsonService("dynamodb").call
    for item in items_of_pages(call, "Scan", TableName=table, ConsistentRead=True):
        if entities.kind_of(item) is kind:
            yield item
