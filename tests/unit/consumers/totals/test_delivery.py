"""How many transactions are under way at a time, and what becomes of them when one goes wrong."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from consumers.totals.delivery import Delivery
from consumers.totals.posting import Parcel
from consumers.totals.transaction import Cancellation
from shared.clock import Deadline
from shared.errors import Unavailable
from tests.support.totals import Game, contributions

Fate = Callable[[Parcel], Cancellation | None]


class Wire:
    """Sends nothing; remembers which players' transactions were under way together."""

    def __init__(self, fate: Fate = lambda _: None) -> None:
        self.fate = fate
        self.under_way: list[set[str]] = []
        self.together: list[list[set[str]]] = []
        self.dropped = 0

    def begin(self, parcel: Parcel) -> _Sent:
        users = {group.user for group in parcel.groups}
        self.under_way.append(users)
        self.together.append(list(self.under_way))
        return _Sent(self, parcel, users)

    @property
    def most(self) -> int:
        return max(map(len, self.together))


class _Sent:
    def __init__(self, wire: Wire, parcel: Parcel, users: set[str]) -> None:
        self._wire, self._parcel, self._users = wire, parcel, users

    def answer(self) -> Cancellation | None:
        self._wire.under_way.remove(self._users)
        return self._wire.fate(self._parcel)

    def drop(self) -> None:
        self._wire.under_way.remove(self._users)
        self._wire.dropped += 1


def batch(players: int, scores: int = 90) -> Game:
    """A transaction for each player."""
    game = Game()
    for number in range(players * scores):
        game.put(f"s-{number}", f"u-{number // scores}", 1)
    return game


def delivery(game: Game, wire: Wire, at_once: int = 4) -> Delivery:
    return Delivery(contributions(*game.records), wire.begin, lambda _: None, Deadline(60), at_once)


def test_up_to_so_many_are_under_way() -> None:
    for at_once in (1, 3, 4):
        wire = Wire()
        assert not delivery(batch(7), wire, at_once).run().unavailable
        assert wire.most == at_once
        assert len(wire.together) == 7
        assert not wire.under_way


def test_never_two_of_one_player() -> None:
    wire = Wire()
    game = batch(2, scores=500)
    assert not delivery(game, wire).run().unavailable
    assert wire.most == 2
    for together in wire.together:
        assert sum(map(len, together)) == len(set.union(*together))


def test_in_trouble_one_goes_ahead() -> None:
    lost = iter([True, True, True])

    def fate(_: Parcel) -> Cancellation | None:
        if next(lost, False):
            raise Unavailable("lost")
        return None

    wire = Wire(fate)
    assert not delivery(batch(8), wire).run().unavailable
    # The first of four is lost: nothing is sent until the last of them is answered.
    assert [len(together) for together in wire.together[:5]] == [1, 2, 3, 4, 1]
    assert not wire.under_way


def test_an_error_that_nobody_expects_leaves_nothing_behind() -> None:
    def fate(_: Parcel) -> Cancellation | None:
        raise RuntimeError("never heard of")

    wire = Wire(fate)
    with pytest.raises(RuntimeError):
        delivery(batch(8), wire).run()
    assert wire.dropped == 3
    assert not wire.under_way
