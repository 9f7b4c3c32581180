"""`ConsumerSpec`: the single declaration of a consumer, as data.

Infrastructure, the local runner, the command line, dashboards and docs read it; nothing says
again what it says. It refuses, when it is made, what AWS would refuse when it is deployed.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
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
from shared.errors import InvalidFilter, InvalidSpec
from shared.filters import compile_filter
from shared.settings import Settings

_NAME = re.compile(r"[a-z][a-z0-9]{1,23}").fullmatch
_PATH = re.compile(r"[^.]+(\.[^.]+)?").fullmatch
MAX_FILTERS = 5
_WEEK = 604_800


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


@dataclass(frozen=True, slots=True, kw_only=True)
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
        """Raise InvalidSpec that lists every fault."""
        if faults := list(self._faults()):
            raise InvalidSpec(
                f"consumer {self.name!r}: " + "; ".join(faults),
                hint=f"mend SPEC in consumers/{self.name}/__init__.py",
            )

    def _faults(self) -> Iterator[str]:
        if not _NAME(self.name):
            yield "name must be 2 to 24 lower case letters and digits, a letter first"
        for name, low, high in (
            ("batch_size", 1, 10_000),
            ("window_seconds", 0, 300),
            ("retries", -1, 10_000),
            ("parallelization", 1, 10),
            ("tumbling_window_seconds", 0, 900),
            ("concurrency", 0, 1_000),
            ("memory_mb", 128, 10_240),
            ("timeout_seconds", 1, 900),
        ):
            if not low <= getattr(self, name) <= high:
                yield f"{name} must be {low} to {high}"
        if self.record_age_seconds != -1 and not 60 <= self.record_age_seconds <= _WEEK:
            yield f"record_age_seconds must be -1 (for ever) or 60 to {_WEEK}"
        if self.tumbling_window_seconds and self.parallelization > 1:
            yield "a tumbling window allows no parallelization above 1"
        yield from self._filter_faults()
        if not all(_PATH(path) for path in self.reads or ()):
            yield "reads must be names of attributes, or of a map and its member: a.b"
        known = {setting.name for setting in fields(Settings)}
        if unknown := set(self.settings) - known:
            yield f"no such settings: {', '.join(sorted(unknown))}"
        if not self.alarms:
            yield "a consumer without alarms fails unseen"
        names = [alarm.name for alarm in self.alarms] + [burn.name for burn in self.burn_rates]
        if len(names) != len(set(names)):
            yield "alarm names must differ"
        for alarm in self.alarms:
            if not 1 <= alarm.breaching <= alarm.periods or alarm.period_seconds % 60:
                yield f"alarm {alarm.name}: 1 <= breaching <= periods, whole minutes"

    def _filter_faults(self) -> Iterator[str]:
        if len(self.filters) > MAX_FILTERS:
            yield f"at most {MAX_FILTERS} filters"
        for pattern in self.filters:
            try:
                compile_filter(pattern)
            except InvalidFilter as error:
                yield f"filter {pattern}: {error}"
