"""Envelopes: from what Lambda delivers to records.

A DynamoDB stream delivers the change itself; Kinesis delivers it as base64 JSON under
`kinesis.data`, without a sequence number of its own. Both become the same `Record`.

Envelopes as in the Lambda developer guide ("Using AWS Lambda with DynamoDB" and "with
Kinesis") and "Using Kinesis Data Streams to capture changes to DynamoDB".
"""

from binascii import a2b_base64
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, final

import orjson

from shared.errors import Malformed, NotAStream
from shared.payloads import PayloadDecoder
from shared.records import KINESIS, STREAM, Record, malformed_record

_CHANGES = frozenset({"INSERT", "MODIFY", "REMOVE"})


@final
class Unreadable(NamedTuple):
    """An entry of a batch that is no record; `raw` is kept for parking."""

    raw: Any
    sequence_number: str
    error: Malformed


def read_records(
    event: Any, decode_payload: PayloadDecoder | None = None
) -> Iterator[Record | Unreadable]:
    """Yield each entry of a Lambda event, in order, as it is asked for.

    Raises NotAStream, before the first entry, if the event is not a batch of a DynamoDB
    stream or of Kinesis. A damaged entry is yielded as `Unreadable`; it disturbs no other.
    `decode_payload` (`shared.payloads`) is tried first on what Kinesis carries.
    """
    entries = event.get("Records") if isinstance(event, dict) else None
    if not isinstance(entries, list):
        raise NotAStream(
            "the event has no list of Records",
            hint="invoke this function through its event source mapping only",
        )
    if entries and not any(_source_of(entry) for entry in entries):
        raise NotAStream(
            "the event's records come neither from aws:dynamodb nor from aws:kinesis",
            hint="check the function's triggers; SQS is redriven with `fanout redrive`",
        )
    return _read_entries(entries, decode_payload)


def sequence_number_of(entry: Any) -> str:
    """The number by which Lambda knows an entry, read of nothing else; "" if it has none."""
    try:
        if _source_of(entry) == STREAM:
            return _sequence_number(entry.get("dynamodb"), "SequenceNumber")
        if _source_of(entry) == KINESIS:
            return _sequence_number(entry.get("kinesis"), "sequenceNumber")
    except Malformed:
        pass
    return ""


def _source_of(entry: Any) -> str | None:
    source = entry.get("eventSource") if isinstance(entry, dict) else None
    return source if source in (STREAM, KINESIS) else None


def _read_entries(
    entries: list[Any], decode_payload: PayloadDecoder | None
) -> Iterator[Record | Unreadable]:
    """Read what is sound, with only the checks that show that it is; the rest carefully."""
    for entry in entries:
        try:
            source = entry["eventSource"]
            if source == STREAM:
                payload, change = entry, entry["dynamodb"]
                number = change["SequenceNumber"]
            elif source == KINESIS and decode_payload is not None:
                payload = decode_payload(entry["kinesis"]["data"])
                change, number = payload["dynamodb"], entry["kinesis"]["sequenceNumber"]
            else:
                raise KeyError(source)
            name = payload["eventName"]
            if change.__class__ is dict and number.__class__ is str and number and name in _CHANGES:
                yield Record(entry, payload, change, name, number)
                continue
        except (KeyError, TypeError, ValueError, RecursionError):
            pass  # what is wrong is said by the careful way
        yield _read_entry(entry)


def _read_entry(entry: Any) -> Record | Unreadable:
    sequence_number = ""
    try:
        source = _source_of(entry)
        if source == STREAM:
            payload = entry
            sequence_number = _sequence_number(entry.get("dynamodb"), "SequenceNumber")
        elif source == KINESIS:
            sequence_number = _sequence_number(entry.get("kinesis"), "sequenceNumber")
            payload = _kinesis_payload(entry["kinesis"])
        else:
            raise malformed_record("names neither aws:dynamodb nor aws:kinesis as its eventSource")
        change = payload.get("dynamodb")
        if change.__class__ is not dict:
            raise malformed_record("has no change under `dynamodb`")
        event_name = payload.get("eventName")
        if event_name.__class__ is not str or event_name not in _CHANGES:
            raise malformed_record("has an eventName other than INSERT, MODIFY and REMOVE")
    except Malformed as error:
        return Unreadable(entry, sequence_number, error)
    return Record(entry, payload, change, event_name, sequence_number)


def _sequence_number(part: Any, name: str) -> str:
    text = part.get(name) if isinstance(part, dict) else None
    # Only echoed to Lambda, never computed with: whatever names the record will do.
    if text.__class__ is not str or not text:
        raise malformed_record("has no sequence number")
    return text


def _kinesis_payload(kinesis: Mapping[str, Any]) -> dict[str, Any]:
    """The change that a Kinesis record carries. Raises Malformed if it carries none."""
    data = kinesis.get("data")
    if data.__class__ is not str:
        raise malformed_record("has no data")
    try:
        text = a2b_base64(data, strict_mode=True)
    except ValueError:
        raise malformed_record("has data that is no base64") from None
    try:
        payload = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise malformed_record("has data that is no JSON text in UTF-8") from None
    if payload.__class__ is not dict:
        raise malformed_record("has data that is no JSON object")
    return payload
