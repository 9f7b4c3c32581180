"""The archive: one gzipped NDJSON object per batch.

Choices: gzip at its usual level 6, which Athena reads and every Python has; the images are kept raw
and only the one that tells the version is deserialized; `json.dumps` without spaces.
An object's name is the range of the batch, so a redelivery overwrites itself.
"""

import gzip
import json
from datetime import UTC, datetime
from typing import Any

import boto3
from aws_lambda_powertools.utilities.data_classes.dynamo_db_stream_event import DynamoDBRecord

from bench.baseline.batches import Response, from_stream, image, setting, version

_LEVEL = 6

s3 = boto3.client("s3")
bucket = setting("FANOUT_ARCHIVE_BUCKET")
batches = from_stream("audit")


def handler(event: dict[str, Any], _: Any) -> Response:
    """Archive a batch."""
    lines = batches.read(event, line)
    if lines:
        body = gzip.compress("".join(lines).encode(), _LEVEL)
        s3.put_object(Bucket=bucket, Key=_key(event["Records"]), Body=body)
    return batches.respond(event, len(lines))


def line(record: DynamoDBRecord) -> str:
    """A record's line."""
    raw = record.raw_event
    change = raw["dynamodb"]
    removed = "NewImage" not in change
    item = image(change, "OldImage" if removed else "NewImage") or {}
    found = version(item)
    document = {
        "eventID": raw["eventID"],
        "eventName": raw["eventName"],
        "sequenceNumber": change["SequenceNumber"],
        "createdUs": int(change["ApproximateCreationDateTime"] * 1_000_000),
        "version": found + removed if found is not None else None,
        "keys": change["Keys"],
    }
    if "OldImage" in change:
        document["old"] = change["OldImage"]
    if not removed:
        document["new"] = change["NewImage"]
    if raw.get("userIdentity"):
        document["userIdentity"] = raw["userIdentity"]
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False) + "\n"


def _key(records: list[dict[str, Any]]) -> str:
    first, last = records[0]["dynamodb"], records[-1]["dynamodb"]
    hour = datetime.fromtimestamp(first["ApproximateCreationDateTime"], UTC)
    span = f"{first['SequenceNumber']}-{last['SequenceNumber']}"
    return f"audit/{hour:date=%Y-%m-%d/hour=%H}/{span}.ndjson.gz"
