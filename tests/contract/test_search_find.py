"""What support staff find."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from consumers.search.connection import Connection
from consumers.search.query import find
from consumers.search.setup import ensure_index
from consumers.search.sink import SearchSink
from consumers.search.state import refresh
from shared.errors import Rejected, Unavailable
from tests.support.records import order
from tests.support.search import operation_of, search_server, wipe, write

__all__ = ["search_server"]


def address(city: str, postcode: str) -> dict[str, str]:
    return {"street": "1 High Street", "city": city, "zipCode": postcode, "country": "GB"}


ORDERS = [
    order("ord-7F3"),  # Ada Lovelace, London SW1Y 4JH: walnut desk and brass lamp, 328.90
    order(
        "ord-8A1",
        customerId="c-2",
        customer={"name": "José Müller", "email": "jose.mueller@example.com"},
        shippingAddress=address("Köln", "50667"),
        items=[{"productId": "p-9", "name": "Oak chair", "quantity": 1}],
        totalAmount=Decimal("12.50"),
        status="SHIPPED",
        createdAt="2025-10-11T00:00:00.000Z",
    ),
    order(
        "ord-9",
        customerId="c-3",
        customer={"name": "Grace Hopper", "email": "grace@navy.example"},
        shippingAddress=address("New York", "10001"),
        items=[{"productId": "p-1", "name": "Walnut desk", "quantity": 1}],
        status="COMPLETED",
        createdAt="2025-10-10T12:00:00.000Z",
    ),
    order(
        "c-2",  # an order whose id is another's customer
        customerId="c-4",
        customer={"name": "Lin", "email": "lin@example.com"},
        shippingAddress=address("Oslo", "0150"),
        items=[{"productId": "p-7", "name": "Rug", "quantity": 1}],
        totalAmount=Decimal(40),
        createdAt="2025-10-01T00:00:00.000Z",
    ),
]


@pytest.fixture(scope="module")
def orders(search_server: str) -> str:
    """URL of a server that holds ORDERS and a removed one."""
    wipe(search_server)
    ensure_index(search_server)
    connection = Connection(search_server)
    sink = SearchSink(connection)
    write(sink, *(operation_of(None, item) for item in ORDERS))
    write(sink, operation_of(order("ord-gone", customerId="c-gone"), None))
    connection.close()
    refresh(search_server)
    return search_server


def found(url: str, text: str, **filters: Any) -> list[str]:
    return [hit.order_id for hit in find(url, text, **filters).hits]


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("ord-7F3", ["ord-7F3"]),
        ("ORD-7f3", ["ord-7F3"]),
        ("c-3", ["ord-9"]),
        ("jose.mueller@example.com", ["ord-8A1"]),
        ("Jose.Mueller@EXAMPLE.com", ["ord-8A1"]),
        ("mueller", ["ord-8A1"]),  # a part of the e-mail
        ("navy.example", ["ord-9"]),
        ("Müller", ["ord-8A1"]),
        ("muller", ["ord-8A1"]),
        ("Grace Hopper", ["ord-9"]),
        ("oak", ["ord-8A1"]),
        ("p-9", ["ord-8A1"]),
        ("köln", ["ord-8A1"]),
        ("New York", ["ord-9"]),
        ("SW1Y 4JH", ["ord-7F3"]),
        ("sw1y4jh", ["ord-7F3"]),
        ("10001", ["ord-9"]),
        ("ada walnut london", ["ord-7F3"]),
        ("walnut c-3", ["ord-9"]),
        ("ada oslo", []),
        ("nothing-like-it", []),
    ],
)
def test_orders_are_found_by_each_field(orders: str, text: str, ids: list[str]) -> None:
    assert found(orders, text) == ids


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("lovelase", ["ord-7F3"]),
        ("Lvoelace", ["ord-7F3"]),
        ("Müler", ["ord-8A1"]),
        ("hoper", ["ord-9"]),
        ("londn", ["ord-7F3"]),
        ("braas lmap", ["ord-7F3"]),
    ],
)
def test_words_may_be_misspelt(orders: str, text: str, ids: list[str]) -> None:
    assert found(orders, text) == ids


def test_ids_may_not(orders: str) -> None:
    assert found(orders, "c-5") == []


def test_an_exact_order_id_comes_first(orders: str) -> None:
    assert found(orders, "c-2") == ["c-2", "ord-8A1"]


def test_of_equals_the_latest_comes_first(orders: str) -> None:
    assert found(orders, "") == ["ord-8A1", "ord-9", "ord-7F3", "c-2"]


@pytest.mark.parametrize("text", ["ord-gone", "c-gone", ""])
def test_a_removed_order_is_not_found(orders: str, text: str) -> None:
    assert "ord-gone" not in found(orders, text)


@pytest.mark.parametrize(
    ("text", "field", "piece"),
    [
        ("ord-9", "orderId", "<em>ord-9</em>"),
        ("hoper", "name", "Grace <em>Hopper</em>"),
        ("navy", "email", "grace@<em>navy</em>.example"),
        ("york", "city", "New <em>York</em>"),
        ("walnut", "product", "<em>Walnut</em> desk"),
    ],
)
def test_what_matched_is_highlighted(orders: str, text: str, field: str, piece: str) -> None:
    (hit,) = find(orders, text, status="COMPLETED").hits
    assert hit.highlights[field] == [piece]


@pytest.mark.parametrize(
    ("filters", "ids"),
    [
        ({"status": "SHIPPED"}, ["ord-8A1"]),
        ({"status": ["SHIPPED", "COMPLETED"]}, ["ord-8A1", "ord-9"]),
        ({"since": "2025-10-11"}, ["ord-8A1"]),
        ({"until": "2025-10-01"}, ["c-2"]),
        ({"since": "2025-10-09", "until": "2025-10-10"}, ["ord-9", "ord-7F3"]),
        ({"since": "2025-10-10T12:00:00Z", "until": "2025-10-10T14:00:00+02:00"}, ["ord-9"]),
        ({"min_amount": 328.9, "max_amount": 328.9}, ["ord-9", "ord-7F3"]),
        ({"max_amount": 40}, ["ord-8A1", "c-2"]),
        ({"min_amount": 12.51, "max_amount": 40}, ["c-2"]),
        ({"status": "NONE"}, []),
    ],
)
def test_filters_narrow(orders: str, filters: dict[str, Any], ids: list[str]) -> None:
    assert found(orders, "", **filters) == ids


def test_filters_and_text_must_both_fit(orders: str) -> None:
    assert found(orders, "walnut", status="COMPLETED") == ["ord-9"]
    assert found(orders, "ord-7F3", status="COMPLETED") == []


def test_more_hits_than_asked_for_are_counted(orders: str) -> None:
    hits = find(orders, "", size=1)
    assert (hits.total, hits.at_least, len(hits.hits)) == (4, False, 1)
    assert hits.hits[0].document["name"] == "José Müller"


@pytest.mark.parametrize("text", ['"', "\\", "a AND (", "*", "🦉", "'; --", "{}"])
def test_any_text_may_be_asked_for(orders: str, text: str) -> None:
    assert find(orders, text).hits == ()


def test_a_time_that_only_python_reads_is_refused(orders: str) -> None:
    with pytest.raises(Rejected, match=r"parse|phase"):
        find(orders, "", since="2025-W41-4T00")


def test_without_a_server_a_search_is_unavailable() -> None:
    with pytest.raises(Unavailable):
        find("http://127.0.0.1:1", "ada")
