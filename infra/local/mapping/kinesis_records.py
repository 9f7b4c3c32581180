"""Kinesis records as a table's streaming destination writes them, in a Lambda event's envelope.

Made here from the table's own stream, since the emulator's destination is not true to AWS (its
payload names sequence numbers, and gives seconds). Sources: DynamoDB developer guide, "Using
Kinesis Data Streams to capture changes to DynamoDB"; Lambda developer guide, "Using AWS Lambda
with Kinesis"; a recorded delivery.

What a stream cannot tell: times finer than a second, and when the record reached Kinesis.
"""

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b, md5
from typing import Any

from infra.local.mapping.lambda_records import StreamEntry, encode

# A Kinesis sequence number has 56 digits: room for a stream's 40, and for what was emitted at
# one place of the stream.
_STREAM_DIGITS = 40
_PLACE_DIGITS = 14
_SPREAD = 2**32


@dataclass(slots=True)
class Data:
    """What a change becomes on its way through Kinesis; the same for all who read it.

    Nobody changes it; but for its text, which is made when it is first asked for: most changes
    are kept away by a consumer's filter, which looks at the payload.

    Attributes:
        payload: the change, as JSON values.
        partition_key: of the item.
        repeat, delay, distance: numbers from 0 to 1 that decide, the same way each time, whether
            the record comes twice or late, and how late.
        shard: picks the item's shard, by remainder.
    """

    payload: dict[str, Any]
    partition_key: str
    repeat: float
    delay: float
    distance: float
    shard: int
    _text: bytes | None = None

    @property
    def text(self) -> bytes:
        """The payload in base64 of JSON."""
        text = self._text
        if text is None:
            # Two threads may both make it; they make the same.
            text = self._text = b64encode(encode(self.payload))
        return text


def kinesis_data(entry: StreamEntry, seed: int) -> Data:
    """The data of a stream record; made once and kept with it."""
    data = entry.kinesis_data
    if data is None:
        data = entry.kinesis_data = _make(entry.view, seed)
    return data  # type: ignore[no-any-return]


def _make(record: Mapping[str, Any], seed: int) -> Data:
    change = record["dynamodb"]
    created = change.get("ApproximateCreationDateTime")
    payload = {
        "awsRegion": record.get("awsRegion"),
        "eventID": record.get("eventID"),
        "eventName": record.get("eventName"),
        "userIdentity": record.get("userIdentity"),
        "recordFormat": "application/json",
        "tableName": record["eventSourceARN"].partition("/")[2].partition("/")[0],
        "dynamodb": {
            "ApproximateCreationDateTime": int(created * 1_000_000)
            if created.__class__ in (int, float)
            else created,
            **{name: change[name] for name in ("Keys", "NewImage", "OldImage") if name in change},
            "SizeBytes": change.get("SizeBytes", 0),
            "ApproximateCreationDateTimePrecision": "MICROSECOND",
        },
        "eventSource": "aws:dynamodb",
    }
    keys = md5(encode(change.get("Keys")), usedforsecurity=False)
    chance = blake2b(encode([seed, record.get("eventID")]), digest_size=12).digest()
    repeat, delay, distance = (
        int.from_bytes(chance[at : at + 4], "big") / _SPREAD for at in (0, 4, 8)
    )
    return Data(
        payload,
        keys.hexdigest().upper(),
        repeat,
        delay,
        distance,
        int.from_bytes(keys.digest()[:4], "big"),
    )


def sequence_number(place: int, count: int) -> str:
    """The number of the record that is emitted as number `count` at a place of the stream."""
    return f"49{place:0{_STREAM_DIGITS}d}{count:0{_PLACE_DIGITS}d}"


@dataclass(frozen=True, slots=True)
class Envelope:
    """What all records of one Kinesis shard share."""

    stream_arn: str
    role_arn: str
    region: str
    shard_id: str


class KinesisEntry:
    """One Kinesis record; `mark` is the stream's position that is safe once it is done."""

    __slots__ = ("_data", "_encoded", "_envelope", "arrived", "mark", "sequence_number")

    def __init__(
        self, envelope: Envelope, data: Data, number: str, mark: str, arrived: float
    ) -> None:
        """`arrived` in seconds since the epoch."""
        self._envelope = envelope
        self._data = data
        self._encoded: bytes | None = None
        self.sequence_number = number
        self.mark = mark
        self.arrived = arrived

    @property
    def view(self) -> Mapping[str, Any]:
        """As `shared.filter_kinesis` shows it to patterns, without parsing the payload again."""
        return {**self._kinesis(), "data": self._data.payload}

    @property
    def encoded(self) -> bytes:
        """JSON text, made when first asked for."""
        if self._encoded is None:
            record = {"kinesis": {**self._kinesis(), "data": None}, **self._rest()}
            # Base64 needs no escapes; the text is too long to go through an encoder each time.
            head, tail = encode(record).split(b'"data":null', 1)
            self._encoded = b'%b"data":"%b"%b' % (head, self._data.text, tail)
        return self._encoded

    def _kinesis(self) -> dict[str, Any]:
        return {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": self._data.partition_key,
            "sequenceNumber": self.sequence_number,
            "approximateArrivalTimestamp": self.arrived,
        }

    def _rest(self) -> dict[str, Any]:
        return {
            "eventSource": "aws:kinesis",
            "eventVersion": "1.0",
            "eventID": f"{self._envelope.shard_id}:{self.sequence_number}",
            "eventName": "aws:kinesis:record",
            "invokeIdentityArn": self._envelope.role_arn,
            "awsRegion": self._envelope.region,
            "eventSourceARN": self._envelope.stream_arn,
        }
