"""Records for tests, in the shape in which Lambda delivers them.

Shapes as in the Lambda developer guide: a DynamoDB stream gives seconds and a sequence number;
the Kinesis stream of a table gives microseconds and base64 JSON without one.
"""

import base64
import json
from decimal import Decimal
from typing import Any

CREATED = 1_760_000_000  # seconds: 2025-10-09T08:53:20Z
STREAM_ARN = "arn:aws:dynamodb:eu-west-1:111122223333:table/fanout/stream/2025-10-09T00:00:00.000"
KINESIS_ARN = "arn:aws:kinesis:eu-west-1:111122223333:stream/fanout"

Raw = dict[str, Any]


def to_raw(value: Any) -> Raw:
    """Python to DynamoDB JSON, binaries as base64 text; dict -> M, also at the top."""
    match value:
        case None:
            return {"NULL": True}
        case bool():
            return {"BOOL": value}
        case int() | Decimal():
            return {"N": str(value)}
        case str():
            return {"S": value}
        case bytes():
            return {"B": base64.b64encode(value).decode()}
        case list():
            return {"L": [to_raw(member) for member in value]}
        case dict():
            return {"M": raw_image(value)}
        case set() | frozenset():
            members = [to_raw(member) for member in sorted(value)]
            tag = next(iter(members[0]))
            return {f"{tag}S": [member[tag] for member in members]}
    raise TypeError(f"no DynamoDB type for {value!r}")


def raw_image(item: dict[str, Any]) -> Raw:
    """A whole item as DynamoDB JSON."""
    return {name: to_raw(value) for name, value in item.items()}


def order(order_id: str = "o-1", version: int = 1, **changes: Any) -> dict[str, Any]:
    """An order as the application writes it; `changes` replace top-level attributes."""
    item = {
        "PK": f"ORDER#{order_id}",
        "SK": "ORDER",
        "orderId": order_id,
        "customerId": "c-1",
        "customer": {
            "name": "Ada Lovelace",
            "email": "ada@example.org",
            "phone": "+44 20 7946 0001",
        },
        "status": "PENDING_VALIDATION",
        "items": [
            {"productId": "p-1", "name": "Walnut desk", "quantity": 1, "price": Decimal("249.90")},
            {"productId": "p-2", "name": "Brass lamp", "quantity": 2, "price": Decimal("39.50")},
        ],
        "totalAmount": Decimal("328.90"),
        "paymentMethod": "CARD",
        "shippingAddress": {
            "street": "12 St James's Square",
            "city": "London",
            "state": "",
            "zipCode": "SW1Y 4JH",
            "country": "GB",
        },
        "workflowContext": {
            "currentStep": "VALIDATION",
            "retryCount": 0,
            "lastError": None,
            "processedStages": [],
            "pendingStages": ["VALIDATION", "PAYMENT", "INVENTORY", "SHIPPING"],
        },
        "metadata": {
            "createdAt": "2025-10-09T08:53:20.000Z",
            "updatedAt": "2025-10-09T08:53:20.000Z",
            "version": version,
        },
        "createdAt": "2025-10-09T08:53:20.000Z",
    }
    return {**item, **changes}


def score(
    score_id: str = "s-1", user: str = "u-1", value: Any = 100, version: int = 1, **changes: Any
) -> dict[str, Any]:
    """A score as the game writes it."""
    item = {
        "PK": f"SCORE#{score_id}",
        "SK": f"USER#{user}",
        "Score": value,
        "taskType": "PUZZLE",
        "difficulty": "MEDIUM",
        "createdAt": "2025-10-09T08:53:20.000Z",
        "version": version,
    }
    return {**item, **changes}


def heartbeat(beat_id: str = "h-1", written_ms: int = CREATED * 1000, version: int = 1) -> Raw:
    """A heartbeat as the heartbeat writer writes it."""
    return {
        "PK": f"HEARTBEAT#{beat_id}",
        "SK": "HEARTBEAT",
        "writtenAt": written_ms,
        "version": version,
    }


def _change(old: dict[str, Any] | None, new: dict[str, Any] | None) -> tuple[str, Raw]:
    item = new or old
    assert item is not None, "a change has at least one image"
    name = "INSERT" if old is None else "REMOVE" if new is None else "MODIFY"
    change: Raw = {"Keys": raw_image({"PK": item["PK"], "SK": item["SK"]})}
    if new is not None:
        change["NewImage"] = raw_image(new)
    if old is not None:
        change["OldImage"] = raw_image(old)
    change["SizeBytes"] = len(json.dumps(change))
    return name, change


def stream_record(
    old: dict[str, Any] | None = None,
    new: dict[str, Any] | None = None,
    *,
    sequence: int = 1,
    event_id: str = "",
    created: float = CREATED,
) -> Raw:
    """One entry of a DynamoDB stream event. `created` in seconds."""
    name, change = _change(old, new)
    number = str(100_000_000_000_000_000_000 + sequence)
    return {
        "eventID": event_id or f"event-{sequence}",
        "eventName": name,
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "eu-west-1",
        "dynamodb": {
            "ApproximateCreationDateTime": created,
            **change,
            "SequenceNumber": number,
            "StreamViewType": "NEW_AND_OLD_IMAGES",
        },
        "eventSourceARN": STREAM_ARN,
    }


def kinesis_entry(data: bytes, sequence: int = 1, partition_key: str = "p") -> Raw:
    """One entry of a Kinesis event that carries `data`."""
    number = str(
        49_590_338_271_490_256_608_559_692_538_361_571_095_921_575_989_136_588_898 + sequence
    )
    return {
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": partition_key,
            "sequenceNumber": number,
            "data": base64.b64encode(data).decode(),
            "approximateArrivalTimestamp": CREATED + 0.5,
        },
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": f"shardId-000000000000:{number}",
        "eventName": "aws:kinesis:record",
        "invokeIdentityArn": "arn:aws:iam::111122223333:role/fanout",
        "awsRegion": "eu-west-1",
        "eventSourceARN": KINESIS_ARN,
    }


def kinesis_record(
    old: dict[str, Any] | None = None,
    new: dict[str, Any] | None = None,
    *,
    sequence: int = 1,
    event_id: str = "",
    created: float = CREATED,
) -> Raw:
    """One entry of a Kinesis event that carries a change of the table. `created` in seconds."""
    name, change = _change(old, new)
    payload = {
        "awsRegion": "eu-west-1",
        "eventID": event_id or f"event-{sequence}",
        "eventName": name,
        "userIdentity": None,
        "recordFormat": "application/json",
        "tableName": "fanout",
        "dynamodb": {
            "ApproximateCreationDateTime": int(created * 1_000_000),
            **change,
            "ApproximateCreationDateTimePrecision": "MICROSECOND",
        },
        "eventSource": "aws:dynamodb",
    }
    return kinesis_entry(json.dumps(payload).encode(), sequence)


def event(*records: Raw) -> Raw:
    """A Lambda event of these records."""
    return {"Records": list(records)}
