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
        _measure(scale, "stream", "audit", at_least=8.0, floor=1.8),
        _measure(
            scale,
            "kinesis",
            "search",
            note="both sides decode and parse each record's data, which is most of it",
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
        Side("bench.core:consume", environment) as ours,
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


_SPEC = ConsumerSpec(name="noop", purpose="nothing", destination="none", source=Source.STREAM)
_consumer: Consumer[Any] = Consumer(
    _SPEC, _project, _NoSink(), DeadLetterQueue("noop", "http://127.0.0.1:9/noop", "archive")
)


def consume(event: dict[str, Any], context: Any) -> Response:
    """Handle a batch and print its line of telemetry."""
    return _consumer.consume(event, context)
