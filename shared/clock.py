"""Time: the wall clock, and how much of an invocation is left."""

import time
from typing import Any

from shared.errors import DeadlineNear

# What a handler keeps back for reporting, parking and telemetry after the last write.
RESERVE_SECONDS = 1.0


def now_ms() -> int:
    """Milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


class Deadline:
    """The moment at which work must have ended, on the monotonic clock."""

    __slots__ = ("_end",)

    def __init__(self, seconds: float) -> None:
        """A deadline `seconds` from now."""
        self._end = time.monotonic() + seconds

    @classmethod
    def of_invocation(cls, context: Any) -> "Deadline":
        """The deadline of a Lambda context, less the reserve; 15 minutes if it has none."""
        remaining = getattr(context, "get_remaining_time_in_millis", None)
        return cls(remaining() / 1000 - RESERVE_SECONDS if remaining else 900.0)

    def remaining(self) -> float:
        """Seconds left; negative once it is over."""
        return self._end - time.monotonic()

    def require(self, seconds: float, what: str) -> None:
        """Raise `DeadlineNear` unless `seconds` are left, so that nothing is begun in vain."""
        if self.remaining() < seconds:
            raise DeadlineNear(
                f"less than {seconds:g} s left before {what}",
                hint="lower the batch size or raise the timeout in the consumer's SPEC",
            )
