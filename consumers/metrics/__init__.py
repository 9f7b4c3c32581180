"""The consumer that counts what the business does, in CloudWatch metrics."""

import json

from shared.alarms import FreshnessObjective
from shared.entities import PARTITION_KEY, Kind
from shared.spec import ConsumerSpec, Source


def _filter(kind: Kind, *changes: str) -> str:
    keys = {"dynamodb": {"Keys": {PARTITION_KEY: {"S": [{"prefix": kind.value}]}}}}
    return json.dumps({"eventName": changes, **keys} if changes else keys)


SPEC = ConsumerSpec(
    name="metrics",
    purpose="Counts orders, workflow steps and scores, with their values and durations.",
    destination="CloudWatch metrics, through the log",
    source=Source.KINESIS,
    filters=(
        _filter(Kind.ORDER, "INSERT", "MODIFY"),
        # A corrected score was submitted before.
        _filter(Kind.SCORE, "INSERT"),
        _filter(Kind.HEARTBEAT),
    ),
    reads=(
        "status",
        "paymentMethod",
        "totalAmount",
        "metadata.createdAt",
        "metadata.updatedAt",
        "workflowContext.retryCount",
        "difficulty",
        "Score",
    ),
    # To see which step ended, and how long it took.
    reads_old=("status", "metadata.updatedAt", "workflowContext.retryCount"),
    # Metrics have a resolution of one minute.
    freshness=FreshnessObjective(within_ms=15_000),
    timeout_seconds=30,
)
