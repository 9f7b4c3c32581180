"""One structured log line per failure; what is logged never holds an item's content."""

from functools import cache
from typing import Any

from shared.errors import FanoutError, shown


@cache
def _logger(consumer: str) -> Any:
    # Imported late: a batch without failures logs nothing here, and the import is felt.
    from aws_lambda_powertools import Logger

    return Logger(service=f"fanout-{consumer}")


def log_failure(consumer: str, outcome: str, sequence_number: str, error: Exception) -> None:
    """Log that a record was `outcome` (parked, retried) because of `error`.

    Of an error that is not ours only the type and the code's own lines are kept: its text may
    quote the item.
    """
    line: dict[str, Any] = {"outcome": outcome, "sequenceNumber": shown(sequence_number)}
    if isinstance(error, FanoutError):
        line |= {"error": type(error).__name__, "reason": error.reason, "hint": error.hint}
    if not isinstance(error, FanoutError) or error.__cause__ is not None:
        # Imported late, as the logger is.
        import traceback

        fault = error.__cause__ or error
        frames = traceback.extract_tb(fault.__traceback__)
        line["cause"] = type(fault).__name__
        line["at"] = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames[-6:]]
    _logger(consumer).error("record failed", **line)
