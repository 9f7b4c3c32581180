"""Totals under any cut, repetition and order of a history: the exact sum, at every moment sound."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from infra.local.servers import LocalServers
from tests.support import totals as support
from tests.support.records import Raw
from tests.support.servers import client
from tests.support.totals import Game, Tables, without_zeros
from tests.support.transaction_faults import Breaking, Killed

EXAMPLES = 40

scores = st.sampled_from(["s-1", "s-2", "s-3"])
users = st.sampled_from(["ann", "bob"])
# As text: Decimal arithmetic would round. Sums of a history stay within 38 digits.
values = st.builds(
    lambda number, scale: Decimal(f"{number}E{scale}"),
    st.integers(-(10**30), 10**30),
    st.integers(-6, 0),
)
moves_of_many = st.tuples(scores, users, st.one_of(values, st.none()))
# One score that often comes back to a value it had: old news that looks like the present.
moves_of_one = st.tuples(st.just("s-1"), st.just("ann"), st.sampled_from([None, 0, 1, 2]))
steps = st.one_of(
    st.lists(moves_of_many, min_size=1, max_size=14), st.lists(moves_of_one, min_size=3, max_size=9)
)


def play(moves: list[tuple[str, str, Decimal | int | None]]) -> Game:
    """A history: None removes a score, and does nothing where there is none."""
    game = Game()
    for score, user, value in moves:
        if value is not None:
            game.put(score, user, value)
        elif game.has(score, user):
            game.remove(score, user)
    return game


@st.composite
def deliveries(draw: st.DrawFn, game: Game) -> list[list[Raw]]:
    """Each record at least once, in any order, repeated at will, cut anywhere."""
    indexes = list(range(len(game.records)))
    repeats = draw(st.lists(st.sampled_from(indexes), max_size=20)) if indexes else []
    order = draw(st.permutations(indexes + repeats))
    cuts = sorted(draw(st.lists(st.integers(0, len(order)), max_size=8)))
    edges = [0, *cuts, len(order)]
    return [[game.records[index] for index in order[low:high]] for low, high in pairwise(edges)]


@pytest.fixture(scope="module")
def dynamodb(servers: LocalServers) -> Any:
    return client(servers.endpoints, "dynamodb")


def assert_never_back(before: dict[str, Any], tables: Tables) -> dict[str, Any]:
    entries = tables.entries()
    for source, entry in before.items():
        assert entries[source].version >= entry.version
    return entries


@settings(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), moves=steps)
def test_any_delivery_gives_the_exact_sum(
    dynamodb: Any, data: st.DataObject, moves: list[tuple[str, str, Decimal | int | None]]
) -> None:
    game = play(moves)
    tables = support.make_tables(dynamodb)
    entries: dict[str, Any] = {}
    for batch in data.draw(deliveries(game)):
        result = tables.write(batch)
        assert (result.rejected, result.unavailable) == ({}, {})
        tables.assert_sound()
        entries = assert_never_back(entries, tables)
    assert without_zeros(tables.totals()) == without_zeros(game.expected())


@settings(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), moves=steps)
def test_workers_that_die_lose_and_double_nothing(
    dynamodb: Any, data: st.DataObject, moves: list[tuple[str, str, Decimal | int | None]]
) -> None:
    game = play(moves)
    tables = support.make_tables(dynamodb)
    for batch in data.draw(deliveries(game)):
        deaths = data.draw(st.lists(st.tuples(st.integers(0, 3), st.booleans()), max_size=3))
        for call, after in deaths:
            try:
                tables.write(batch, Breaking(tables.service, call, after=after))
            except Killed:
                tables.assert_sound()
        tables.write(batch)
    tables.assert_sound()
    assert without_zeros(tables.totals()) == without_zeros(game.expected())


@settings(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(moves=steps, cut=st.integers(1, 5))
def test_three_times_in_other_cuts(
    dynamodb: Any, moves: list[tuple[str, str, Decimal | int | None]], cut: int
) -> None:
    game = play(moves)
    tables = support.make_tables(dynamodb)
    for size in (len(game.records) or 1, cut, 1):
        for start in range(0, len(game.records), size):
            tables.write(game.records[start : start + size])
        tables.assert_sound()
        assert without_zeros(tables.totals()) == without_zeros(game.expected())
