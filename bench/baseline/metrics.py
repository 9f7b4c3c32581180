"""Business metrics: EMF with values in arrays, folded per set of dimensions.

Choices: its own EMF documents, printed once per batch. Powertools' `add_metric` formats all values
so far into a debug line at each call, which would make this baseline slower than it need be.
"""

import json
import sys
import time
from collections import defaultdict
from datetime import datetime
from typing import Any

from aws_lambda_powertools.utilities.data_classes.kinesis_stream_event import KinesisStreamRecord

from bench.baseline.batches import Image, Response, from_kinesis, images

_NAMESPACE = "Fanout/Business"
_MOST_VALUES = 100
_UNITS = {"WorkflowStepDuration": "Milliseconds", "WorkflowTotalDuration": "Milliseconds"}
_COUNTS = frozenset(
    {"WorkflowStarted", "WorkflowStepCompleted", "WorkflowStepFailed", "WorkflowCompleted"}
    | {"OrdersCreated", "ScoresSubmitted"}
)

_STEPS = ("VALIDATION", "PAYMENT", "INVENTORY", "SHIPPING", "DELIVERY")
_DONE = {
    "PENDING_VALIDATION": 0,
    "VALIDATED": 1,
    "PAYMENT_FAILED": 1,
    "PAYMENT_ERROR": 1,
    "PAYMENT_COMPLETED": 2,
    "INVENTORY_UPDATED": 3,
    "SHIPPED": 4,
}
_SUCCESSES = ("VALIDATED", "PAYMENT_COMPLETED", "INVENTORY_UPDATED", "SHIPPED", "COMPLETED")
_FAILURES = {
    "VALIDATION_FAILED": "VALIDATION",
    "PAYMENT_FAILED": "PAYMENT",
    "PAYMENT_ERROR": "PAYMENT",
}
_RETRIED = frozenset({"PAYMENT_FAILED", "PAYMENT_ERROR"})
_FINAL = frozenset({"COMPLETED", "VALIDATION_FAILED", "PROCESSING_FAILED"})

Dimensions = tuple[tuple[str, str], ...]
# (dimensions, name of the count, name of the value if there is one, the value)
Sample = tuple[Dimensions, str, str, float]

_WORKFLOW = ("WorkflowType", "ORDER")

batches = from_kinesis("metrics")


def handler(event: dict[str, Any], _: Any) -> Response:
    """Count a batch."""
    counted = batches.read(event, samples)
    publish([sample for each in counted for sample in each])
    return batches.respond(event, len(counted))


def samples(record: KinesisStreamRecord) -> list[Sample] | None:
    """What one record adds."""
    payload = record.kinesis.data_as_json()
    name, change = payload["eventName"], payload["dynamodb"]
    partition = change["Keys"]["PK"]["S"]
    if name == "REMOVE" or not partition.startswith(("ORDER#", "SCORE#")):
        return None
    old, new = images(change)
    assert new is not None
    if partition.startswith("SCORE#"):
        if name != "INSERT":
            return None
        difficulty = (("Difficulty", new["difficulty"]),)
        return [(difficulty, "ScoresSubmitted", "ScoreValue", float(new["Score"]))]
    return _order_samples(old, new) or None


def _order_samples(old: Image | None, new: Image) -> list[Sample]:
    status = new["status"]
    if old is None:
        method = (("PaymentMethod", new["paymentMethod"]),)
        found: list[Sample] = [
            ((_WORKFLOW,), "WorkflowStarted", "", 1.0),
            (method, "OrdersCreated", "OrderValue", float(new["totalAmount"])),
        ]
        return found + _ended(new)
    before = old["status"]
    retries = [item["workflowContext"]["retryCount"] for item in (old, new)]
    if before == status and (status not in _RETRIED or retries[0] == retries[1]):
        return []
    found = []
    step = _step(before, status)
    if step:
        took = _milliseconds(old["metadata"]["updatedAt"], new["metadata"]["updatedAt"])
        success = status in _SUCCESSES
        count = "WorkflowStepCompleted" if success else "WorkflowStepFailed"
        dimensions = (_WORKFLOW, ("StepName", step), _success(success))
        found.append((dimensions, count, "WorkflowStepDuration", took))
    return found if before in _FINAL else found + _ended(new)


def _step(before: str, after: str) -> str | None:
    done = _DONE.get(before)
    if done is None:
        return None
    if after in _SUCCESSES:
        place = _SUCCESSES.index(after)
        return _STEPS[place] if place >= done else None
    return _STEPS[done] if after == "PROCESSING_FAILED" else _FAILURES.get(after)


def _ended(order: Image) -> list[Sample]:
    if order["status"] not in _FINAL:
        return []
    metadata = order["metadata"]
    took = _milliseconds(metadata["createdAt"], metadata["updatedAt"])
    dimensions = (_WORKFLOW, _success(order["status"] == "COMPLETED"))
    return [(dimensions, "WorkflowCompleted", "WorkflowTotalDuration", took)]


def _success(success: bool) -> tuple[str, str]:
    return ("Success", "true" if success else "false")


def _milliseconds(before: str, after: str) -> float:
    took = datetime.fromisoformat(after) - datetime.fromisoformat(before)
    return max(0.0, took.total_seconds() * 1000)


def publish(found: list[Sample]) -> None:
    """Print the documents of these samples at once."""
    folded: dict[tuple[Dimensions, str, str], list[float]] = defaultdict(list)
    for dimensions, count, value, number in found:
        folded[dimensions, count, value].append(number)
    timestamp = int(time.time() * 1000)
    lines = []
    for (dimensions, count, value), numbers in folded.items():
        for start in range(0, len(numbers), _MOST_VALUES):
            part = numbers[start : start + _MOST_VALUES]
            metrics: dict[str, Any] = {count: len(part)}
            if value:
                metrics[value] = part
            lines.append(json.dumps(_document(timestamp, dict(dimensions), metrics)))
    if lines:
        sys.stdout.write("\n".join(lines) + "\n")
        sys.stdout.flush()


def _document(
    timestamp: int, dimensions: dict[str, str], metrics: dict[str, Any]
) -> dict[str, Any]:
    definitions = [
        {"Name": name, "Unit": "Count" if name in _COUNTS else _UNITS.get(name, "None")}
        for name in metrics
    ]
    directive = {
        "Namespace": _NAMESPACE,
        "Dimensions": [list(dimensions)],
        "Metrics": definitions,
    }
    aws = {"Timestamp": timestamp, "CloudWatchMetrics": [directive]}
    return {"_aws": aws, **dimensions, **metrics}
