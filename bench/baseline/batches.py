"""What the baselines share: BatchProcessor, boto3's deserializer, a line of metrics per batch."""

import os
from collections.abc import Callable, Mapping
from typing import Any

from aws_lambda_powertools import Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType
from boto3.dynamodb.types import TypeDeserializer

Change = dict[str, Any]
Image = dict[str, Any]
Response = Any

_deserialize = TypeDeserializer().deserialize


class Batches:
    """BatchProcessor over one kind of stream, for the life of the function."""

    def __init__(self, consumer: str, event_type: EventType) -> None:
        """`consumer` names the function in its metrics."""
        self._processor = BatchProcessor(event_type=event_type)
        self._metrics = Metrics(namespace="Baseline", service=consumer)

    def read(self, event: dict[str, Any], read: Callable[[Any], Any]) -> list[Any]:
        """What `read` makes of each record, without None; records that raise are reported."""
        with self._processor(records=event["Records"], handler=read):
            processed = self._processor.process()
        return [entry[1] for entry in processed if entry[0] == "success" and entry[1] is not None]

    def respond(self, event: dict[str, Any], operations: int) -> Response:
        """Count the batch, in one line as the consumers do, and say which records failed."""
        self._metrics.add_metric("Records", MetricUnit.Count, len(event["Records"]))
        self._metrics.add_metric("Operations", MetricUnit.Count, operations)
        self._metrics.flush_metrics()
        return self._processor.response()


def from_kinesis(consumer: str) -> Batches:
    """Batches of the table's Kinesis stream."""
    return Batches(consumer, EventType.KinesisDataStreams)


def from_stream(consumer: str) -> Batches:
    """Batches of the table's own stream."""
    return Batches(consumer, EventType.DynamoDBStreams)


def images(change: Mapping[str, Any]) -> tuple[Image | None, Image | None]:
    """(old, new), deserialized."""
    return image(change, "OldImage"), image(change, "NewImage")


def image(change: Mapping[str, Any], name: str) -> Image | None:
    """One image, deserialized; None if the record does not carry it."""
    raw = change.get(name)
    return None if raw is None else {key: _deserialize(value) for key, value in raw.items()}


def version(item: Image) -> Any:
    """The item's own version; None if it has none."""
    found = item["version"] if "version" in item else item.get("metadata", {}).get("version")
    return None if found is None else int(found)


def setting(name: str) -> str:
    """A setting of the consumers, which the baselines read too."""
    return os.environ[name]
