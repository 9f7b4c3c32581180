"""The core loop with a projection that asks for nothing, against BatchProcessor doing nothing."""

from typing import Any

from bench.figures import Figure, Scale
from bench.side import Side, compare, give, lambda_environment
from bench.workload import prepared
from shared.clock import Deadline
from shared.parking import DeadLetterQueue
from shared.records import Record
from shared.runtime import Consumer, Response, WriteResult
from shared.spec import ConsumerSpec, Source

_RECORDS = 1_000
_ROUNDS = {Scale.SHORT: 5, Scale.FULL: 15}
_CALLS = 3


def measure(scale: Scale) -> list[Figure]:
    """Measure both envelopes; the stream's has the goal, as there nothing has to be parsed."""
    return [
        _measure(scale, "stream", "audit", at_least=8.0, floor=5.0),
        _measure(
            scale,
            "kinesis",
            "search",
            note="the baseline parses each record's data whole, ours the part that is read",
        ),
    ]


def _measure(
    scale: Scale,
    envelope: str,
    consumer: str,
    *,
    at_least: float | None = None,
    floor: float | None = None,
    note: str = "",
) -> Figure:
    environment = lambda_environment()
    with (
        Side(f"bench.core:consume_{envelope}", environment) as ours,
        Side(f"bench.baseline.noop:{envelope}", environment) as theirs,
    ):
        give("core", prepared(consumer, _RECORDS), (ours, theirs))
        compared = compare(ours, theirs, "core", rounds=_ROUNDS[scale], calls=_CALLS)
    return Figure(
        suite="core",
        name=f"{envelope} of 1,000 records against BatchProcessor",
        value=compared.ratio,
        unit="x",
        at_least=at_least,
        floor=floor,
        detail={
            "ours µs/record": compared.ours / _RECORDS * 1e6,
            "baseline µs/record": compared.theirs / _RECORDS * 1e6,
        },
        note=note,
    )


class _NoSink:
    """Nothing is ever written to it."""

    def write(self, operations: Any, deadline: Deadline) -> WriteResult:  # noqa: ARG002
        raise AssertionError("a projection that gives nothing wrote something")

    def probe(self, deadline: Deadline) -> None:  # noqa: ARG002
        raise AssertionError("there are no heartbeats in the batch")


def _project(_: Record) -> None:
    return None


def _consumer(source: Source) -> Consumer[Any]:
    spec = ConsumerSpec(name="noop", purpose="nothing", destination="none", source=source, reads=())
    queue = DeadLetterQueue("noop", "http://127.0.0.1:9/noop", "archive")
    return Consumer(spec, _project, _NoSink(), queue)


_of_stream, _of_kinesis = _consumer(Source.STREAM), _consumer(Source.KINESIS)


def consume_stream(event: dict[str, Any], context: Any) -> Response:
    """Handle a batch of the stream and print its line of telemetry."""
    return _of_stream.consume(event, context)


def consume_kinesis(event: dict[str, Any], context: Any) -> Response:
    """The same of Kinesis."""
    return _of_kinesis.consume(event, context)
