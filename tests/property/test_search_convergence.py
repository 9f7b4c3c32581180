"""Whatever the order, the cut and the repetition of deliveries: the index holds the newest state.

The model is the history itself: what the last delivered change left behind.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from consumers.search.connection import Connection
from consumers.search.document import order_document
from consumers.search.setup import ensure_index
from consumers.search.sink import SearchSink
from shared.entities import ORDER_STATUSES
from tests.support.records import order, raw_image
from tests.support.search import ask_server, operation_of, search_server, wipe, write

__all__ = ["search_server"]

names = count()  # each example has orders of its own


@pytest.fixture(scope="module")
def url(search_server: str) -> str:
    wipe(search_server)
    ensure_index(search_server)
    return search_server


@pytest.fixture(scope="module")
def sink(url: str) -> Iterator[SearchSink]:
    connection = Connection(url)
    yield SearchSink(connection)
    connection.close()


@st.composite
def histories(draw: st.DrawFn) -> list[list[dict[str, Any] | None]]:
    """The states of one to three orders, version by version; a removed one ends with None."""
    lives = []
    for _ in range(draw(st.integers(1, 3))):
        name = f"order-{next(names)}"
        statuses = draw(st.lists(st.sampled_from(ORDER_STATUSES), min_size=1, max_size=5))
        states: list[dict[str, Any] | None] = [
            order(name, version=version, status=status)
            for version, status in enumerate(statuses, start=1)
        ]
        lives.append([*states, None] if draw(st.booleans()) else states)
    return lives


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lives=histories(), data=st.data())
def test_the_newest_state_wins_however_it_is_delivered(
    url: str, sink: SearchSink, lives: list[list[dict[str, Any] | None]], data: st.DataObject
) -> None:
    changes = [
        operation_of(old, new)
        for states in lives
        for old, new in zip([None, *states], states, strict=False)
    ]
    # Each change at least once, some again, in any order, cut into batches anywhere.
    repeats = data.draw(st.lists(st.sampled_from(changes), max_size=6))
    delivered = data.draw(st.permutations([*changes, *repeats]))
    cuts = sorted(data.draw(st.sets(st.integers(1, len(delivered)), max_size=3)))
    for start, end in zip([0, *cuts], [*cuts, len(delivered)], strict=True):
        result = write(sink, *delivered[start:end])
        assert not result.rejected
        assert not result.unavailable

    for states in lives:
        first, last = states[0], states[-1]
        assert first is not None
        name = first["orderId"]
        found = ask_server(url, "GET", f"/orders-write/_doc/{name}")
        assert found["_version"] == len(states)
        if last is None:
            assert found["_source"]["deleted"] is True
        else:
            assert found["_source"] == orjson.loads(order_document(name, raw_image(last)))
