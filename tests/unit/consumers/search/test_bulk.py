"""What is sent: the newest of each document, in requests of bounded size."""

from __future__ import annotations

import orjson
import pytest

from consumers.search import bulk
from consumers.search.projection import Operation


def operation(name: str, version: int, document: bytes = b"{}", own: bool = True) -> Operation:
    return Operation(name, version, own, document)


@pytest.mark.parametrize(
    ("history", "chosen"),
    [
        ([], []),
        ([("a", 1), ("b", 1)], [0, 1]),
        ([("a", 1), ("a", 2), ("a", 3)], [2]),
        ([("a", 3), ("a", 1), ("a", 2)], [0]),
        # Documents keep the order in which they first appear.
        ([("a", 1), ("b", 7), ("a", 2), ("b", 6)], [2, 1]),
        # Of equal versions the later one: a repeat, or two changes within one tick of a time.
        ([("a", 5), ("a", 5)], [1]),
    ],
)
def test_the_newest_of_each_document(history: list[tuple[str, int]], chosen: list[int]) -> None:
    operations = [operation(*step) for step in history]
    assert bulk.newest(operations, range(len(operations))) == chosen


def test_only_the_operations_that_are_asked_about_count() -> None:
    operations = [operation("a", version) for version in (3, 1, 2)]
    assert bulk.newest(operations, [1, 2]) == [2]


def test_a_chunk_is_bounded_in_bytes() -> None:
    third = b"x" * (bulk.MAX_BYTES // 3)
    operations = [operation(str(number), 1, third) for number in range(7)]
    assert list(bulk.chunks(operations, range(7))) == [[0, 1, 2], [3, 4, 5], [6]]


def test_a_chunk_is_bounded_in_number() -> None:
    operations = [operation("a", 1)] * (bulk.MAX_OPERATIONS + 1)
    lengths = [len(chunk) for chunk in bulk.chunks(operations, range(len(operations)))]
    assert lengths == [bulk.MAX_OPERATIONS, 1]


def test_what_is_too_long_for_any_chunk_goes_alone() -> None:
    sizes = (1, bulk.MAX_BYTES + 1, 1)
    operations = [operation(str(size), 1, b"x" * size) for size in sizes]
    assert list(bulk.chunks(operations, range(3))) == [[0], [1], [2]]


def test_nothing_makes_no_request() -> None:
    assert list(bulk.chunks([], [])) == []


def test_the_body_is_two_lines_an_operation() -> None:
    operations = [
        operation('o-"1"\n\\é', 3, b'{"orderId":"x"}'),
        operation("left out", 1),
        operation("o-2", 1_760_000_000_000_000, own=False),
    ]
    body = bulk.body(operations, [0, 2])
    assert body.endswith(b"\n")
    assert [orjson.loads(line) for line in body.splitlines()] == [
        {"index": {"_id": 'o-"1"\n\\é', "version": 3, "version_type": "external"}},
        {"orderId": "x"},
        {"index": {"_id": "o-2", "version": 1_760_000_000_000_000, "version_type": "external_gte"}},
        {},
    ]
