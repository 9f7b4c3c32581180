"""Folding a batch and packing it into transactions."""

from __future__ import annotations

from decimal import Decimal

import pytest

from consumers.totals.ledger import LedgerEntry
from consumers.totals.posting import MAX_ITEMS, Group, Posting, fold, pack
from consumers.totals.projection import Contribution
from tests.support.totals import Game, contributions


def of(user: str, number: int, **changes: object) -> Contribution:
    values = {"value": Decimal(1), "version": 1, "live": True, "replaced": None} | changes
    return Contribution(f"SCORE#{number}|USER#{user}", user, **values)  # type: ignore[arg-type]


def versions(*numbers: int) -> Posting:
    (group,) = fold([of("u", 1, version=number, value=Decimal(number)) for number in numbers])
    (posting,) = group.postings
    return posting


@pytest.mark.parametrize("order", [(1, 2, 3), (3, 1, 2), (2, 3, 1), (3, 2, 1)])
def test_the_newest_version_counts_wherever_it_stands(order: tuple[int, ...]) -> None:
    posting = versions(*order)
    assert posting.newest.version == 3
    assert sorted(posting.indexes) == [0, 1, 2]


def test_of_equal_versions_the_later_counts() -> None:
    (group,) = fold([of("u", 1, value=Decimal(5)), of("u", 1, value=Decimal(7))])
    assert group.postings[0].newest.value == 7


def test_the_ledger_is_believed_to_hold_what_the_oldest_version_replaced() -> None:
    game = Game()
    game.put("s", "u", 5)
    later = [game.put("s", "u", 6), game.put("s", "u", 9)]
    (group,) = fold(contributions(*reversed(later)))
    assert group.postings[0].known == (Decimal(5), True)
    assert group.change() == (Decimal(4), 0)


def test_what_a_total_gains() -> None:
    game = Game()
    first = game.put("s-1", "u", Decimal("2.5"))
    game.put("s-2", "u", 10)
    changed = game.put("s-2", "u", 4)
    game.put("s-3", "u", 100)
    removed = game.remove("s-3", "u")
    (group,) = fold(contributions(first, changed, removed))
    assert group.change() == (Decimal("2.5") - 6 - 100, 0)


def test_what_a_total_gains_is_not_rounded() -> None:
    longest = Decimal(12345678901234567890123456789012345678)
    game = Game()
    game.put("s", "u", longest)
    (group,) = fold(contributions(game.put("s", "u", 1)))
    assert str(group.change()[0]) == "-12345678901234567890123456789012345677"


def test_the_newest_is_given_up_for_the_one_before() -> None:
    posting = versions(1, 3, 2)
    assert (posting.index, posting.newest.version) == (1, 3)
    assert posting.fall_back()
    assert (posting.index, posting.newest.version) == (2, 2)
    assert posting.fall_back()
    assert (posting.index, posting.newest.version) == (0, 1)
    assert not posting.fall_back()


@pytest.mark.parametrize(
    ("entry", "open_"),
    [
        (None, True),
        (LedgerEntry(Decimal(9), 4, live=True), True),
        (LedgerEntry(Decimal(5), 5, live=True), False),
        (LedgerEntry(Decimal(1), 6, live=True), False),
        (LedgerEntry(Decimal(0), 6, live=False), False),
        # An equal version that says otherwise: scores without versions, within one second.
        (LedgerEntry(Decimal(4), 5, live=True), True),
    ],
)
def test_what_the_ledger_holds_decides(entry: LedgerEntry | None, *, open_: bool) -> None:
    posting = versions(5)
    assert posting.learn(entry) is open_
    if open_:
        assert posting.known == (None if entry is None else (entry.value, entry.live))


def sizes(*scores_of_users: int) -> list[list[int]]:
    groups = [
        Group(f"u{user}", fold([of(f"u{user}", n) for n in range(count)])[0].postings)
        for user, count in enumerate(scores_of_users)
    ]
    parcels = pack(groups)
    for parcel in parcels:
        users = [group.user for group in parcel.groups]
        assert len(users) == len(set(users))
        assert sum(len(group.postings) + 1 for group in parcel.groups) <= MAX_ITEMS
    return [[len(group.postings) for group in parcel.groups] for parcel in parcels]


def test_players_share_a_transaction_while_they_fit() -> None:
    assert sizes(*[10] * 10) == [[10] * 9, [10]]
    assert sizes(*[1] * 51) == [[1] * 50, [1]]
    assert sizes(60, 38) == [[60, 38]]
    assert sizes(60, 39) == [[60], [39]]


def test_a_player_of_many_scores_gets_several_transactions() -> None:
    assert sizes(99) == [[99]]
    assert sizes(100) == [[99], [1]]
    assert sizes(250) == [[99], [99], [52]]
    assert sizes(3, 198, 3) == [[3], [99], [99], [3]]
    assert sizes(99, 1, 98) == [[99], [1], [98]]


def test_nothing_makes_no_transaction() -> None:
    assert fold([]) == []
    assert pack([]) == []
