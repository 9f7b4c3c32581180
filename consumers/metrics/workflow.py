"""The workflow of an order: which change of its status ends which step, and how.

| from | to | step that ended |
|---|---|---|
| a status before it | VALIDATED | VALIDATION, well |
| a status before it | PAYMENT_COMPLETED | PAYMENT, well |
| a status before it | INVENTORY_UPDATED | INVENTORY, well |
| a status before it | SHIPPED | SHIPPING, well |
| a status before it | COMPLETED | DELIVERY, well |
| any that is not final | VALIDATION_FAILED | VALIDATION, badly |
| any that is not final | PAYMENT_FAILED, PAYMENT_ERROR | PAYMENT, badly |
| any that is not final | PROCESSING_FAILED | the one that was under way, badly |

PAYMENT_FAILED and PAYMENT_ERROR come before PAYMENT_COMPLETED, as VALIDATED does: the payment is
still under way, and is tried again. A retry that fails alike leaves the status as it is and shows
in the retry count; it is a failure of its own. A status that jumps over others ends only the step
that it names, since nothing is known of the rest. One that goes back, one that this table
does not name, and one that leaves a final status, end no step.
"""

from consumers.metrics.series import Series, ended_series, step_series
from shared.entities import FINAL_STATUSES

# How many steps are done in each status that is not final; the step under way is the next.
_DONE = {
    "PENDING_VALIDATION": 0,
    "VALIDATED": 1,
    "PAYMENT_FAILED": 1,
    "PAYMENT_ERROR": 1,
    "PAYMENT_COMPLETED": 2,
    "INVENTORY_UPDATED": 3,
    "SHIPPED": 4,
}
# Steps in their order, named as `workflowContext.currentStep` names them, and the status
# that says that each is done.
STEPS = ("VALIDATION", "PAYMENT", "INVENTORY", "SHIPPING", "DELIVERY")
_STATUS_OF_DONE = ("VALIDATED", "PAYMENT_COMPLETED", "INVENTORY_UPDATED", "SHIPPED", "COMPLETED")
_STEP_OF_FAILURE = {
    "VALIDATION_FAILED": "VALIDATION",
    "PAYMENT_FAILED": "PAYMENT",
    "PAYMENT_ERROR": "PAYMENT",
}
SUCCESS = "COMPLETED"

# The statuses in which a step that failed is tried again.
RETRIED = frozenset(_STEP_OF_FAILURE) - FINAL_STATUSES


def _transitions() -> dict[tuple[str, str], Series]:
    well = {step: step_series(step, success=True) for step in STEPS}
    badly = {step: step_series(step, success=False) for step in STEPS}
    table: dict[tuple[str, str], Series] = {}
    for before, done in _DONE.items():
        for place in range(done, len(STEPS)):
            table[before, _STATUS_OF_DONE[place]] = well[STEPS[place]]
        for after, step in _STEP_OF_FAILURE.items():
            table[before, after] = badly[step]
        table[before, "PROCESSING_FAILED"] = badly[STEPS[done]]
    return table


# (status before, status after) -> the series of the step that ended.
STEP_ENDED = _transitions()

# Final status -> the series of the workflow that ended.
ENDED = {status: ended_series(success=status == SUCCESS) for status in FINAL_STATUSES}
