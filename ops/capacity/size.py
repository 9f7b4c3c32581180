"""How large a pipeline has to be for a rate of changes, and which quota of AWS ends it first."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import ceil

from ops.capacity.measured import Measured
from ops.capacity.reading import Reading, freshness_ms, largest_batch, reading
from ops.capacity.shards import kinesis_shards, table_shards
from ops.capacity.workload import Workload
from shared.spec import ConsumerSpec, Grant, Source

MOST_PARALLEL = 10
# A consumer busier than this cannot catch up after an outage.
MOST_BUSY = 0.5
# Documents of 2 kB that a data node of two cores indexes in a second, replica included: an
# assumption on the careful side; measure yours.
DOCUMENTS_PER_NODE = 4_000
_SHARD_GB = 30
_NODE_GB = 400
_INDEX_FACTOR = 1.2
_KB_PER_GB = 1024.0**2
_FRESHNESS_SHARE = 0.25  # of the objective that a window may take


@dataclass(frozen=True, slots=True)
class ConsumerSize:
    """What a consumer should be set to, and what comes of it.

    Attributes:
        name: of the consumer.
        spec: its SPEC with the values that this rate asks for.
        read: how it reads then.
        shards: of its source.
        busy: share of the time in which its functions work, all shards and places counted.
        freshness_ms: expected, on average.
        meets: its objective.
    """

    name: str
    spec: ConsumerSpec
    read: Reading
    shards: int
    busy: float
    freshness_ms: float
    meets: bool


@dataclass(frozen=True, slots=True)
class Quota:
    """A limit of AWS, and how much of it is used."""

    name: str
    needed: float
    limit: float
    remedy: str

    @property
    def used(self) -> float:
        """1 is all of it."""
        return self.needed / self.limit


@dataclass(frozen=True, slots=True)
class Plan:
    """The whole pipeline at one rate. `quotas`: the most used first."""

    kinesis_shards: int
    table_shards: int
    search_nodes: int
    search_shards: int
    consumers: tuple[ConsumerSize, ...]
    quotas: tuple[Quota, ...]


def plan(specs: Sequence[ConsumerSpec], work: Workload, measured: Measured) -> Plan:
    """Size everything for `work`."""
    shared = sum(spec.source is Source.KINESIS for spec in specs)
    kinesis = any(spec.source is not Source.STREAM for spec in specs)
    shards = kinesis_shards(work, shared) if kinesis else 0
    partitions = table_shards(work)
    if shards:
        # More shards where ten batches at once on each are not enough for a consumer.
        for spec in specs:
            if spec.source is not Source.STREAM:
                shards = max(shards, _shards_for(spec, work, shards, measured))
    sized = tuple(
        _size(spec, work, partitions if spec.source is Source.STREAM else shards, measured)
        for spec in specs
    )
    documents = sum(
        work.changes_per_second * work.share_of(spec)
        for spec in specs
        if Grant.SEARCH_WRITE in spec.grants
    )
    stored = work.stored_orders * work.item_kb * _INDEX_FACTOR / _KB_PER_GB
    nodes = max(2, ceil(documents / DOCUMENTS_PER_NODE), ceil(2 * stored / _NODE_GB))
    primaries = max(1, ceil(stored / _SHARD_GB), ceil(documents / DOCUMENTS_PER_NODE))
    # What grows with the load, without the two nodes that there are at least.
    busy_nodes = max(documents / DOCUMENTS_PER_NODE, 2 * stored / _NODE_GB)
    quotas = sorted(_quotas(work, shards, sized, busy_nodes), key=lambda quota: -quota.used)
    return Plan(shards, partitions, nodes, primaries, sized, tuple(quotas))


def _shards_for(spec: ConsumerSpec, work: Workload, shards: int, measured: Measured) -> int:
    read = reading(replace(spec, parallelization=MOST_PARALLEL), work, shards, measured)
    return ceil(read.concurrency / MOST_BUSY / MOST_PARALLEL)


def _size(spec: ConsumerSpec, work: Workload, shards: int, measured: Measured) -> ConsumerSize:
    """Raise parallelization until it has room; else a window, as far as freshness allows."""
    size = _with(spec, work, shards, measured, parallel=1)
    for parallel in range(2, MOST_PARALLEL + 1):
        if size.busy <= MOST_BUSY:
            break
        size = _with(spec, work, shards, measured, parallel=parallel)
    window = int(spec.freshness.within_ms / 1000 * _FRESHNESS_SHARE)
    if window and size.read.batch < min(10.0, largest_batch(spec, work)):
        windowed = _with(spec, work, shards, measured, parallel=1, window=window)
        if windowed.meets and windowed.busy <= MOST_BUSY:
            return windowed
    return size


def _with(
    spec: ConsumerSpec,
    work: Workload,
    shards: int,
    measured: Measured,
    *,
    parallel: int,
    window: int = 0,
) -> ConsumerSize:
    # A tumbling window allows no parallelization; nobody here has one.
    chosen = replace(
        spec,
        parallelization=1 if spec.tumbling_window_seconds else parallel,
        window_seconds=window,
    )
    read = reading(chosen, work, shards, measured)
    busy = read.concurrency / (shards * chosen.parallelization)
    fresh = freshness_ms(chosen, read)
    if busy >= 1:
        fresh = float("inf")
    return ConsumerSize(
        spec.name, chosen, read, shards, busy, fresh, fresh <= spec.freshness.within_ms
    )


def _quotas(
    work: Workload, shards: int, sized: Sequence[ConsumerSize], nodes: float
) -> Iterator[Quota]:
    """Defaults of an account in a large region; most are raised on request."""
    writes = work.changes_per_second * ceil(work.item_kb)
    ask = "ask for more in Service Quotas"
    yield Quota("DynamoDB: write units of a table, on demand", writes, 40_000, ask)
    concurrency = sum(size.read.concurrency / MOST_BUSY for size in sized)
    yield Quota("Lambda: functions at once", concurrency, 1_000, f"{ask}; reserve each its own")
    if shards:
        megabytes = work.changes_per_second * work.record_kb / 1024
        yield Quota(
            "Kinesis: MB/s into a stream, on demand",
            megabytes,
            200,
            "ask for 1 GB/s, or make the stream provisioned, with the shards named above",
        )
        yield Quota("Kinesis: shards of an account", shards, 20_000, ask)
    yield Quota(
        "OpenSearch: data nodes of a domain",
        nodes,
        80,
        "ask for up to 1,002, or split the index by time or customer over several domains",
    )
    stream = [size for size in sized if size.spec.source is Source.STREAM]
    for size in stream:
        yield Quota(
            f"{size.name}: batches at once on the table's stream",
            size.read.concurrency / MOST_BUSY,
            size.shards * MOST_PARALLEL,
            "raise its memory; or set source=Source.KINESIS, whose shards you choose",
        )
