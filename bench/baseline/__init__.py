"""What a competent engineer writes without Fanout: the handlers that the benchmarks compare with.

Each uses Powertools' BatchProcessor for partial failures, boto3's TypeDeserializer for images,
and one batched call per batch to its destination. They do the same work as the consumers, and
tests show that they leave the same result. Nothing in them is slowed on purpose; where there was a
choice, the faster of the usual ways was taken, and the docstring says so. What they lack of the
consumers' promises (parking, leases, replays and so on) is not counted against them.

`naive` writes once per record, for show.
"""
