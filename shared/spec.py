"""`ConsumerSpec`: the single declaration of a consumer, as data.

Infrastructure, the local runner, the command line, dashboards and docs read it; nothing says
again what it says. It refuses, when it is made, what AWS would refuse when it is deployed.

A function's own process makes its SPEC again at each cold start. There it is not looked at once
more: who made the function, `make synth` or the local runner, had it from the registry.
"""

from dataclasses import dataclass, field
from enum import StrEnum

from shared import metric_names
from shared.alarms import (
    FAST_BURN,
    SLOW_BURN,
    Alarm,
    BurnRate,
    FreshnessObjective,
    Missing,
    Signal,
)
from shared.errors import InvalidSpec
from shared.settings import in_lambda


class Source(StrEnum):
    """Where the records come from (DESIGN §8)."""

    STREAM = "stream"  # the table's own stream: two readers at most
    KINESIS = "kinesis"  # Kinesis, sharing its read throughput
    KINESIS_FANOUT = "kinesis-fan-out"  # Kinesis with enhanced fan-out


class Grant(StrEnum):
    """What a consumer's role may do; each names one resource and the narrowest rights."""

    ARCHIVE_WRITE = "put objects under the archive's prefix"
    TOTALS_WRITE = "update totals in the table, write the ledger"
    CACHE_CONNECT = "reach the cache"
    SEARCH_WRITE = "write to the order index"


def _default_alarms() -> tuple[Alarm, ...]:
    return (
        Alarm(
            "heartbeat-missing",
            Signal.PIPELINE_METRIC,
            "SampleCount",
            1,
            "No heartbeat has come through: the consumer is dead, or its destination is.",
            metric=metric_names.FRESHNESS.name,
            periods=5,
            breaching=5,
            missing=Missing.BREACHING,
            below=True,
        ),
        Alarm(
            "errors",
            Signal.FUNCTION_ERRORS,
            "Sum",
            0,
            "The function fails as a whole: settings, permissions or code, not a single record.",
            periods=3,
            breaching=2,
        ),
        Alarm(
            "throttles",
            Signal.FUNCTION_THROTTLES,
            "Sum",
            0,
            "Lambda has no room to run the function: raise its concurrency.",
            periods=5,
            breaching=3,
        ),
        Alarm(
            "dlq-not-empty",
            Signal.QUEUE_DEPTH,
            "Maximum",
            0,
            "Records are parked that this consumer could not use: read them, mend, redrive.",
            # An SQS queue that nobody uses reports nothing after six hours.
            missing=Missing.IGNORE,
        ),
        Alarm(
            "records-dropped",
            Signal.RECORDS_DROPPED,
            "Sum",
            0,
            "Lambda gave up on records and sent them to the on-failure destination: redrive.",
        ),
        Alarm(
            "iterator-age",
            Signal.ITERATOR_AGE,
            "Maximum",
            6 * 3600 * 1000,
            "The consumer is six hours behind; the stream forgets after 24.",
            periods=3,
            breaching=3,
        ),
    )


# Without slots, which make the class a second time.
@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class ConsumerSpec:
    """One consumer.

    Attributes:
        name: lower case letters and digits; the folder's name and every resource's part.
        purpose: one line for people.
        destination: what it writes to, for people.
        source: where its records come from.
        filters: Lambda filter patterns over a stream record, one of which must match; written
            for the stream, also where the source is Kinesis (the runner wraps them).
        reads: the attributes of an image that its projection reads, `a.b` for a member of a map;
            None for all. From Kinesis nothing else is decoded: what is not named here is not there.
        reads_old: the same of the image before the change, where that is less than `reads`.
        settings: the fields of `Settings` that it cannot do without.
        grants: what its role may do.
        freshness: its objective.
        alarms, burn_rates: what it is paged for.
        batch_size: records per invocation, at most.
        window_seconds: how long Lambda waits to fill a batch.
        retries: of a failing batch before it goes to the on-failure destination; -1 for as often
            as it takes: an outage delays, it never drops.
        record_age_seconds: after which a record goes there untried; -1 for never.
        parallelization: concurrent batches per shard (order holds per item).
        tumbling_window_seconds: 0 for none.
        concurrency: reserved concurrency; 0 for none.
        memory_mb, timeout_seconds: of the function.
    """

    name: str
    purpose: str
    destination: str
    source: Source
    filters: tuple[str, ...] = ()
    reads: tuple[str, ...] | None = None
    reads_old: tuple[str, ...] | None = None
    settings: tuple[str, ...] = ()
    grants: tuple[Grant, ...] = ()
    freshness: FreshnessObjective = FreshnessObjective(within_ms=5_000)
    alarms: tuple[Alarm, ...] = field(default_factory=_default_alarms)
    burn_rates: tuple[BurnRate, ...] = (FAST_BURN, SLOW_BURN)
    batch_size: int = 1_000
    window_seconds: int = 0
    retries: int = -1
    record_age_seconds: int = -1
    parallelization: int = 1
    tumbling_window_seconds: int = 0
    concurrency: int = 0
    memory_mb: int = 512
    timeout_seconds: int = 60

    def __post_init__(self) -> None:
        """Raise InvalidSpec that lists every fault; in a function's process look at none."""
        if in_lambda():
            return
        from shared.spec_rules import faults_of

        if faults := list(faults_of(self)):
            raise InvalidSpec(
                f"consumer {self.name!r}: " + "; ".join(faults),
                hint=f"mend SPEC in consumers/{self.name}/__init__.py",
            )
