"""What one record adds, and that nothing is read which no rule needs."""

from typing import Any

import pytest

from consumers.metrics import SPEC
from consumers.metrics.projection import Counted, project
from shared.envelopes import read_records
from shared.errors import Malformed
from shared.filters import compile_filter
from shared.records import Record
from tests.support.records import event, heartbeat, kinesis_record, order, score, stream_record


def record(raw: dict[str, Any]) -> Record:
    (read,) = read_records(event(raw))
    assert isinstance(read, Record)
    return read


def counts(counted: Counted | None) -> list[str]:
    return [series.count.name for series, _ in counted.samples] if counted else []


def test_both_envelopes_give_the_same() -> None:
    change = order(status="VALIDATED"), order(version=2, status="PAYMENT_COMPLETED")
    operation = project(record(stream_record(*change)))
    assert operation == project(record(kinesis_record(*change)))
    assert counts(operation) == ["WorkflowStepCompleted"]


def test_only_what_a_rule_needs_is_read() -> None:
    """Everything else of both images is damaged, and nobody notices."""
    needed = {"PK", "SK", "status", "metadata"}
    raw = stream_record(order(status="VALIDATED"), order(status="PAYMENT_COMPLETED"))
    for image in (raw["dynamodb"]["OldImage"], raw["dynamodb"]["NewImage"]):
        for name in image.keys() - needed:
            image[name] = {"??": object()}
    assert counts(project(record(raw))) == ["WorkflowStepCompleted"]
    raw = stream_record(None, order())
    image = raw["dynamodb"]["NewImage"]
    for name in image.keys() - {"PK", "SK", "status", "totalAmount", "paymentMethod"}:
        image[name] = {"??": object()}
    assert counts(project(record(raw))) == ["WorkflowStarted", "OrdersCreated"]


@pytest.mark.parametrize("name", ["totalAmount", "paymentMethod", "status"])
def test_an_order_without_what_is_counted_is_malformed(name: str) -> None:
    raw = stream_record(None, order())
    del raw["dynamodb"]["NewImage"][name]
    with pytest.raises(Malformed, match=f"^{name} is absent") as caught:
        project(record(raw))
    assert caught.value.hint


def test_a_removal_is_not_even_looked_at() -> None:
    raw = stream_record(order(), None)
    raw["dynamodb"] = {"SequenceNumber": raw["dynamodb"]["SequenceNumber"]}
    assert project(record(raw)) is None


def test_a_record_without_an_event_id_cannot_be_counted_once() -> None:
    raw = stream_record(None, order())
    del raw["eventID"]
    with pytest.raises(Malformed, match="has no eventID"):
        project(record(raw))


@pytest.mark.parametrize("place", ["eventID", "PK"])
def test_what_no_utf8_can_hold_is_poison_of_its_record(place: str) -> None:
    raw = stream_record(None, order())
    if place == "PK":
        raw["dynamodb"]["Keys"]["PK"]["S"] = "ORDER#\ud800"
    else:
        raw["eventID"] = "\udfff"
    with pytest.raises(Malformed, match="surrogate"):
        project(record(raw))


def test_ids_beyond_ascii_are_fine() -> None:
    operation = project(record(stream_record(None, order("ø-1"))))
    assert operation is not None
    assert operation.item == "ORDER#ø-1"


def test_no_personal_data_is_in_an_operation() -> None:
    operation = project(record(stream_record(None, order())))
    shown = repr(operation)
    for private in ("Ada", "example.org", "7946", "Square"):
        assert private not in shown


@pytest.mark.parametrize(
    ("raw", "passes"),
    [
        (stream_record(None, order()), True),
        (stream_record(order(), order(version=2)), True),
        (stream_record(order(), None), False),
        (stream_record(None, score()), True),
        (stream_record(score(), score(version=2)), False),
        (stream_record(score(), None), False),
        (stream_record(None, heartbeat()), True),
        (stream_record(heartbeat(), heartbeat()), True),
        (stream_record(None, {"PK": "TOTAL#u-1", "SK": "TOTAL"}), False),
    ],
)
def test_the_filters_let_through_what_counts(raw: dict[str, Any], passes: bool) -> None:
    assert any(compile_filter(pattern).matches(raw) for pattern in SPEC.filters) is passes
    assert passes or project(record(raw)) is None, "what is filtered would not have counted"
