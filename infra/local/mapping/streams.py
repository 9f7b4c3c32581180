"""Reads a DynamoDB stream over its HTTP API.

Answers are taken as plain JSON, so that a record keeps the form in which Lambda delivers it:
binaries as base64 text, numbers as text, times as numbers.
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from infra.local.mapping.lambda_records import StreamEntry
from infra.local.mapping.source import (
    LATEST,
    MANY,
    TRIM_HORIZON,
    Clock,
    Page,
    Shard,
    StreamGone,
    SystemClock,
    Trimmed,
)
from shared.aws_json import JsonService, ServiceFault

# GetRecords gives 1,000 records or 1 MB at most.
MAX_RECORDS = 1_000
_TRIMMED = "TrimmedDataAccessException"
_EXPIRED = "ExpiredIteratorException"
_NOT_FOUND = "ResourceNotFoundException"


class Api(Protocol):
    """The calls of the DynamoDB Streams API."""

    def call(self, operation: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Raises Retryable, or ServiceFault with AWS's code."""


class DynamoStream:
    """One DynamoDB stream. Each cursor makes its own calls."""

    batch_info = "DDBStreamBatchInfo"

    def __init__(self, arn: str, api: Api | None = None, clock: Clock | None = None) -> None:
        """`arn` is the stream's; it is reached as boto's environment says."""
        self.arn = arn
        self._api: Api = api or JsonService("streams.dynamodb")
        self._clock = clock or SystemClock()

    def shards(self) -> Sequence[Shard]:
        """All shards that still hold records."""
        shards: list[Shard] = []
        arguments = {"StreamArn": self.arn}
        while True:
            answer = self._call("DescribeStream", arguments)["StreamDescription"]
            for shard in answer["Shards"]:
                parent = shard.get("ParentShardId")
                shards.append(Shard(shard["ShardId"], (parent,) if parent else ()))
            last = answer.get("LastEvaluatedShardId")
            if not last:
                return shards
            arguments = {"StreamArn": self.arn, "ExclusiveStartShardId": last}

    def public_shard_id(self, shard_id: str) -> str:
        """The same."""
        return shard_id

    def open(self, shard_id: str, position: str) -> "StreamCursor":
        """A cursor behind a sequence number, at TRIM_HORIZON or at LATEST."""
        return StreamCursor(self, shard_id, position, self._clock)

    def on_news(self, shard_id: str, wake: Callable[[], None]) -> None:
        """No news: nobody reads unless asked to."""

    def iterator(self, shard_id: str, position: str) -> str:
        """A shard iterator behind a position. Raises as `Cursor.read`."""
        arguments = {"StreamArn": self.arn, "ShardId": shard_id}
        if position in (TRIM_HORIZON, LATEST):
            arguments["ShardIteratorType"] = position
        else:
            arguments["ShardIteratorType"] = "AFTER_SEQUENCE_NUMBER"
            arguments["SequenceNumber"] = position
        return str(self._call("GetShardIterator", arguments)["ShardIterator"])

    def records(self, iterator: str, limit: int) -> dict[str, Any] | None:
        """GetRecords' answer, or None if the iterator has expired. Raises as `Cursor.read`."""
        try:
            return self._call("GetRecords", {"ShardIterator": iterator, "Limit": limit})
        except ServiceFault as fault:
            if fault.code == _EXPIRED:
                return None
            raise

    def _call(self, operation: str, arguments: dict[str, Any]) -> dict[str, Any]:
        try:
            return self._api.call(operation, arguments)
        except ServiceFault as fault:
            if fault.code == _TRIMMED:
                raise Trimmed(
                    "the stream no longer has what follows the checkpoint: it keeps 24 hours",
                    hint="records may be lost: run `fanout verify`, then rebuild this projection",
                ) from fault
            if fault.code == _NOT_FOUND:
                raise StreamGone(
                    f"{operation}: no such stream or shard in {self.arn}",
                    hint="was the table made anew? start the pipeline again to read its new stream",
                ) from fault
            raise


class StreamCursor:
    """A place in one shard of a DynamoDB stream."""

    def __init__(self, stream: DynamoStream, shard_id: str, position: str, clock: Clock) -> None:
        self._stream = stream
        self._shard_id = shard_id
        self._position = position
        self._clock = clock
        self._iterator: str | None = None
        self._closed = False

    def read(self, limit: int) -> Page:
        """Read up to `limit` records and move behind them.

        An iterator that expired (15 minutes, or a stream that was away) is replaced by one
        behind the last record read, so that nothing is skipped.
        """
        if self._closed:
            return self._page([])
        asked_at = self._clock.wall()
        answer = None
        if self._iterator is not None:
            answer = self._stream.records(self._iterator, min(limit, MAX_RECORDS))
        if answer is None:
            self._iterator = self._stream.iterator(self._shard_id, self._position)
            answer = self._stream.records(self._iterator, min(limit, MAX_RECORDS))
            if answer is None:
                raise StreamGone(
                    "a fresh shard iterator had expired at once",
                    hint="the stream was disabled or made anew: start the pipeline again",
                )
        entries = [StreamEntry(record, self._stream.arn) for record in answer.get("Records", ())]
        if entries:
            self._position = entries[-1].sequence_number
        self._iterator = answer.get("NextShardIterator")
        self._closed = self._iterator is None
        more = not self._closed and len(entries) >= min(limit, MANY)
        return self._page(entries, asked_at, more=more)

    def _page(
        self, entries: list[StreamEntry], asked_at: float | None = None, *, more: bool = False
    ) -> Page:
        mark = "" if self._position in (TRIM_HORIZON, LATEST) else self._position
        caught_up_at = None if entries or self._closed else asked_at
        return Page(entries, mark, self._closed, more, caught_up_at)

    def behind(self) -> int:
        """Unknown: the API does not tell."""
        return 0
