"""A model of a DynamoDB stream's API over the shards of a simulated table.

Iterators expire, pages are cut as the service cuts them, what is older than a day is refused.

Sources: DynamoDB developer guide, "Change data capture for DynamoDB Streams"; API reference of
DescribeStream, GetShardIterator and GetRecords. One thing is not DynamoDB's: it never merges.
Kinesis does; `WithMerges` tells the second parent, which no answer of this API has.
"""

from __future__ import annotations

import random
from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import Any

from infra.local.mapping.source import Cursor, Shard, Stream
from shared.aws_json import ServiceFault
from tests.support.simulation_shards import Clock, ModelShard, Table

ITERATOR_SECONDS = 15 * 60.0
MAX_RECORDS, MAX_BYTES = 1_000, 1_000_000
_FIRST_NUMBER = 100_000_000_000_000_000_000
_SHARDS_PER_PAGE = 5


class StreamApi:
    """Answers the calls by which `infra.local.mapping.streams` reads a stream."""

    def __init__(
        self,
        table: Table,
        clock: Clock,
        chance: random.Random,
        touch: Callable[[str], None] = lambda operation: None,
    ) -> None:
        """`touch` is told each call before it is answered, and raises what is to go wrong."""
        self._table, self._clock, self._chance, self._touch = table, clock, chance, touch

    def call(self, operation: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Answer as the service does. Raises Retryable by `touch`, or ServiceFault."""
        self._touch(operation)
        self._table.trim()
        if operation == "DescribeStream":
            return self._describe(arguments.get("ExclusiveStartShardId"))
        if operation == "GetShardIterator":
            return {"ShardIterator": self._iterator(arguments)}
        if operation == "GetRecords":
            return self._records(arguments["ShardIterator"], arguments["Limit"])
        raise AssertionError(f"the mapping has no business with {operation}")

    def _describe(self, after: str | None) -> dict[str, Any]:
        names = list(self._table.shards)
        # A page may begin behind a shard that was forgotten since the last page; names grow.
        start = bisect_right(sorted(names), after) if after else 0
        page = names[start : start + _SHARDS_PER_PAGE]
        told = []
        for name in page:
            parents = self._table.shards[name].parents
            told.append({"ShardId": name, **({"ParentShardId": parents[0]} if parents else {})})
        description: dict[str, Any] = {"Shards": told}
        if start + _SHARDS_PER_PAGE < len(names):
            description["LastEvaluatedShardId"] = page[-1]
        return {"StreamDescription": description}

    def _shard(self, operation: str, shard_id: str) -> ModelShard:
        shard = self._table.shards.get(shard_id)
        if shard is None:
            raise ServiceFault(operation, "ResourceNotFoundException", {})
        return shard

    def _iterator(self, arguments: dict[str, Any]) -> str:
        shard = self._shard("GetShardIterator", arguments["ShardId"])
        match arguments["ShardIteratorType"]:
            case "TRIM_HORIZON":
                after = shard.trimmed
            case "LATEST":
                after = shard.numbers[-1] if shard.numbers else shard.trimmed
            case "AFTER_SEQUENCE_NUMBER":
                after = int(arguments["SequenceNumber"]) - _FIRST_NUMBER
                if after <= shard.trimmed:
                    raise ServiceFault("GetShardIterator", "TrimmedDataAccessException", {})
            case other:
                raise AssertionError(f"no iterator of type {other} is ever asked for")
        return self._token(shard, after)

    def _token(self, shard: ModelShard, after: int) -> str:
        return f"{shard.shard_id}|{after}|{self._clock.now}"

    def _records(self, token: str, limit: int) -> dict[str, Any]:
        assert 1 <= limit <= MAX_RECORDS, limit
        shard_id, after, issued = token.split("|")
        if self._clock.now - float(issued) > ITERATOR_SECONDS:
            raise ServiceFault("GetRecords", "ExpiredIteratorException", {})
        shard = self._shard("GetRecords", shard_id)
        if int(after) < shard.trimmed:
            raise ServiceFault("GetRecords", "TrimmedDataAccessException", {})
        start = end = bisect_right(shard.numbers, int(after))
        # The service may cut a page wherever it likes.
        room = limit if self._chance.random() < 0.9 else self._chance.randint(1, limit)
        records: list[dict[str, Any]] = []
        size = 0
        while end < len(shard.numbers) and len(records) < room:
            made = self._record(shard, end)
            size += made["dynamodb"]["SizeBytes"]
            if records and size > MAX_BYTES:
                break
            records.append(made)
            end += 1
        answer: dict[str, Any] = {"Records": records}
        done = shard.closed_at is not None and end == len(shard.numbers)
        # That nothing follows is told with the last records or after them.
        if not done or (records and self._chance.random() < 0.5):
            last = shard.numbers[end - 1] if end > start else int(after)
            answer["NextShardIterator"] = self._token(shard, last)
        return answer

    def _record(self, shard: ModelShard, at: int) -> dict[str, Any]:
        number, version = shard.numbers[at], shard.versions[at]
        return make_record(self._table.names[shard.items[at]], version, number, shard.times[at])


def make_record(item: str, version: int, number: int, created: float) -> dict[str, Any]:
    """A change as GetRecords answers it; every two-thousandth or so is a big one."""
    filler = 250_000 if number % 2_003 == 0 else 20 + number % 180
    return {
        "eventID": f"{number:032x}",
        "eventName": "INSERT" if version == 1 else "MODIFY",
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "eu-west-1",
        "dynamodb": {
            # Whole seconds are all that a stream tells.
            "ApproximateCreationDateTime": int(created),
            "Keys": {"PK": {"S": item}, "SK": {"S": "ITEM"}},
            "NewImage": {"version": {"N": str(version)}, "filler": {"S": "x" * filler}},
            "SequenceNumber": str(_FIRST_NUMBER + number),
            "SizeBytes": filler + 60,
            "StreamViewType": "NEW_AND_OLD_IMAGES",
        },
    }


class WithMerges:
    """A stream whose shards tell both their parents, as those of Kinesis do."""

    def __init__(self, inner: Stream, table: Table) -> None:
        self.arn, self.batch_info = inner.arn, inner.batch_info
        self._inner, self._table = inner, table

    def shards(self) -> Sequence[Shard]:
        parents = {name: shard.parents for name, shard in self._table.shards.items()}
        return [
            Shard(shard.shard_id, parents.get(shard.shard_id, shard.parents))
            for shard in self._inner.shards()
        ]

    def public_shard_id(self, shard_id: str) -> str:
        return self._inner.public_shard_id(shard_id)

    def open(self, shard_id: str, position: str) -> Cursor:
        return self._inner.open(shard_id, position)

    def on_news(self, shard_id: str, wake: Callable[[], None]) -> None:
        self._inner.on_news(shard_id, wake)
