"""What changed between two images, attribute by attribute."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.history import Difference, differences
from tests.support.records import order, raw_image

Found = dict[str, tuple[str | None, str | None]]


def between(old: dict[str, Any], new: dict[str, Any]) -> Found:
    found = list(differences(raw_image(old), raw_image(new)))
    assert len({entry.path for entry in found}) == len(found)
    return {entry.path: (entry.old, entry.new) for entry in found}


def test_the_same_item_differs_in_nothing() -> None:
    assert between(order(), order()) == {}


def test_keys_are_no_change() -> None:
    assert between({}, {"PK": "ORDER#1", "SK": "ORDER", "a": 1}) == {"a": (None, "1")}


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ({"a": 1}, {"a": 2}, {"a": ("1", "2")}),
        ({"a": 1}, {}, {"a": ("1", None)}),
        ({}, {"a": "x"}, {"a": (None, '"x"')}),
        ({"a": 1}, {"a": "1"}, {"a": ("1", '"1"')}),
        ({"a": None}, {"a": True}, {"a": ("null", "true")}),
        ({"a": b"\x01"}, {"a": b"\x02"}, {"a": ("binary AQ==", "binary Ag==")}),
        ({"a": {"x", "y"}}, {"a": {"y"}}, {"a": ("{x, y}", "{y}")}),
        ({"a": {"b": {"c": 1, "d": 1}}}, {"a": {"b": {"c": 2, "d": 1}}}, {"a.b.c": ("1", "2")}),
        ({"a": {"b": 1}}, {"a": {}}, {"a": ("{b: 1}", "{}")}),
        ({"a": {"b": 1}}, {"a": 5}, {"a": ("{b: 1}", "5")}),
        ({"a": {"b": 1}}, {}, {"a.b": ("1", None)}),
        ({"a": ["x"]}, {"a": ["x", "y"]}, {"a": ('["x"]', '["x", "y"]')}),
        ({"a": []}, {"a": [1]}, {"a": ("[]", "[1]")}),
        (
            {"a": [{"q": 1, "n": "x"}, {"q": 2}]},
            {"a": [{"q": 3, "n": "x"}]},
            {"a[0].q": ("1", "3"), "a[1].q": ("2", None)},
        ),
        ({"a": Decimal("1.50")}, {"a": Decimal("1.5")}, {"a": ("1.50", "1.5")}),
    ],
)
def test_what_changed(old: dict[str, Any], new: dict[str, Any], expected: Found) -> None:
    assert between(old, new) == expected


def test_places_in_a_list_come_in_their_order() -> None:
    old = {"a": [{"q": 1} for _ in range(12)]}
    new = {"a": [{"q": 2} for _ in range(12)]}
    assert list(between(old, new)) == [f"a[{place}].q" for place in range(12)]


def test_personal_attributes_are_known_as_such() -> None:
    old, new = order(), order(version=2, status="VALIDATED")
    new["customer"] = {**old["customer"], "email": "new@example.org"}
    new["shippingAddress"] = {**old["shippingAddress"], "street": "1 Elm Way"}
    found = {entry.path: entry.personal for entry in differences(raw_image(old), raw_image(new))}
    assert found == {
        "customer.email": True,
        "metadata.version": False,
        "shippingAddress.street": True,
        "status": False,
    }


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=8,
)


@given(
    st.dictionaries(st.sampled_from("abc"), json_values),
    st.dictionaries(st.sampled_from("abc"), json_values),
)
def test_images_that_dynamodb_never_sends_are_compared_all_the_same(
    old: dict[str, Any], new: dict[str, Any]
) -> None:
    found = list(differences(old, new))
    assert {entry.path[0] for entry in found} == {
        name for name in old.keys() | new.keys() if old.get(name) != new.get(name)
    }


def test_a_difference_that_is_none_of_ours_is_shown_as_it_was_delivered() -> None:
    found = list(differences({"a": {"Q": 1}}, {"a": {"Q": 2}}))
    assert found == [Difference("a", '{"Q": 1}', '{"Q": 2}', personal=False)]
