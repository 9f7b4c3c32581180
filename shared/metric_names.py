"""Every metric that Fanout writes: its name, unit, and what it tells. Nothing else names one.

`docs/metrics.md` is checked against this file. The namespace of the pipeline's own health is
apart from the business's, so that analysts and the people on call do not meet in one list.
"""

from typing import NamedTuple

PIPELINE = "Fanout/Pipeline"
BUSINESS = "Fanout/Business"

# The one dimension of every pipeline metric.
CONSUMER = "Consumer"


class MetricName(NamedTuple):
    """A metric's name in CloudWatch, its CloudWatch unit, and one line on its meaning."""

    name: str
    unit: str
    meaning: str


RECORDS = MetricName("Records", "Count", "Records received in a batch, before anything is done.")
OPERATIONS = MetricName("Operations", "Count", "Writes that the batch's records asked for.")
PARKED = MetricName("Parked", "Count", "Poison records put into the dead-letter queue.")
RETRIED = MetricName(
    "Retried", "Count", "Records reported as failed, with all behind them: Lambda redelivers them."
)
CONFLICTS = MetricName(
    "Conflicts", "Count", "Writes that found something newer in place: normal after a redelivery."
)
FRESHNESS = MetricName(
    "Freshness",
    "Milliseconds",
    "From the writing of a heartbeat to its effect in the destination.",
)
BATCH_DURATION = MetricName("BatchDuration", "Milliseconds", "Time in the handler for one batch.")

ORDERS_CREATED = MetricName("OrdersCreated", "Count", "Orders that appeared, by payment method.")
ORDER_VALUE = MetricName("OrderValue", "None", "totalAmount of new orders, by payment method.")
WORKFLOW_STARTED = MetricName("WorkflowStarted", "Count", "Order workflows that began.")
WORKFLOW_STEP_COMPLETED = MetricName(
    "WorkflowStepCompleted", "Count", "Workflow steps that ended well, by step."
)
WORKFLOW_STEP_DURATION = MetricName(
    "WorkflowStepDuration", "Milliseconds", "Time between the two states that bound a step."
)
WORKFLOW_STEP_FAILED = MetricName("WorkflowStepFailed", "Count", "Steps that failed, by step.")
WORKFLOW_COMPLETED = MetricName(
    "WorkflowCompleted", "Count", "Workflows that ended, well or not (dimension Success)."
)
WORKFLOW_TOTAL_DURATION = MetricName(
    "WorkflowTotalDuration", "Milliseconds", "From an order's creation to its final status."
)
SCORES_SUBMITTED = MetricName("ScoresSubmitted", "Count", "Scores that appeared, by difficulty.")
SCORE_VALUE = MetricName("ScoreValue", "None", "Value of new scores, by difficulty.")

PIPELINE_METRICS = (
    RECORDS,
    OPERATIONS,
    PARKED,
    RETRIED,
    CONFLICTS,
    FRESHNESS,
    BATCH_DURATION,
)
BUSINESS_METRICS = (
    ORDERS_CREATED,
    ORDER_VALUE,
    WORKFLOW_STARTED,
    WORKFLOW_STEP_COMPLETED,
    WORKFLOW_STEP_DURATION,
    WORKFLOW_STEP_FAILED,
    WORKFLOW_COMPLETED,
    WORKFLOW_TOTAL_DURATION,
    SCORES_SUBMITTED,
    SCORE_VALUE,
)
