"""Puts the mappings of all consumers together, from their SPECs."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from infra.local.lambda_runtime.function import Function
from infra.local.mapping.checkpoint import CheckpointFolder
from infra.local.mapping.config import MappingConfig
from infra.local.mapping.destination import DeadLetters
from infra.local.mapping.kinesis import Disorder, KinesisStream
from infra.local.mapping.mapping import Mappings
from infra.local.mapping.shared_stream import SharedStream, Sharing
from infra.local.mapping.source import TRIM_HORIZON, Stream
from infra.local.mapping.streams import DynamoStream
from infra.local.mapping.wiring import Wiring
from shared.spec import ConsumerSpec, Source


@dataclass(frozen=True, slots=True)
class Served:
    """A consumer to be served: its SPEC, its function, and where its given-up records go."""

    spec: ConsumerSpec
    function: Function
    queue_url: str
    bucket: str


def map_consumers(
    stream_arn: str,
    consumers: Sequence[Served],
    folder: Path,
    *,
    start: str = TRIM_HORIZON,
    kinesis_shards: int = 1,
    disorder: Disorder | None = None,
    sharing: Sharing | None = None,
) -> Mappings:
    """Map the stream of a table to consumers; nothing is read before `Mappings.start`.

    The process's environment must lead boto to the stream.

    Args:
        stream_arn: of the table's stream.
        consumers: who is served; one whose SPEC names Kinesis gets Kinesis records.
        folder: for the checkpoints.
        start: TRIM_HORIZON or LATEST, for a consumer without checkpoints.
        kinesis_shards: shards of the Kinesis stream, per shard of the table's stream.
        disorder: repeats and reorders of the Kinesis stream.
        sharing: how often the stream is polled, and how much is kept for slower consumers.

    Raises InvalidSpec or InvalidFilter for a SPEC that cannot be mapped, InvalidSettings for an
    ARN that is none.
    """
    table_stream = SharedStream(DynamoStream(stream_arn), sharing)
    kinesis = KinesisStream(table_stream, kinesis_shards, disorder)
    wirings = []
    for each in consumers:
        stream: Stream = table_stream if each.spec.source is Source.STREAM else kinesis
        wirings.append(
            Wiring(
                MappingConfig.of(each.spec, each.function.arn, start),
                stream,
                each.function.invoke,
                DeadLetters(each.queue_url, each.bucket),
                # By the table's stream, also for Kinesis: a table made anew starts anew.
                CheckpointFolder(folder, each.spec.name, stream_arn),
            )
        )
    return Mappings(wirings)
