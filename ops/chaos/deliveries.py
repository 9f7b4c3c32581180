"""Batches delivered again beside the live ones, as they were or cut anew.

The records are the stream's own, read a second time. Where a consumer reads the table's stream,
the order of each item's changes is kept, as over any resharding; where it reads Kinesis, any two
records near each other may change places, and any may come twice.
"""

import random
from collections.abc import Iterator, Sequence

from infra.local.mapping.config import MappingConfig
from infra.local.mapping.kinesis import KinesisStream
from infra.local.mapping.lambda_records import lambda_event
from infra.local.mapping.source import TRIM_HORIZON, Cursor, Entry, Stream
from infra.local.mapping.streams import DynamoStream
from infra.local.pipeline import Pipeline
from shared.spec import ConsumerSpec, Source

_KEPT = 2_000
_READ = 1_000
_LARGEST_WINDOW = 300
_MOST_INVOCATIONS = 8
_NEAR = 16
_REPEATED = 0.2


class Deliveries:
    """Delivers records again. Used by one thread."""

    def __init__(self, specs: Sequence[ConsumerSpec], pipeline: Pipeline) -> None:
        """Nothing is read yet."""
        self._pipeline = pipeline
        self._specs = {spec.name: spec for spec in specs}
        arn = pipeline.deployment.stream_arn
        self._captures = {
            spec.name: _Capture(
                MappingConfig.of(spec, ""),
                DynamoStream(arn)
                if spec.source is Source.STREAM
                else KinesisStream(DynamoStream(arn)),
            )
            for spec in specs
        }

    def repeat(self, consumer: str, rng: random.Random) -> int:
        """Deliver batches again, each up to three times; returns how many invocations."""
        window = self._window(consumer, rng)
        batches = [
            batch
            for batch in _cut(window, rng, self._specs[consumer].batch_size, even=True)
            for _ in range(rng.randint(1, 3))
        ]
        return self._deliver(consumer, batches)

    def recut(self, consumer: str, rng: random.Random) -> int:
        """Deliver records again in other batches and another order."""
        window = self._window(consumer, rng)
        if self._specs[consumer].source is Source.STREAM:
            ordered = interleaved(window, rng)
        else:
            ordered = disordered(window, rng)
        batches = list(_cut(ordered, rng, self._specs[consumer].batch_size, even=False))
        return self._deliver(consumer, batches)

    def _window(self, consumer: str, rng: random.Random) -> Sequence[Entry]:
        """Records that came one after the other: half of the time the latest."""
        entries = self._captures[consumer].read()
        size = min(len(entries), rng.randint(1, _LARGEST_WINDOW))
        end = len(entries) if rng.random() < 0.5 else rng.randint(size, len(entries))
        return entries[end - size : end]

    def _deliver(self, consumer: str, batches: Sequence[Sequence[Entry]]) -> int:
        function = self._pipeline.function(consumer)
        for batch in batches[:_MOST_INVOCATIONS]:
            # What it answers is nobody's business: the live delivery vouches for these records.
            function.invoke(lambda_event([entry.encoded for entry in batch]))
        return min(len(batches), _MOST_INVOCATIONS)


class _Capture:
    """The latest records of a stream that pass a consumer's filter, in the stream's order."""

    def __init__(self, config: MappingConfig, stream: Stream) -> None:
        self._config, self._stream = config, stream
        self._cursors: dict[str, Cursor] = {}
        self._entries: list[Entry] = []

    def read(self) -> Sequence[Entry]:
        """Read on to the end of the stream. Raises Retryable if it does not answer."""
        for shard in self._stream.shards():
            if shard.shard_id not in self._cursors:
                self._cursors[shard.shard_id] = self._stream.open(shard.shard_id, TRIM_HORIZON)
            cursor = self._cursors[shard.shard_id]
            while (page := cursor.read(_READ)).entries:
                matches = self._config.filter.matches
                self._entries += [entry for entry in page.entries if matches(entry.view)]
        del self._entries[:-_KEPT]
        return self._entries


def _cut(
    entries: Sequence[Entry], rng: random.Random, batch_size: int, *, even: bool
) -> Iterator[Sequence[Entry]]:
    place = 0
    while place < len(entries):
        size = batch_size if even else rng.randint(1, batch_size)
        yield entries[place : place + size]
        place += size


def interleaved(entries: Sequence[Entry], rng: random.Random) -> Sequence[Entry]:
    """Another order of the same, in which each item's changes keep theirs."""
    shards: list[list[Entry]] = [[] for _ in range(rng.randint(2, 5))]
    for entry in entries:
        keys = entry.view["dynamodb"]["Keys"]
        shards[random.Random(f"{keys}").randrange(len(shards))].append(entry)
    ordered: list[Entry] = []
    places = [0] * len(shards)
    while left := [n for n, shard in enumerate(shards) if places[n] < len(shard)]:
        chosen = rng.choice(left)
        ordered.append(shards[chosen][places[chosen]])
        places[chosen] += 1
    return ordered


def disordered(entries: Sequence[Entry], rng: random.Random) -> Sequence[Entry]:
    """Another order of the same, with repeats, in which nothing strays far."""
    drawn = list(entries)
    drawn += [entry for entry in entries if rng.random() < _REPEATED]
    places = {id(entry): place for place, entry in enumerate(entries)}
    return sorted(drawn, key=lambda entry: places[id(entry)] + rng.uniform(0, _NEAR))
