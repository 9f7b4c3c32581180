"""The document of an order: what goes in, what stays out, what cannot be used."""

from __future__ import annotations

from copy import deepcopy
from decimal import Decimal
from typing import Any

import orjson
import pytest

from consumers.search.document import order_document, tombstone
from consumers.search.index import FIELDS, MAX_ID_BYTES, MAX_TERM_BYTES
from shared.entities import SEARCHED_ATTRIBUTES
from shared.errors import Malformed
from tests.support.records import order, raw_image


def document(**changes: Any) -> dict[str, Any]:
    return orjson.loads(order_document("o-1", raw_image(order(**changes))))


def image_with(path: str, value: Any) -> dict[str, Any]:
    """The raw image of an order, with the attribute value at `path` replaced."""
    image = raw_image(order())
    node: Any = {"M": image}
    *way, last = path.split(".")
    for step in way:
        node = node["L"][int(step)] if step.isdigit() else node["M"][step]
    if last.isdigit():
        node["L"][int(last)] = value
    else:
        node["M"][last] = value
    return image


def test_an_order_becomes_the_fields_that_support_searches() -> None:
    assert document() == {
        "orderId": "o-1",
        "customerId": "c-1",
        "name": "Ada Lovelace",
        "email": "ada@example.org",
        "status": "PENDING_VALIDATION",
        "product": ["Walnut desk", "Brass lamp"],
        "productId": ["p-1", "p-2"],
        "city": "London",
        "postcode": "SW1Y 4JH",
        "totalAmount": 328.9,
        "createdAt": "2025-10-09T08:53:20.000Z",
        "updatedAt": "2025-10-09T08:53:20.000Z",
    }


def test_every_searched_attribute_has_a_field_in_the_index() -> None:
    assert set(SEARCHED_ATTRIBUTES) <= set(FIELDS)


def test_phone_and_street_are_not_stored() -> None:
    stored = order_document("o-1", raw_image(order())).decode()
    assert "7946" not in stored
    assert "James" not in stored


@pytest.mark.parametrize("gone", ["customer", "items", "shippingAddress", "totalAmount", "status"])
def test_an_absent_attribute_leaves_its_fields_out(gone: str) -> None:
    image = raw_image(order())
    del image[gone]
    fields = {field for field, path in SEARCHED_ATTRIBUTES.items() if path[0] == gone}
    assert set(orjson.loads(order_document("o-1", image))) == set(document()) - fields


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("customer", {"name", "email"}),
        ("customer.email", {"email"}),
        ("items", {"product", "productId"}),
        ("totalAmount", {"totalAmount"}),
        ("createdAt", {"createdAt"}),
    ],
)
def test_null_is_as_good_as_absent(path: str, fields: set[str]) -> None:
    image = image_with(path, {"NULL": True})
    assert set(orjson.loads(order_document("o-1", image))) == set(document()) - fields


def test_null_among_the_items_is_passed_over() -> None:
    image = image_with("items.0", {"NULL": True})
    assert orjson.loads(order_document("o-1", image))["product"] == ["Brass lamp"]


def test_an_order_without_items_has_no_product() -> None:
    assert "product" not in document(items=[])


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        ("totalAmount", {"S": "328.90"}, "totalAmount is no number (N)"),
        ("totalAmount", {"N": "many"}, "totalAmount is no number (N)"),
        ("totalAmount", {"N": "1e999"}, "totalAmount is no number (N)"),
        ("totalAmount", {"N": 5}, "totalAmount is no number (N)"),
        ("status", {"N": "1"}, "status is no string (S)"),
        ("status", {"S": None}, "status is no string (S)"),
        ("status", {"S": "A", "N": "1"}, "status is no string (S)"),
        ("status", {}, "status is no string (S)"),
        ("status", None, "status is no string (S)"),
        ("status", "SHIPPED", "status is no string (S)"),
        ("status", {"X": "SHIPPED"}, "status is no string (S)"),
        ("customer", {"S": "Ada"}, "customer is no map (M)"),
        ("customer", {"M": []}, "customer is no map (M)"),
        ("customer.email", {"SS": ["a@example.org"]}, "customer.email is no string (S)"),
        ("items", {"M": {}}, "items is no list (L)"),
        ("items", {"L": {}}, "items is no list (L)"),
        ("items.1", {"S": "lamp"}, "items[] is no map (M)"),
        ("items.1.name", {"BOOL": True}, "items[].name is no string (S)"),
        ("shippingAddress.zipCode", {"N": "10001"}, "shippingAddress.zipCode is no string (S)"),
        ("metadata.updatedAt", {"N": "1"}, "metadata.updatedAt is no string (S)"),
    ],
)
def test_another_type_is_malformed_and_says_where(path: str, value: Any, told: str) -> None:
    with pytest.raises(Malformed) as raised:
        order_document("o-1", image_with(path, value))
    assert raised.value.reason == told
    assert "redrive" in raised.value.hint


@pytest.mark.parametrize(
    "path", ["customer.phone", "paymentMethod", "workflowContext", "items.0.quantity", "new"]
)
def test_what_nobody_searches_may_be_anything(path: str) -> None:
    image = image_with(path, {"WHAT?": object()})
    assert orjson.loads(order_document("o-1", image)) == document()


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("0", 0.0),
        ("-12.50", -12.5),
        ("1E+3", 1000.0),
        (".5", 0.5),
        ("9.9999999999999999999999999999999999999E+125", 1e126),
        ("1E-130", 1e-130),
    ],
)
def test_every_number_of_dynamodb_is_one_of_json(written: str, number: float) -> None:
    assert document(totalAmount=Decimal(written))["totalAmount"] == number


LONG = "é" * (MAX_TERM_BYTES // 2 + 1)  # one term, two bytes too long


@pytest.mark.parametrize(
    "path",
    ["customerId", "status", "customer.email", "items.0.productId", "shippingAddress.zipCode"],
)
def test_a_term_too_long_to_be_found_as_a_whole_is_malformed(path: str) -> None:
    with pytest.raises(Malformed) as raised:
        order_document("o-1", image_with(path, {"S": LONG}))
    assert raised.value.reason.startswith(path.replace(".0", "[]") + " is longer than the 32,766")
    assert "ééé" not in str(raised.value)
    order_document("o-1", image_with(path, {"S": LONG[:-1]}))


@pytest.mark.parametrize("path", ["customer.name", "items.0.name", "shippingAddress.city"])
def test_what_is_found_by_words_may_be_long(path: str) -> None:
    assert len(order_document("o-1", image_with(path, {"S": LONG}))) > MAX_TERM_BYTES


def test_an_id_over_512_bytes_is_malformed() -> None:
    order_document("é" * (MAX_ID_BYTES // 2), raw_image(order()))
    for make in (lambda name: order_document(name, raw_image(order())), lambda n: tombstone(n, 1)):
        with pytest.raises(Malformed, match="the order's id is longer than the 512 bytes"):
            make("é" * (MAX_ID_BYTES // 2) + "x")


@pytest.mark.parametrize(
    ("path", "field"),
    [("customer.name", "name"), ("items.0.name", "product"), ("status", "status")],
)
def test_half_a_surrogate_pair_is_malformed(path: str, field: str) -> None:
    with pytest.raises(Malformed, match=rf"^{field}: holds half a surrogate pair"):
        order_document("o-1", image_with(path, {"S": "Ada \ud83d"}))


def test_half_a_surrogate_pair_in_the_id_is_malformed() -> None:
    for make in (lambda name: order_document(name, raw_image(order())), lambda n: tombstone(n, 1)):
        with pytest.raises(Malformed, match=r"^orderId: holds half a surrogate pair"):
            make("o-\udc00")


def test_a_long_id_with_half_a_surrogate_pair_is_malformed_too() -> None:
    # So long that its bytes are counted, once with room for it and once without.
    for length, reason in ((200, "holds half a surrogate pair"), (600, "is longer than")):
        with pytest.raises(Malformed, match=reason):
            order_document("x" * length + "\ud800", raw_image(order()))


def test_text_outside_the_basic_plane_stays_as_it_is() -> None:
    assert document(customerId="c-🦉")["customerId"] == "c-🦉"


def test_errors_quote_no_value() -> None:
    image = image_with("customer.email", {"N": "ada@example.org"})
    with pytest.raises(Malformed) as raised:
        order_document("o-1", image)
    assert "ada" not in str(raised.value)


def test_the_image_is_left_as_it_was() -> None:
    image = raw_image(order())
    before = deepcopy(image)
    order_document("o-1", image)
    assert image == before


def test_a_tombstone_holds_nothing_of_a_person() -> None:
    assert orjson.loads(tombstone("o-1", 1_760_000_000_000)) == {
        "orderId": "o-1",
        "deleted": True,
        "deletedAt": 1_760_000_000_000,
    }
