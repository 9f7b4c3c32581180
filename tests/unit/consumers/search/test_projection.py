"""From a record to an operation: kinds and versions. What a document holds: test_document."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from consumers.search import SPEC
from consumers.search.projection import Operation, project
from shared.errors import Malformed
from shared.filters import compile_filter
from tests.support.records import (
    CREATED,
    Raw,
    heartbeat,
    kinesis_record,
    order,
    score,
    stream_record,
)
from tests.support.search import record_of


def projected(raw: Raw) -> Operation:
    operation = project(record_of(raw))
    assert operation is not None
    return operation


@pytest.mark.parametrize("deliver", [stream_record, kinesis_record])
def test_a_write_carries_the_new_state_and_the_items_version(deliver: Any) -> None:
    operation = projected(deliver(order(version=4), order(version=5, status="SHIPPED")))
    assert operation[:3] == ("o-1", 5, True)
    assert orjson.loads(operation.document)["status"] == "SHIPPED"


@pytest.mark.parametrize("deliver", [stream_record, kinesis_record])
def test_a_removal_is_a_tombstone_one_version_on(deliver: Any) -> None:
    operation = projected(deliver(order(version=5), None))
    assert operation[:3] == ("o-1", 6, True)
    assert orjson.loads(operation.document) == {
        "orderId": "o-1",
        "deleted": True,
        "deletedAt": CREATED * 1000,
    }


@pytest.mark.parametrize("images", [(None, order()), (order(), order()), (order(), None)])
def test_without_a_version_of_its_own_an_item_gets_its_time(images: tuple[Any, Any]) -> None:
    bare = [image and {**image, "metadata": {"createdAt": "now"}} for image in images]
    operation = projected(kinesis_record(*bare, created=CREATED + 0.25))
    assert operation[1:3] == (CREATED * 1_000_000 + 250_000, False)


def test_the_id_comes_from_the_key() -> None:
    assert projected(kinesis_record(None, {**order("o-1"), "orderId": "another"})).id == "o-1"


@pytest.mark.parametrize("item", [score(), heartbeat(), {"PK": "TOTAL#u", "SK": "TOTAL"}])
def test_what_is_no_order_is_passed_over(item: dict[str, Any]) -> None:
    assert project(record_of(kinesis_record(None, item))) is None


@pytest.mark.parametrize(
    "damage",
    [
        {"Keys": {}},
        {"Keys": {"PK": {"N": "1"}, "SK": {"S": "ORDER"}}},
        {"Keys": {"PK": {"S": "ORDER#"}, "SK": {"S": "ORDER"}}},
        {"NewImage": None},
        {"NewImage": []},
        {"NewImage": {"metadata": {"M": {"version": {"N": "-1"}}}}},
    ],
    ids=lambda damage: str(damage)[:40],
)
def test_a_damaged_record_is_malformed(damage: Raw) -> None:
    raw = stream_record(None, order())
    raw["dynamodb"] |= damage
    with pytest.raises(Malformed):
        project(record_of(raw))


@pytest.mark.parametrize("missing", ["NewImage", "OldImage"])
def test_a_record_without_its_images_is_malformed(missing: str) -> None:
    raw = stream_record(order(), order())
    del raw["dynamodb"][missing]
    with pytest.raises(Malformed, match="without the images"):
        project(record_of(raw))


@pytest.mark.parametrize(
    ("item", "wanted"), [(order(), True), (heartbeat(), True), (score(), False)]
)
def test_the_filter_lets_orders_and_heartbeats_through(item: dict[str, Any], wanted: bool) -> None:
    (pattern,) = SPEC.filters
    assert compile_filter(pattern).matches(stream_record(None, item)) is wanted
    assert compile_filter(pattern).matches(stream_record(item, None)) is wanted
