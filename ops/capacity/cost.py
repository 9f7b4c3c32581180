"""What a month costs, per consumer and service. Each formula stands in docs/cost.md as well."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil

from infra.aws.stage import Sizes
from ops.capacity.measured import Measured
from ops.capacity.prices import Prices
from ops.capacity.reading import reading
from ops.capacity.shards import kinesis_shards, table_shards
from ops.capacity.workload import MONTH_SECONDS, Workload
from shared import metric_names
from shared.entities import Kind
from shared.spec import ConsumerSpec, Grant, Source

HOURS = MONTH_SECONDS / 3600
SHARED = "(all)"
_MILLION = 1e6
_GB = 1024.0**2  # in kB
_ZONES = 2
_BUSINESS_METRICS = 40  # series of consumers.metrics with a few payment methods and difficulties
_UNITS_PER_RECORD = 4.0  # keys that an order's two images name, values and leases
_LEAST_CACHE_GB = 0.1
_INDEX_FACTOR = 1.2  # of an index, over its documents
_CACHED_SHARE = 0.1  # of the orders, at any time


@dataclass(frozen=True, slots=True)
class Line:
    """One position.

    Attributes:
        consumer: whose it is; `(all)` for what they share.
        service: of AWS.
        what: is paid for.
        dollars: in a month.
        fixed: it does not depend on the changes.
    """

    consumer: str
    service: str
    what: str
    dollars: float
    fixed: bool = False


def month(
    specs: Sequence[ConsumerSpec], work: Workload, sizes: Sizes, prices: Prices, measured: Measured
) -> list[Line]:
    """All positions of a month."""
    lines = list(_shared(specs, prices))
    for spec in specs:
        lines += _lambda(spec, work, prices, measured)
        lines += _source(spec, specs, work, prices)
        lines += _watched(spec, work, prices, measured)
        for grant in spec.grants:
            lines += _sink(grant, spec, work, sizes=sizes, prices=prices, measured=measured)
    return lines


def _lambda(
    spec: ConsumerSpec, work: Workload, prices: Prices, measured: Measured
) -> Iterator[Line]:
    shards = table_shards(work) if spec.source is Source.STREAM else kinesis_shards(work)
    read = reading(spec, work, shards, measured)
    runs = read.invocations_per_second * MONTH_SECONDS
    yield Line(
        spec.name,
        "Lambda",
        "requests",
        runs / _MILLION * prices["lambda_million_requests"],
    )
    gb_seconds = runs * read.duration_ms / 1000 * spec.memory_mb / 1024
    yield Line(spec.name, "Lambda", "duration", gb_seconds * prices["lambda_gb_second"])


def _source(
    spec: ConsumerSpec, specs: Sequence[ConsumerSpec], work: Workload, prices: Prices
) -> Iterator[Line]:
    """A reader pays for what it reads, and its part of what all of its kind need."""
    if spec.source is Source.STREAM:
        return  # Lambda reads a table's stream for nothing.
    readers = sum(other.source is not Source.STREAM for other in specs)
    units = work.changes_per_month * ceil(work.item_kb)
    captures = units / _MILLION * prices["dynamodb_million_captures"]
    yield Line(spec.name, "DynamoDB", "changes into Kinesis, its part", captures / readers)
    gigabytes = work.changes_per_month * ceil(work.record_kb) / _GB
    written = gigabytes * prices["kinesis_gb_in"] / readers
    yield Line(spec.name, "Kinesis", "written, its part", written)
    fan_out = spec.source is Source.KINESIS_FANOUT
    price = prices["kinesis_gb_fan_out"] if fan_out else prices["kinesis_gb_out"]
    yield Line(spec.name, "Kinesis", "read", gigabytes * price)


def _watched(
    spec: ConsumerSpec, work: Workload, prices: Prices, measured: Measured
) -> Iterator[Line]:
    costs, _ = measured.of(spec.name)
    shards = table_shards(work) if spec.source is Source.STREAM else kinesis_shards(work)
    read = reading(spec, work, shards, measured)
    bytes_a_second = (
        read.invocations_per_second * costs.log_bytes_batch
        + read.served_per_second * costs.log_bytes_record
    )
    gigabytes = bytes_a_second * MONTH_SECONDS / 1024**3
    yield Line(spec.name, "CloudWatch", "logs", gigabytes * prices["logs_gb"])
    metrics = len(metric_names.PIPELINE_METRICS)
    if spec.name == "metrics":
        metrics += _BUSINESS_METRICS
    yield Line(spec.name, "CloudWatch", "metrics", metrics * prices["metric_month"], fixed=True)
    alarms = len(spec.alarms) + 2 * len(spec.burn_rates)
    composites = 1 + len(spec.burn_rates)
    dollars = alarms * prices["alarm_month"] + composites * prices["composite_month"]
    yield Line(spec.name, "CloudWatch", "alarms", dollars, fixed=True)
    yield Line(spec.name, "CloudWatch", "dashboard", prices["dashboard_month"], fixed=True)


def _sink(
    grant: Grant,
    spec: ConsumerSpec,
    work: Workload,
    *,
    sizes: Sizes,
    prices: Prices,
    measured: Measured,
) -> Iterator[Line]:
    served = work.changes_per_month * work.share_of(spec)
    match grant:
        case Grant.ARCHIVE_WRITE:
            read = reading(spec, work, table_shards(work), measured)
            puts = read.invocations_per_second * MONTH_SECONDS
            yield Line(spec.name, "S3", "requests", puts / 1000 * prices["s3_thousand_puts"])
            costs, _ = measured.of(spec.name)
            stored = served * costs.stored_bytes * (work.item_kb / 2) / 1024**3
            # A month's changes, kept for a year: three months warm, nine cold.
            year = stored * (3 * prices["s3_gb_month"] + 9 * prices["s3_cold_gb_month"])
            yield Line(spec.name, "S3", "a month's changes, kept for a year", year)
        case Grant.TOTALS_WRITE:
            scores = work.changes_per_month * work.shares.get(Kind.SCORE, 0)
            units = scores * (2 + 2 / work.fold)
            writes = prices["dynamodb_million_writes"]
            yield Line(spec.name, "DynamoDB", "ledger and totals", units / _MILLION * writes)
            index = scores / work.fold * 2  # the leaderboard's entry is moved
            yield Line(spec.name, "DynamoDB", "leaderboard", index / _MILLION * writes)
        case Grant.CACHE_CONNECT:
            units = served * _UNITS_PER_RECORD / _MILLION * prices["cache_million_units"]
            yield Line(spec.name, "ElastiCache", "invalidations", units)
            stored = work.stored_orders * _CACHED_SHARE * work.item_kb / _GB
            held = max(_LEAST_CACHE_GB, stored) * HOURS * prices["cache_gb_hour"]
            yield Line(spec.name, "ElastiCache", "data held", held, fixed=True)
        case Grant.SEARCH_WRITE:
            yield from _domain(spec, work, sizes, prices)


def _domain(spec: ConsumerSpec, work: Workload, sizes: Sizes, prices: Prices) -> Iterator[Line]:
    nodes = sizes.search_nodes * prices[f"search_hour:{sizes.search_instance}"]
    masters = sizes.search_masters * prices["search_hour:m7g.medium.search"]
    yield Line(spec.name, "OpenSearch", "nodes", (nodes + masters) * HOURS, fixed=True)
    needed = work.stored_orders * work.item_kb * _INDEX_FACTOR * sizes.search_nodes / _GB
    gigabytes = max(sizes.search_storage_gb * sizes.search_nodes, needed)
    yield Line(
        spec.name, "OpenSearch", "storage", gigabytes * prices["search_gb_month"], fixed=True
    )


def _shared(specs: Sequence[ConsumerSpec], prices: Prices) -> Iterator[Line]:
    if any(spec.source is not Source.STREAM for spec in specs):
        hours = prices["kinesis_stream_hour"] * HOURS
        yield Line(SHARED, "Kinesis", "the stream itself", hours, fixed=True)
    if any(grant in spec.grants for spec in specs for grant in _IN_A_VPC):
        endpoint = prices["endpoint_hour"] * HOURS * _ZONES
        yield Line(SHARED, "VPC", "endpoint for SQS", endpoint, fixed=True)
    yield Line(SHARED, "KMS", "key", prices["kms_key_month"], fixed=True)
    yield Line(
        SHARED,
        "CloudWatch",
        "dashboards: overview, business",
        2 * prices["dashboard_month"],
        fixed=True,
    )


_IN_A_VPC = (Grant.CACHE_CONNECT, Grant.SEARCH_WRITE)
