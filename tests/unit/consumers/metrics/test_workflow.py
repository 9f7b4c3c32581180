"""Which change of an order's status ends which step."""

from itertools import pairwise

from consumers.metrics.workflow import ENDED, RETRIED, STEP_ENDED, STEPS
from shared.entities import FINAL_STATUSES, ORDER_STATUSES


def step(before: str, after: str) -> tuple[str, bool] | None:
    series = STEP_ENDED.get((before, after))
    if series is None:
        return None
    well = series.count.name == "WorkflowStepCompleted"
    assert series.dimensions["Success"] == ("true" if well else "false")
    assert series.count.name in {"WorkflowStepCompleted", "WorkflowStepFailed"}
    return series.dimensions["StepName"], well


def test_the_straight_way_ends_each_step_once() -> None:
    path = ORDER_STATUSES[:6]
    assert path[-1] == "COMPLETED"
    ended = [step(*pair) for pair in pairwise(path)]
    assert ended == [(name, True) for name in STEPS]


def test_a_jump_ends_only_the_step_it_names() -> None:
    assert step("PENDING_VALIDATION", "SHIPPED") == ("SHIPPING", True)


def test_going_back_ends_nothing() -> None:
    path = ORDER_STATUSES[:6]
    for place, status in enumerate(path):
        assert [step(status, earlier) for earlier in path[: place + 1]] == [None] * (place + 1)


def test_nothing_ends_behind_a_final_status() -> None:
    assert not [pair for pair in STEP_ENDED if pair[0] in FINAL_STATUSES]


def test_a_failure_names_its_step_or_the_one_under_way() -> None:
    assert step("PENDING_VALIDATION", "VALIDATION_FAILED") == ("VALIDATION", False)
    for payment in ("PAYMENT_FAILED", "PAYMENT_ERROR"):
        assert step("VALIDATED", payment) == ("PAYMENT", False)
        assert step(payment, "PAYMENT_COMPLETED") == ("PAYMENT", True)
        assert step(payment, "PROCESSING_FAILED") == ("PAYMENT", False)
        assert step(payment, "VALIDATED") is None
    under_way = ["PENDING_VALIDATION", *ORDER_STATUSES[1:5]]
    assert [step(status, "PROCESSING_FAILED") for status in under_way] == [
        (name, False) for name in STEPS
    ]


def test_only_failed_payments_are_tried_again() -> None:
    assert {"PAYMENT_FAILED", "PAYMENT_ERROR"} == RETRIED
    for status in RETRIED:
        assert step(status, status) == ("PAYMENT", False)


def test_every_final_status_ends_the_workflow_and_one_of_them_well() -> None:
    assert {status: series.dimensions["Success"] for status, series in ENDED.items()} == {
        "COMPLETED": "true",
        "VALIDATION_FAILED": "false",
        "PROCESSING_FAILED": "false",
    }


def test_every_status_is_known() -> None:
    assert {status for pair in STEP_ENDED for status in pair} == set(ORDER_STATUSES)
