"""Series: what is counted together, under one set of dimensions.

| dimensions | count | value of each |
|---|---|---|
| WorkflowType | WorkflowStarted | |
| WorkflowType, StepName, Success=true | WorkflowStepCompleted | WorkflowStepDuration |
| WorkflowType, StepName, Success=false | WorkflowStepFailed | WorkflowStepDuration |
| WorkflowType, Success | WorkflowCompleted | WorkflowTotalDuration |
| PaymentMethod | OrdersCreated | OrderValue |
| Difficulty | ScoresSubmitted | ScoreValue |

Each value of a dimension is a metric that CloudWatch bills, so ids never are one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from shared import metric_names
from shared.emf import check_dimension
from shared.metric_names import MetricName

# This table has one workflow.
WORKFLOW = {"WorkflowType": "ORDER"}
# More values of a dimension than this are no longer a dimension; they are only built anew then.
_KNOWN_VALUES = 1024


# Without slots, which make the class a second time.
@dataclass(frozen=True, eq=False)
class Series:
    """A count, the value that each counted thing has, and the dimensions they share.

    Compared and hashed by identity, which is quick; two series with the same content are no
    fault, and give two documents.

    Attributes:
        count: unit Count; what happened.
        value: a number that belongs to each; None if there is none.
        dimensions: names and values.
    """

    count: MetricName
    value: MetricName | None
    dimensions: Mapping[str, str]


# One thing that happened: its series, and its value, which is 1 where the series has none.
Sample = tuple[Series, float]

STARTED = Series(metric_names.WORKFLOW_STARTED, None, WORKFLOW)


def step_series(step: str, *, success: bool) -> Series:
    """The series of a workflow step that ended."""
    return Series(
        metric_names.WORKFLOW_STEP_COMPLETED if success else metric_names.WORKFLOW_STEP_FAILED,
        metric_names.WORKFLOW_STEP_DURATION,
        {**WORKFLOW, "StepName": step, **_success(success)},
    )


def ended_series(*, success: bool) -> Series:
    """The series of a workflow that ended."""
    return Series(
        metric_names.WORKFLOW_COMPLETED,
        metric_names.WORKFLOW_TOTAL_DURATION,
        {**WORKFLOW, **_success(success)},
    )


@lru_cache(_KNOWN_VALUES)
def orders_paid_by(method: str) -> Series:
    """The series of new orders with a payment method. Raises Malformed for no dimension."""
    dimensions = {"PaymentMethod": check_dimension(method)}
    return Series(metric_names.ORDERS_CREATED, metric_names.ORDER_VALUE, dimensions)


@lru_cache(_KNOWN_VALUES)
def scores_at(difficulty: str) -> Series:
    """The series of new scores of a difficulty. Raises Malformed for no dimension."""
    dimensions = {"Difficulty": check_dimension(difficulty)}
    return Series(metric_names.SCORES_SUBMITTED, metric_names.SCORE_VALUE, dimensions)


def _success(success: bool) -> dict[str, str]:
    return {"Success": "true" if success else "false"}
