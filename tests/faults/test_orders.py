"""Batches cut anew: what the sources allow, and no more."""

import random
from collections.abc import Sequence

from infra.local.mapping.lambda_records import StreamEntry
from infra.local.mapping.source import Entry
from ops.chaos.deliveries import disordered, interleaved
from tests.support.records import STREAM_ARN, order, stream_record


def entries(items: int, changes: int) -> list[Entry]:
    return [
        StreamEntry(
            stream_record(None, order(f"o-{number % items}"), sequence=number + 1), STREAM_ARN
        )
        for number in range(items * changes)
    ]


def histories(found: Sequence[Entry]) -> dict[str, list[int]]:
    by_item: dict[str, list[int]] = {}
    for entry in found:
        key = entry.view["dynamodb"]["Keys"]["PK"]["S"]
        by_item.setdefault(key, []).append(int(entry.sequence_number))
    return by_item


def test_a_stream_keeps_each_items_order() -> None:
    window = entries(items=20, changes=8)
    other_orders = 0
    for seed in range(30):
        found = interleaved(window, random.Random(seed))
        assert histories(found) == histories(window)
        other_orders += found != window
    assert other_orders == 30


def test_kinesis_loses_nothing_repeats_some_and_reorders() -> None:
    window = entries(items=5, changes=20)
    found = disordered(window, random.Random(1))
    assert {id(entry) for entry in found} == {id(entry) for entry in window}
    assert len(found) > len(window)
    assert histories(found) != histories(window)
    numbers = [int(entry.sequence_number) for entry in found]
    for place, number in enumerate(numbers):
        assert all(later > number - 17 for later in numbers[place:]), "nothing strays far"
