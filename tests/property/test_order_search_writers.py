"""Two writers of the same orders, in every interleaving, one of them dying anywhere.

Systematic: as after a shard moved, or during a redrive, an old worker and a new one both deliver
changes of the same documents. Every order in which their requests can reach the server is
played; and for each point at which the first may die, before its request or after it (written,
but never answered), its batch is delivered again from the start. After each request no document
may be older than it was; at the end each is at its newest, removed ones included.

That this can fail is shown with the versions taken out of the requests.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count
from typing import Any

import pytest

from consumers.search import bulk
from consumers.search.connection import Connection
from consumers.search.projection import Operation
from consumers.search.sink import SearchSink
from tests.support.records import order
from tests.support.search import ask_server, operation_of, search_server, search_url, write

__all__ = ["search_server", "search_url"]

Step = tuple[str, int]
"""A document, `a` or `b`, and the version of it that is written."""
Request = tuple[int, Step]
LAST = {"a": 2, "b": 2}  # b's second version is its removal
# One request a change: the finest that two writers can be mixed.
OLD_WORKER: tuple[Step, ...] = (("a", 1), ("b", 1), ("a", 2), ("b", 2))
SECOND_WRITERS: dict[str, tuple[Step, ...]] = {
    "ahead": (("b", 2), ("a", 2)),
    "behind": (("b", 1), ("a", 1)),
}
names = count()


def deaths(steps: tuple[Step, ...]) -> Iterator[tuple[Step, ...]]:
    """What reaches the server if the writer does not die, or dies once and delivers again.

    Before request n or after request n - 1 is the same to the server: n requests came.
    """
    yield steps
    for came in range(1, len(steps) + 1):
        yield (*steps[:came], *steps)


def interleavings(one: Sequence[Step], other: Sequence[Step]) -> Iterator[list[Request]]:
    """Every order of both that keeps each one's own."""
    if not one or not other:
        yield [(0, step) for step in one] + [(1, step) for step in other]
        return
    for rest in interleavings(one[1:], other):
        yield [(0, one[0]), *rest]
    for rest in interleavings(one, other[1:]):
        yield [(1, other[0]), *rest]


def operations(play: int) -> dict[Step, Operation]:
    """What each step writes; every play has documents of its own."""

    def state(document: str, version: int) -> dict[str, Any]:
        status = "VALIDATED" if version == 1 else "SHIPPED"
        return order(f"{document}-{play}", version=version, status=status)

    a, b = state("a", 1), state("b", 1)
    return {
        ("a", 1): operation_of(None, a),
        ("a", 2): operation_of(a, state("a", 2)),
        ("b", 1): operation_of(None, b),
        ("b", 2): operation_of(b, None),
    }


class Documents:
    """The two documents of one play."""

    def __init__(self, url: str, sinks: Sequence[SearchSink]) -> None:
        self._url, self._sinks = url, sinks
        self._play = next(names)
        self._operations = operations(self._play)
        self._seen = dict.fromkeys(LAST, 0)

    def play(self, requests: Sequence[Request]) -> str:
        """Send the requests in this order; returns what went wrong, or ""."""
        for writer, step in requests:
            result = write(self._sinks[writer], self._operations[step])
            assert not result.rejected
            assert not result.unavailable
            document, sent = step
            now = self._version(document)
            if now < max(self._seen[document], sent):
                return f"{document} is at {now} after {step}, and was at {self._seen[document]}"
            self._seen[document] = now
        wrong = {name: seen for name, seen in self._seen.items() if seen != LAST[name]}
        return f"the last versions are {wrong}" if wrong else ""

    def _version(self, document: str) -> int:
        """What the document's content says, not what the server numbers it."""
        found = ask_server(self._url, "GET", f"/orders-write/_doc/{document}-{self._play}")
        source = found["_source"]
        return 1 if source.get("status") == "VALIDATED" else 2


@pytest.fixture
def sinks(search_url: str) -> Iterator[list[SearchSink]]:
    connections = [Connection(search_url), Connection(search_url)]
    yield [SearchSink(connection) for connection in connections]
    for connection in connections:
        connection.close()


@pytest.mark.parametrize("second", SECOND_WRITERS)
def test_no_interleaving_takes_a_document_back(
    search_url: str, sinks: list[SearchSink], second: str
) -> None:
    played = 0
    for steps in deaths(OLD_WORKER):
        for requests in interleavings(steps, SECOND_WRITERS[second]):
            wrong = Documents(search_url, sinks).play(requests)
            assert not wrong, (requests, wrong)
            played += 1
    # Four requests among two; and after a death five to eight: 10 choose 2 orders at most.
    assert played == 15 + 21 + 28 + 36 + 45


def test_without_versions_a_document_goes_back(
    search_url: str, sinks: list[SearchSink], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The proof that the test above looks."""

    def unversioned(operations: Sequence[Operation], indexes: Sequence[int]) -> bytes:
        return b"".join(
            b'{"index":{"_id":"%b"}}\n%b\n'
            % (operations[index].id.encode(), operations[index].document)
            for index in indexes
        )

    monkeypatch.setattr(bulk, "body", unversioned)
    for second, steps in SECOND_WRITERS.items():
        orders = list(interleavings(OLD_WORKER, steps))
        wrong = [requests for requests in orders if Documents(search_url, sinks).play(requests)]
        assert wrong, second
        assert len(wrong) < len(orders), second
