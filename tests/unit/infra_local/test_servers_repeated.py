"""What is remembered of the emulator's work never shows in an answer."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from ministack.services import dynamodb

from infra.local.servers.aws.repeated import OF_A_TEXT, computed_once, copied, kept

NUMBERS = ["1", "-0", "1E+2", "0.10", "1" * 38, "1" * 39, "1E126", "1E-131", "x", "", " 1", "१"]
ITEM = {
    "PK": {"S": "TOTAL#a"},
    "points": {"N": "1"},
    "deep": {"M": {"list": {"L": [{"N": "2"}, {"BOOL": True}, {"NULL": True}, {"B": "AA=="}]}}},
}


@pytest.mark.parametrize("name", OF_A_TEXT)
def test_what_is_remembered_of_a_number_is_what_is_worked_out(name: str) -> None:
    function = getattr(dynamodb, name)
    remembered = kept(function)
    for _ in range(2):
        for text in [*NUMBERS, "9" * 2_000, None, 7, ["1"]]:
            assert outcome(remembered, text) == outcome(function, text)


def outcome(function: Any, *arguments: Any) -> Any:
    try:
        return function(*arguments)
    except (TypeError, ValueError, AttributeError) as error:
        return repr(error)


def test_each_text_is_worked_out_once() -> None:
    calls: Counter[Any] = Counter()

    def count(text: Any) -> Any:
        calls[str(text)] += 1

    remembered = kept(count)
    for text in ("1", "1", "2", "x" * 2_000, "x" * 2_000, ["1"], ["1"]):
        remembered(text)
    assert calls == {"1": 1, "2": 1, "x" * 2_000: 2, "['1']": 2}


def test_a_copy_shares_nothing_that_can_change() -> None:
    copy = copied(ITEM)
    assert copy == ITEM
    copy["deep"]["M"]["list"]["L"][0]["N"] = "3"
    copy["points"]["N"] = "4"
    assert ITEM["deep"]["M"]["list"]["L"][0] == {"N": "2"}  # type: ignore[index]
    assert ITEM["points"] == {"N": "1"}
    odd = {"set": {1}, "rest": (b"a", 1.5, None)}
    assert copied(odd) == odd
    assert copied(odd)["set"] is not odd["set"]


class Updates:
    """The emulator's way to compute an update, counted."""

    def __init__(self) -> None:
        self.calls = 0
        self.once = computed_once(self._apply)

    def _apply(self, *arguments: Any) -> Any:
        self.calls += 1
        return dynamodb._apply_update_expression(*arguments)


def test_an_update_of_one_request_is_computed_once() -> None:
    updates, values = Updates(), {":by": {"N": "5"}}
    results = [updates.once(ITEM, "ADD points :by", values, None) for _ in range(3)]
    assert updates.calls == 1
    assert [item["points"] for item, _ in results] == [{"N": "6"}] * 3
    assert {path for _, changed in results for path in changed} == results[0][1]
    results[1][0]["deep"]["M"]["list"]["L"].clear()
    assert updates.once(ITEM, "ADD points :by", values, None)[0]["deep"] == ITEM["deep"]


def test_an_update_is_computed_anew_for_whatever_is_not_the_same() -> None:
    updates, values, names = Updates(), {":by": {"N": "5"}}, {"#t": "points"}
    expression = "ADD #t :by"

    def points(item: Any) -> str:
        return str(updates.once(item, expression, values, names)[0]["points"]["N"])

    assert points(ITEM) == "6"
    assert points({**ITEM, "points": {"N": "6"}}) == "11"
    assert points(ITEM) == "6"
    values[":by"]["N"] = "7"
    assert points(ITEM) == "8"
    names["#t"] = "other"
    assert updates.once(ITEM, expression, values, names)[0]["other"] == {"N": "7"}
    assert updates.calls == 5
    other: set[Any] = set()
    updates.once(ITEM, expression, values, names, other)
    assert updates.calls == 6
    assert other


def test_what_fails_is_not_remembered() -> None:
    updates, values = Updates(), {":by": {"S": "5"}}
    for _ in range(2):
        with pytest.raises(ValueError, match="type"):
            updates.once(ITEM, "ADD points :by", values, None)
    assert updates.calls == 2


def test_only_so_much_is_remembered() -> None:
    updates = Updates()
    kept_values = [{":by": {"N": str(number)}} for number in range(250)]
    for values in kept_values:
        updates.once(ITEM, "ADD points :by", values, None)
    updates.once(ITEM, "ADD points :by", kept_values[0], None)
    assert updates.calls == 251
