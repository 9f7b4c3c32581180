"""BatchProcessor with a record handler that does nothing, over both kinds of stream.

Through Kinesis it parses the record's data: before that there is no change to do nothing with.
"""

from typing import Any

from aws_lambda_powertools.utilities.batch import (
    BatchProcessor,
    EventType,
    process_partial_response,
)
from aws_lambda_powertools.utilities.data_classes.kinesis_stream_event import KinesisStreamRecord

_stream = BatchProcessor(event_type=EventType.DynamoDBStreams)
_kinesis = BatchProcessor(event_type=EventType.KinesisDataStreams)


def stream(event: dict[str, Any], context: Any) -> Any:
    """A batch of the table's own stream."""
    return process_partial_response(event, _nothing, _stream, context)


def kinesis(event: dict[str, Any], context: Any) -> Any:
    """A batch of the table's Kinesis stream."""
    return process_partial_response(event, _parsed, _kinesis, context)


def _nothing(record: Any) -> None:  # noqa: ARG001 - Powertools gives it by name
    return None


def _parsed(record: KinesisStreamRecord) -> None:
    record.kinesis.data_as_json()
