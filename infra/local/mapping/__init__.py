"""The event source mapping: from a table's stream to invocations, true to AWS.

One consumer's way, from the outside in:

```
mapping.Mappings        threads: one per consumer and shard
consumer.ConsumerReader which shards may be read: parents before children
reader.ShardReader      one shard as a state machine: read, batch, invoke, retry, checkpoint
delivery                what a response means; batches; pauses
```
"""
