"""Alarms as data: what a consumer is paged for, in AWS and on one machine alike.

Named tuples, since every handler carries its SPEC: a frozen dataclass takes seven times as long
to make when it is imported.
"""

from enum import StrEnum
from typing import NamedTuple


class Missing(StrEnum):
    """What an alarm makes of periods without data (CloudWatch's own words)."""

    BREACHING = "breaching"
    NOT_BREACHING = "notBreaching"
    IGNORE = "ignore"
    MISSING = "missing"


class Signal(StrEnum):
    """Where an alarm's numbers come from; each runner knows how to get them."""

    PIPELINE_METRIC = "pipeline metric"  # one of shared.metric_names, by consumer
    FUNCTION_ERRORS = "function errors"  # AWS/Lambda Errors
    FUNCTION_THROTTLES = "function throttles"  # AWS/Lambda Throttles
    ITERATOR_AGE = "iterator age"  # AWS/Lambda IteratorAge, milliseconds
    QUEUE_DEPTH = "queue depth"  # AWS/SQS visible messages of the consumer's queue
    RECORDS_DROPPED = "records dropped"  # event source mapping DroppedEventCount


class Alarm(NamedTuple):
    """Fires when the statistic is over `threshold` in `breaching` of `periods` periods.

    Attributes:
        name: short, unique within the consumer; also the runbook's anchor.
        signal: where the numbers come from.
        metric: the pipeline metric's name; empty for other signals.
        statistic: CloudWatch's name, such as Sum, Maximum or SampleCount.
        threshold: fires above it; or below it where `below` is set.
        period_seconds: 60, or a multiple.
        periods: N of "M out of N".
        breaching: M of "M out of N".
        missing: what periods without data mean; chosen on purpose for each alarm.
        meaning: one sentence for the person who is paged.
        below: fires under the threshold instead.
    """

    name: str
    signal: Signal
    statistic: str
    threshold: float
    meaning: str
    metric: str = ""
    period_seconds: int = 60
    periods: int = 1
    breaching: int = 1
    missing: Missing = Missing.NOT_BREACHING
    below: bool = False


class BurnRate(NamedTuple):
    """Fires when the freshness objective's error budget burns `rate` times too fast.

    Both windows must agree: the long one says that it matters, the short one that it still
    goes on. Figures from Google's SRE workbook, chapter 5: 14.4 over 1 h and 5 min (2 % of a
    30-day budget in an hour), 6 over 6 h and 30 min (5 % in six hours).
    """

    name: str
    rate: float
    long_seconds: int
    short_seconds: int
    meaning: str


class FreshnessObjective(NamedTuple):
    """`target` of all heartbeats take effect within `within_ms` milliseconds."""

    within_ms: int
    target: float = 0.99


FAST_BURN = BurnRate(
    "freshness-fast-burn",
    14.4,
    3600,
    300,
    "Changes reach the destination far too late, right now; the month's budget is gone in 2 days.",
)
SLOW_BURN = BurnRate(
    "freshness-slow-burn",
    6.0,
    21600,
    1800,
    "Changes have been reaching the destination too late for hours.",
)
