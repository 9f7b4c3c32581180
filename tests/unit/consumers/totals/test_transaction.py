"""What a cancelled transaction tells about each player."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from consumers.totals.ledger import entry_json
from consumers.totals.posting import Parcel, fold, pack
from consumers.totals.transaction import Cancellation, Owner, Reason, compose, take_apart
from tests.support.totals import Game, contributions

NONE: Reason = {"Code": "None"}
CONFLICT: Reason = {"Code": "TransactionConflict", "Message": "Transaction is ongoing"}
THROTTLED: Reason = {"Code": "ThrottlingError"}
NO_CAPACITY: Reason = {"Code": "ProvisionedThroughputExceeded"}
REFUSED: Reason = {"Code": "ValidationError", "Message": "Number overflow"}


def failed(value: int | None = None, version: int = 1, *, live: bool = True) -> Reason:
    reason: Reason = {"Code": "ConditionalCheckFailed"}
    if value is None:
        return reason
    entry = entry_json("SCORE#s|USER#u", '"u"', Decimal(value), version, live)
    return {**reason, "Item": json.loads(entry)}


def parcel(change: Callable[[Game], None]) -> Parcel:
    game = Game()
    change(game)
    (made,) = pack(fold(contributions(*game.records)))
    return made


def two_players(game: Game) -> None:
    for user in ("ann", "bob"):
        game.put("s-1", user, 5)
        game.put("s-2", user, 7)


def opposites(game: Game) -> None:
    game.put("s-1", "u", 5)
    game.put("s-2", "u", -5)


def composed(sent: Parcel) -> tuple[list[dict[str, Any]], list[Owner]]:
    actions, owners = compose(sent, "table", "ledger", "now")
    return [json.loads(action) for action in actions], owners


def judged(sent: Parcel, *reasons: Reason) -> Cancellation:
    _, owners = composed(sent)
    return take_apart(sent, owners, reasons)


def users(groups: list) -> list[str]:
    return [getattr(group, "user", None) or group[0].user for group in groups]


def test_the_items_and_their_order() -> None:
    actions, owners = composed(parcel(two_players))
    assert [next(iter(action)) for action in actions] == ["Put", "Put", "Update"] * 2
    assert [group.user for group, _ in owners] == ["ann"] * 3 + ["bob"] * 3
    assert [posting is None for _, posting in owners] == [False, False, True] * 2
    total = actions[2]["Update"]
    assert total["Key"] == {"PK": {"S": "TOTAL#ann"}, "SK": {"S": "TOTAL"}}
    assert total["ExpressionAttributeValues"][":total"] == {"N": "12"}
    assert total["ExpressionAttributeValues"][":scores"] == {"N": "2"}


def test_each_entry_is_put_under_a_condition() -> None:
    game = Game()
    insert = game.put("s-1", "u", 5)
    change = game.put("s-1", "u", 6)
    for record, known in ((insert, None), (change, {"N": "5"})):
        (made,) = pack(fold(contributions(record)))
        put = composed(made)[0][0]["Put"]
        assert put["ReturnValuesOnConditionCheckFailure"] == "ALL_OLD"
        if known is None:
            assert put["ConditionExpression"] == "attribute_not_exists(PK)"
        else:
            assert put["ExpressionAttributeValues"][":value"] == known
            assert "version <= :version" in put["ConditionExpression"]


def test_a_total_that_stays_is_not_written() -> None:
    game = Game()
    game.put("s-1", "u", 5)
    (made,) = pack(fold(contributions(game.put("s-1", "u", 5, difficulty="HARD"))))
    actions, _ = composed(made)
    assert [next(iter(action)) for action in actions] == ["Put"]


def test_two_scores_that_cancel_out_are_still_counted() -> None:
    sent = parcel(opposites)
    actions, _ = composed(sent)
    assert actions[2]["Update"]["ExpressionAttributeValues"][":scores"] == {"N": "2"}


def test_a_wrong_guess_is_corrected() -> None:
    sent = parcel(two_players)
    told = judged(sent, NONE, failed(3, 0), NONE, NONE, NONE, NONE)
    assert users(told.again) == ["ann", "bob"]
    assert told.again[0].change() == (Decimal(5 + 7 - 3), 1)
    assert told.again[1].change() == (Decimal(12), 2)
    assert not told.outrun


def test_what_is_already_there_is_done() -> None:
    sent = parcel(two_players)
    told = judged(sent, failed(5, 1), failed(9, 2), NONE, NONE, NONE, NONE)
    assert users(told.again) == ["bob"]
    assert told.outrun == 2
    sent = parcel(two_players)
    told = judged(sent, failed(5, 1), NONE, NONE, NONE, NONE, NONE)
    assert users(told.again) == ["ann", "bob"]
    assert told.again[0].change() == (Decimal(7), 1)


def test_a_condition_that_fails_and_teaches_nothing_is_not_tried_at_once() -> None:
    sent = parcel(two_players)
    assert users(judged(sent, failed(), NONE, NONE, NONE, NONE, NONE).again) == ["ann", "bob"]
    told = judged(sent, failed(), NONE, NONE, NONE, NONE, NONE)
    assert users(told.contended) == ["ann"]
    assert users(told.again) == ["bob"]


def test_a_parcel_that_asks_writes_nothing() -> None:
    sent = parcel(two_players)
    sent.asks = True
    actions, owners = composed(sent)
    assert [next(iter(action)) for action in actions] == ["Put"] * 4
    never = "attribute_not_exists(PK) AND attribute_exists(PK)"
    assert {action["Put"]["ConditionExpression"] for action in actions} == {never}
    take_apart(sent, owners, [failed(3, 0), failed(), failed(5, 1), failed()])
    assert [group.user for group in sent.groups if group.postings] == ["ann", "bob"]
    assert [posting.known for posting in sent.groups[0].postings] == [(Decimal(3), True), None]
    assert len(sent.groups[1].postings) == 1


@pytest.mark.parametrize("place", [0, 1, 2])
def test_one_players_trouble_is_not_the_others(place: int) -> None:
    for reason, where in (
        (CONFLICT, "contended"),
        (THROTTLED, "throttled"),
        (NO_CAPACITY, "throttled"),
        (REFUSED, "refused"),
    ):
        reasons = [NONE] * 6
        reasons[place] = reason
        told = judged(parcel(two_players), *reasons)
        assert users(getattr(told, where)) == ["ann"]
        assert users(told.again) == ["bob"]


def test_a_wrong_guess_is_corrected_before_anything_is_refused() -> None:
    told = judged(parcel(two_players), failed(3, 0), NONE, REFUSED, NONE, NONE, CONFLICT)
    assert users(told.again) == ["ann"]
    assert users(told.contended) == ["bob"]


def test_the_reason_of_a_refusal_is_kept() -> None:
    told = judged(parcel(two_players), NONE, NONE, REFUSED, NONE, NONE, NONE)
    assert [reason for _, reason in told.refused] == ["Number overflow"]


def test_reasons_that_do_not_fit_the_items_are_an_error() -> None:
    with pytest.raises(ValueError, match="zip"):
        judged(parcel(two_players), NONE)
