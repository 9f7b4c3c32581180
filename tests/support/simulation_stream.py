"""A model of a DynamoDB stream, behind its API, in a time of its own.

Shards split, merge and roll over; a shard that closed keeps its records; after a day they are
trimmed, and then the shard is no longer listed. Iterators expire. Pages are cut as the service
cuts them. What a record holds is made when it is read, so that a day of them is a few megabytes.

Sources: DynamoDB developer guide, "Change data capture for DynamoDB Streams"; API reference of
DescribeStream, GetShardIterator and GetRecords. One thing is not DynamoDB's: it never merges.
Kinesis does; `adjacent` tells the second parent, which no answer of this API has.
"""

from __future__ import annotations

import random
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from zlib import crc32

from infra.local.mapping.source import Cursor, Shard, Stream
from shared.aws_json import ServiceFault
from tests.support.records import STREAM_ARN

RETENTION_SECONDS = 24 * 3600.0
ITERATOR_SECONDS = 15 * 60.0
MAX_RECORDS, MAX_BYTES = 1_000, 1_000_000
_SPACE = 1 << 16
_FIRST_NUMBER = 100_000_000_000_000_000_000
_SHARDS_PER_PAGE = 5


class Clock:
    """The simulation's time; starts at a full hour."""

    def __init__(self) -> None:
        self.now = 1_760_000_400.0

    def wall(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now


@dataclass(slots=True)
class ModelShard:
    """One shard: a range of the items' hashes, and the changes that came while it was open.

    `trimmed` is the number of the newest record that is gone, 0 if none is.
    """

    shard_id: str
    low: int
    high: int
    parents: tuple[str, ...] = ()
    opened_at: float = 0.0
    closed_at: float | None = None
    trimmed: int = 0
    numbers: array[int] = field(default_factory=lambda: array("Q"))
    items: array[int] = field(default_factory=lambda: array("L"))
    versions: array[int] = field(default_factory=lambda: array("L"))
    times: array[float] = field(default_factory=lambda: array("d"))

    def trim(self, moment: float) -> None:
        count = bisect_left(self.times, moment)
        if count:
            self.trimmed = self.numbers[count - 1]
            for column in (self.numbers, self.items, self.versions, self.times):
                del column[:count]

    def forgotten(self, moment: float) -> bool:
        """Nothing is left of it."""
        return self.closed_at is not None and self.closed_at < moment and not self.numbers


class StreamModel:
    """One table's stream: written with `put`, reshaped, and read through `call`."""

    arn = STREAM_ARN

    def __init__(
        self,
        clock: Clock,
        chance: random.Random,
        touch: Callable[[str], None] = lambda operation: None,
        *,
        shards: int = 2,
    ) -> None:
        """`touch` is told each call before it is answered, and raises what is to go wrong."""
        self._clock, self._chance, self._touch = clock, chance, touch
        self._made = self._number = 0
        self._names: list[str] = []
        self._ids: dict[str, int] = {}
        self.versions: dict[str, int] = {}
        self.shards: dict[str, ModelShard] = {}
        self.reshardings = 0
        edges = [_SPACE * n // shards for n in range(shards + 1)]
        for low, high in zip(edges, edges[1:], strict=False):
            self._add(low, high, ())

    def put(self, item: str) -> int:
        """Change an item; returns its new version."""
        version = self.versions[item] = self.versions.get(item, 0) + 1
        if item not in self._ids:
            self._ids[item] = len(self._names)
            self._names.append(item)
        place = crc32(item.encode()) % _SPACE
        (shard,) = [each for each in self._open() if each.low <= place < each.high]
        self._number += self._chance.randint(1, 50)
        shard.numbers.append(self._number)
        shard.items.append(self._ids[item])
        shard.versions.append(version)
        shard.times.append(self._clock.now)
        return version

    def oldest_kept(self, item: str) -> int:
        """The oldest version of an item that can still be read; its next one if none can."""
        self._trim()
        wanted = self._ids.get(item)
        found = (
            version
            for shard in self.shards.values()
            for which, version in zip(shard.items, shard.versions, strict=True)
            if which == wanted
        )
        return min(found, default=self.versions.get(item, 0) + 1)

    # -- reshaping ---------------------------------------------------------------------------

    def _open(self) -> list[ModelShard]:
        return [shard for shard in self.shards.values() if shard.closed_at is None]

    def split(self) -> bool:
        """Cut the widest open shard in two."""
        shard = max(self._open(), key=lambda each: each.high - each.low)
        middle = (shard.low + shard.high) // 2
        self._close(shard)
        self._add(shard.low, middle, (shard.shard_id,))
        self._add(middle, shard.high, (shard.shard_id,))
        return True

    def roll(self) -> bool:
        """Close a shard and go on in another, as DynamoDB does every few hours."""
        shard = self._chance.choice(self._open())
        self._close(shard)
        self._add(shard.low, shard.high, (shard.shard_id,))
        return True

    def merge(self) -> bool:
        """Join two neighbours; returns whether there were two."""
        shards = sorted(self._open(), key=lambda each: each.low)
        if len(shards) < 2:
            return False
        at = self._chance.randrange(len(shards) - 1)
        left, right = shards[at], shards[at + 1]
        self._close(left)
        self._close(right)
        self._add(left.low, right.high, (left.shard_id, right.shard_id))
        return True

    def _close(self, shard: ModelShard) -> None:
        shard.closed_at = self._clock.now

    def _add(self, low: int, high: int, parents: tuple[str, ...]) -> None:
        self._made += 1
        self.reshardings += bool(parents) and low == self.shards[parents[0]].low
        shard_id = f"shardId-{int(self._clock.now * 1000):020d}-{self._made:08x}"
        self.shards[shard_id] = ModelShard(shard_id, low, high, parents, self._clock.now)

    def _trim(self) -> None:
        moment = self._clock.now - RETENTION_SECONDS
        for shard_id, shard in tuple(self.shards.items()):
            shard.trim(moment)
            if shard.forgotten(moment):
                del self.shards[shard_id]

    # -- the API -----------------------------------------------------------------------------

    def call(self, operation: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Answer as the service does. Raises Retryable by `touch`, or ServiceFault."""
        self._touch(operation)
        self._trim()
        if operation == "DescribeStream":
            return self._describe(arguments.get("ExclusiveStartShardId"))
        if operation == "GetShardIterator":
            return {"ShardIterator": self._iterator(arguments)}
        if operation == "GetRecords":
            return self._records(arguments["ShardIterator"], arguments["Limit"])
        raise AssertionError(f"the mapping has no business with {operation}")

    def _describe(self, after: str | None) -> dict[str, Any]:
        names = list(self.shards)
        # A page may begin behind a shard that was forgotten since the last page; names grow.
        start = bisect_right(sorted(names), after) if after else 0
        page = names[start : start + _SHARDS_PER_PAGE]
        told = []
        for name in page:
            parents = self.shards[name].parents
            told.append({"ShardId": name, **({"ParentShardId": parents[0]} if parents else {})})
        description: dict[str, Any] = {"Shards": told}
        if start + _SHARDS_PER_PAGE < len(names):
            description["LastEvaluatedShardId"] = page[-1]
        return {"StreamDescription": description}

    def _shard(self, operation: str, shard_id: str) -> ModelShard:
        shard = self.shards.get(shard_id)
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
        return make_record(self._names[shard.items[at]], version, number, shard.times[at])


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

    def __init__(self, inner: Stream, model: StreamModel) -> None:
        self.arn, self.batch_info = inner.arn, inner.batch_info
        self._inner, self._model = inner, model

    def shards(self) -> Sequence[Shard]:
        parents = {name: shard.parents for name, shard in self._model.shards.items()}
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
