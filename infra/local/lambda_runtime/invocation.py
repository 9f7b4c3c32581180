"""What came of one invocation."""

from dataclasses import dataclass
from enum import StrEnum

from shared.errors import Retryable

# Lambda's name for every error of a function, a crash and a timeout included, as an event
# source mapping sees it (recorded: responseContext.functionError).
UNHANDLED = "Unhandled"


class NotRun(Retryable):
    """The function could not be run at all, as when AWS throttles it: no attempt counts."""


class Failure(StrEnum):
    """How an invocation failed."""

    RAISED = "the handler raised"
    INIT = "the function could not be initialized"
    TIMEOUT = "the function timed out"
    CRASHED = "the worker ended"
    RESPONSE = "the response was too large"


@dataclass(frozen=True, slots=True)
class Invocation:
    """One invocation that reached, or should have reached, the handler.

    Attributes:
        request_id: UUID that the handler saw as `context.aws_request_id`.
        response: JSON text of what the handler returned; None if it failed.
        failure: how it failed; None if it did not.
        error_type: name of the error, such as `ValueError` or `Sandbox.Timedout`.
        error_message: its text. A handler's error may quote an item: not for logs or screens.
        duration_ms: from handing over the payload to the answer.
        cold: a worker had to be started for it.
    """

    request_id: str
    response: bytes | None
    failure: Failure | None = None
    error_type: str = ""
    error_message: str = ""
    duration_ms: float = 0.0
    cold: bool = False

    @property
    def function_error(self) -> str | None:
        """Lambda's `FunctionError`: `Unhandled`, or None if the handler returned."""
        return UNHANDLED if self.failure else None

    def summary(self) -> str:
        """One line without the item's content, for status and logs."""
        if self.failure is None:
            return "returned"
        text = f"{self.failure}: {self.error_type}"
        # What stops an initialization is a setting or an import, never an item.
        return f"{text}: {self.error_message}" if self.failure is Failure.INIT else text
