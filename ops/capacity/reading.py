"""How Lambda reads: batches, durations, and how long a change waits. Shared by cost and size."""

from dataclasses import dataclass

from consumers.totals.sink import MAX_UNDER_WAY
from ops.capacity.measured import MB_PER_CPU, Measured
from ops.capacity.workload import Workload
from shared.spec import ConsumerSpec, Grant, Source

# Seconds between two looks at a shard (Lambda developer guide: once a second for Kinesis, four
# times a second for a DynamoDB stream; enhanced fan-out is pushed, in about 70 ms).
POLL_SECONDS = {Source.STREAM: 0.25, Source.KINESIS: 1.0, Source.KINESIS_FANOUT: 0.07}
# What a batch waits for the sink, in ms, beside its own CPU: assumptions for one region.
SINK_MS = {
    Grant.ARCHIVE_WRITE: 40.0,
    Grant.CACHE_CONNECT: 2.0,
    Grant.SEARCH_WRITE: 60.0,
    Grant.TOTALS_WRITE: 15.0,
}
_MB_PER_BATCH = 6.0
_SCORES_PER_TRANSACTION = 90


@dataclass(frozen=True, slots=True)
class Reading:
    """One consumer at work.

    Attributes:
        served_per_second: records that its filters let through.
        batch: records in an invocation, on average.
        duration_ms: of an invocation.
        invocations_per_second: of all shards.
        measured: whether the CPU time is the consumer's own.
    """

    served_per_second: float
    batch: float
    duration_ms: float
    invocations_per_second: float
    measured: bool

    @property
    def concurrency(self) -> float:
        """Functions at work at once, on average."""
        return self.invocations_per_second * self.duration_ms / 1000


def largest_batch(spec: ConsumerSpec, work: Workload) -> float:
    """The records that fit: by the SPEC, and by Lambda's 6 MB of payload."""
    grown = 4 / 3 if spec.source is not Source.STREAM else 1.0  # base64
    return max(1.0, min(spec.batch_size, _MB_PER_BATCH * 1024 / (work.record_kb * grown)))


def duration_ms(spec: ConsumerSpec, batch: float, measured: Measured) -> float:
    """Of one invocation: CPU time at the share of a CPU that its memory buys, and the sink."""
    costs, _ = measured.of(spec.name)
    cpu_share = min(1.0, spec.memory_mb / MB_PER_CPU)
    waits = sum(SINK_MS[grant] for grant in spec.grants)
    if Grant.TOTALS_WRITE in spec.grants:
        # A transaction holds 100 actions, and a large batch needs more than are under way at once.
        waits *= max(1.0, batch / _SCORES_PER_TRANSACTION / MAX_UNDER_WAY)
    return costs.cpu_ms(batch) / cpu_share + waits


def reading(spec: ConsumerSpec, work: Workload, shards: float, measured: Measured) -> Reading:
    """How a consumer reads from `shards` shards."""
    served = work.changes_per_second * work.share_of(spec)
    gathered = max(POLL_SECONDS[spec.source], spec.window_seconds) * served / max(1.0, shards)
    most = largest_batch(spec, work)
    batch = min(most, max(1.0, gathered))
    # While one batch is at work the next gathers: whoever is slow gets larger ones.
    for _ in range(20):
        seconds = duration_ms(spec, batch, measured) / 1000
        batch = min(most, max(batch, served / max(1.0, shards * spec.parallelization) * seconds))
    return Reading(
        served,
        batch,
        duration_ms(spec, batch, measured),
        served / batch,
        measured.of(spec.name)[1],
    )


def freshness_ms(spec: ConsumerSpec, read: Reading) -> float:
    """What a change waits, on average: half a look and half a window, then its batch."""
    waits = POLL_SECONDS[spec.source] / 2 + spec.window_seconds / 2
    arrives = 150.0 if spec.source is not Source.STREAM else 50.0  # DynamoDB's own way
    return waits * 1000 + arrives + read.duration_ms
