"""Which entries a change makes stale, and that nothing else of the item is looked at."""

import subprocess
import sys
from typing import Any

import pytest

from consumers.cache import SPEC
from consumers.cache.projection import project
from shared.envelopes import read_records
from shared.errors import Malformed
from shared.filters import compile_filter
from shared.records import Record
from tests.support.records import event, heartbeat, kinesis_record, order, score, stream_record


def record(raw: dict[str, Any]) -> Record:
    (read,) = read_records(event(raw))
    assert isinstance(read, Record)
    return read


def test_a_move_between_customers_clears_both_lists_from_either_envelope() -> None:
    change = order("7", customerId="a"), order("7", customerId="b")
    expected = ("order:7", "customer-orders:a", "customer-orders:b")
    assert project(record(stream_record(*change))) == expected
    assert project(record(kinesis_record(*change))) == expected


def test_only_keys_and_customer_are_read() -> None:
    raw = stream_record(order(), order(version=2))
    for image in (raw["dynamodb"]["OldImage"], raw["dynamodb"]["NewImage"]):
        for name in image.keys() - {"customerId"}:
            image[name] = {"??": object()}
    assert project(record(raw)) == ("order:o-1", "customer-orders:c-1")


def test_scores_and_totals_need_no_images() -> None:
    for raw in (
        stream_record(None, score("s")),
        stream_record(None, {"PK": "TOTAL#u", "SK": "TOTAL"}),
    ):
        del raw["dynamodb"]["NewImage"]
        assert project(record(raw)) in {("score:s",), ("total:u",)}


@pytest.mark.parametrize("customer", [None, 7, "", [], {"S": "x"}, b"c-1"])
def test_a_customer_that_is_no_text_is_malformed(customer: Any) -> None:
    with pytest.raises(Malformed, match="customerId is empty or no string") as caught:
        project(record(stream_record(None, order(customerId=customer))))
    assert caught.value.hint


@pytest.mark.parametrize("value", [{}, {"X": "c"}, {"S": None}, "c-1", 5])
def test_a_damaged_customer_is_malformed(value: Any) -> None:
    raw = stream_record(order(), order(version=2))
    raw["dynamodb"]["OldImage"]["customerId"] = value
    with pytest.raises(Malformed, match="customerId"):
        project(record(raw))


@pytest.mark.parametrize("keys", [None, {}, {"PK": {"N": "1"}}, {"PK": {"S": "ORDER#"}}])
def test_an_item_without_its_key_is_malformed(keys: Any) -> None:
    raw = stream_record(None, order())
    raw["dynamodb"]["Keys"] = keys
    with pytest.raises(Malformed):
        project(record(raw))


@pytest.mark.parametrize("missing", ["OldImage", "NewImage"])
def test_an_order_without_its_images_is_malformed(missing: str) -> None:
    raw = stream_record(order(), order(version=2))
    del raw["dynamodb"][missing]
    with pytest.raises(Malformed, match="without the images"):
        project(record(raw))


def test_what_no_utf8_can_hold_is_poison_of_its_record() -> None:
    with pytest.raises(Malformed, match="surrogate"):
        project(record(stream_record(None, order(customerId="\ud800"))))
    with pytest.raises(Malformed, match="surrogate"):
        project(record(stream_record(None, score("\udfff"))))


def test_ids_beyond_ascii_are_fine() -> None:
    assert project(record(stream_record(None, score("ø")))) == ("score:ø",)


@pytest.mark.parametrize(
    ("item", "passes"),
    [
        (order(), True),
        (score(), True),
        ({"PK": "TOTAL#u", "SK": "TOTAL"}, True),
        (heartbeat(), True),
        ({"PK": "COUPON#1", "SK": "COUPON"}, False),
    ],
)
def test_the_filter_lets_through_what_is_cached(item: dict[str, Any], passes: bool) -> None:
    for raw in (stream_record(None, item), stream_record(item, item), stream_record(item, None)):
        assert any(compile_filter(pattern).matches(raw) for pattern in SPEC.filters) is passes
        assert passes or project(record(raw)) is None


def test_a_single_server_needs_no_redis_py() -> None:
    """Its import alone would be more than the rest of a cold start."""
    program = (
        "import sys; from consumers.cache.sink import open_sink;"
        "from shared.settings import Settings;"
        "open_sink(Settings(cache_url='redis://127.0.0.1:1')); print('redis' in sys.modules)"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert run.stdout.strip() == "False"
