"""What is sent where a batch is given up: Lambda's on-failure messages, as recorded on AWS.

The message holds metadata alone; the records follow in S3, under the key that Lambda uses.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from infra.local.lambda_runtime.environment import VERSION
from infra.local.lambda_runtime.invocation import Invocation
from infra.local.mapping.config import MappingConfig
from infra.local.mapping.source import Entry, Stream

GAP_SCHEMA = "gap/1"


class Condition(StrEnum):
    """Why a batch is given up."""

    RETRIES = "RetryAttemptsExhausted"
    AGE = "RecordAgeExceeded"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a batch comes from.

    Attributes:
        function_arn: of the function that could not take it.
        mapping_id: UUID of the event source mapping.
        stream_arn, shard_id: as AWS calls them.
        batch_info: `DDBStreamBatchInfo` or `KinesisBatchInfo`.
    """

    function_arn: str
    mapping_id: str
    stream_arn: str
    shard_id: str
    batch_info: str

    @classmethod
    def of(cls, config: MappingConfig, stream: Stream, shard_id: str) -> "Place":
        """A shard of a stream, read for a mapping."""
        shard = stream.public_shard_id(shard_id)
        return cls(config.function_arn, config.mapping_id, stream.arn, shard, stream.batch_info)


@dataclass(frozen=True, slots=True)
class GivenUp:
    """Records that are given up.

    Attributes:
        entries: in order, at least one.
        condition: why.
        tries: how often the handler had them.
        last: the last of these invocations.
    """

    entries: Sequence[Entry]
    condition: Condition
    tries: int
    last: Invocation | None


def on_failure(place: Place, given_up: GivenUp, now: float) -> dict[str, Any]:
    """The message for records given up at `now`, in seconds since the epoch.

    A record that was too old before its first try counts as tried once.
    """
    last, entries = given_up.last, given_up.entries
    exact = place.batch_info == "KinesisBatchInfo"
    first, final = entries[0], entries[-1]
    document: dict[str, Any] = {
        "requestContext": {
            "requestId": last.request_id if last and last.request_id else str(uuid.uuid4()),
            "functionArn": place.function_arn,
            "condition": given_up.condition.value,
            "approximateInvokeCount": max(1, given_up.tries),
        }
    }
    if given_up.condition is Condition.RETRIES:
        document["responseContext"] = {
            "statusCode": 200,
            "executedVersion": VERSION,
            "functionError": last.function_error if last else None,
        }
    return {
        **document,
        "version": "1.0",
        "timestamp": _time(now, milliseconds=True),
        place.batch_info: {
            "shardId": place.shard_id,
            "startSequenceNumber": first.sequence_number,
            "endSequenceNumber": final.sequence_number,
            "approximateArrivalOfFirstRecord": _time(first.arrived, milliseconds=exact),
            "approximateArrivalOfLastRecord": _time(final.arrived, milliseconds=exact),
            "batchSize": len(entries),
            "streamArn": place.stream_arn,
        },
    }


def gap(place: Place, consumer: str, after: str, reason: str, now: float) -> dict[str, Any]:
    """The message for records that the stream forgot before they were read.

    It has none of Lambda's shapes, since there is nothing to redrive: a person has to decide.
    """
    return {
        "fanout": GAP_SCHEMA,
        "consumer": consumer,
        "parkedAt": int(now * 1000),
        "streamArn": place.stream_arn,
        "shardId": place.shard_id,
        "afterSequenceNumber": after,
        "error": {
            "type": "Trimmed",
            "reason": reason,
            "hint": "records may be lost: run `fanout verify`, then rebuild this projection",
        },
    }


def payload_key(place: Place, now: float) -> str:
    """The S3 key of a batch given up at `now`, seconds since the epoch."""
    at = datetime.fromtimestamp(now, UTC)
    return (
        f"aws/lambda/{place.mapping_id}/{place.shard_id}/{at:%Y/%m/%d}/"
        f"{at:%Y-%m-%dT%H.%M.%S}-{uuid.uuid4()}"
    )


def _time(seconds: float, *, milliseconds: bool) -> str:
    at = datetime.fromtimestamp(seconds, UTC)
    text = at.isoformat(timespec="milliseconds" if milliseconds else "seconds")
    return text.replace("+00:00", "Z")
