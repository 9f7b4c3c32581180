"""From a record of the DynamoDB Streams API to a record of a Lambda event.

Lambda adds the stream's ARN. The creation time is in seconds in both. Bytes stay base64 text,
since nothing here ever decodes them. Source: Lambda developer guide, "Using AWS Lambda with
Amazon DynamoDB", example event.
"""

import json
from collections.abc import Mapping
from typing import Any

import orjson

from shared.errors import Malformed


class StreamEntry:
    """A stream record on its way to several consumers: encoded once, for all of them."""

    __slots__ = ("_encoded", "arrived", "kinesis_data", "mark", "sequence_number", "view")

    def __init__(self, record: dict[str, Any], stream_arn: str) -> None:
        """Take over `record`, an element of GetRecords' answer, and give it the stream's ARN.

        Raises Malformed if it has no sequence number: then the stream is none.
        """
        record["eventSourceARN"] = stream_arn
        change = record.get("dynamodb")
        if not isinstance(change, dict):
            change = {}
        sequence_number = change.get("SequenceNumber")
        if not isinstance(sequence_number, str) or not sequence_number.isdigit():
            raise Malformed(
                "a record of the stream has no sequence number",
                hint="check what answers at the endpoint: it is no DynamoDB stream",
            )
        created = change.get("ApproximateCreationDateTime")
        self.view: Mapping[str, Any] = record
        self.sequence_number = sequence_number
        self.mark = sequence_number
        self.arrived = float(created) if isinstance(created, int | float) else 0.0
        self._encoded: bytes | None = None
        # What `kinesis_records` makes of it, kept here for the next consumer.
        self.kinesis_data: Any = None

    @property
    def encoded(self) -> bytes:
        """JSON text, made when first asked for."""
        encoded = self._encoded
        if encoded is None:
            # Two threads may both make it; they make the same.
            encoded = self._encoded = encode(self.view)
        return encoded


def encode(value: Any) -> bytes:
    """JSON text of a value.

    What no UTF-8 text can hold, lone surrogates, is written as escapes: it has to reach the
    handler, which parks the record; the batch must not stop here.
    """
    try:
        return orjson.dumps(value)
    except TypeError:
        return json.dumps(value, separators=(",", ":")).encode("ascii")


def lambda_event(encoded: list[bytes]) -> bytes:
    """The event that carries records already encoded."""
    return b'{"Records":[' + b",".join(encoded) + b"]}"
