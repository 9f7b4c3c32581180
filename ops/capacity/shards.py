"""How many shards changes need: of the Kinesis stream, and of the table's own stream."""

from math import ceil

from ops.capacity.workload import Workload

# What a shard takes and gives (Kinesis quotas), and a table's partition (DynamoDB guide).
SHARD_RECORDS = 1_000
SHARD_KB_IN = 1024
SHARD_KB_OUT = 2048
PARTITION_WRITES = 1_000


def kinesis_shards(work: Workload, shared_readers: int = 0) -> int:
    """Shards that take the changes, and let `shared_readers` read all of them."""
    kilobytes = work.changes_per_second * work.record_kb
    return max(
        1,
        ceil(work.changes_per_second / SHARD_RECORDS),
        ceil(kilobytes / SHARD_KB_IN),
        ceil(kilobytes * shared_readers / SHARD_KB_OUT),
    )


def table_shards(work: Workload) -> int:
    """Shards of the table's stream: one a partition, of which DynamoDB makes what writes need.

    It makes more when it expects more; never fewer.
    """
    return max(1, ceil(work.changes_per_second * ceil(work.item_kb) / PARTITION_WRITES))
