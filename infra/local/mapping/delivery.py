"""What one invocation means for its batch. Pure: no clock, no client.

The rules are those of Lambda's event source mappings for streams. Source: Lambda developer
guide, "Configuring partial batch response with DynamoDB and Lambda" and "Retain discarded
records"; recorded deliveries on AWS.
"""

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from infra.local.lambda_runtime.invocation import Invocation
from infra.local.mapping.source import Entry

# Lambda's limit on a synchronous invocation's payload.
MAX_PAYLOAD_BYTES = 6 * 1024 * 1024
_ENVELOPE_BYTES = len(b'{"Records":[]}')

_FIRST_PAUSE = 0.1
_LAST_PAUSE = 5.0


@dataclass(slots=True)
class Batch:
    """Records that are delivered together until all are done.

    Attributes:
        entries: in order; those that are done are taken out from the front.
        tries: invocations that count, since it was cut this way or its front was done.
        last: outcome of the last of them.
    """

    entries: list[Entry]
    tries: int = 0
    last: Invocation | None = None

    def older_than(self, moment: float) -> int:
        """How many records at the front arrived before `moment`, in seconds since the epoch."""
        fresh = (place for place, entry in enumerate(self.entries) if entry.arrived >= moment)
        return next(fresh, len(self.entries))

    def halves(self) -> tuple["Batch", "Batch"]:
        """The batch in two, each with its whole budget: a split is no retry."""
        middle = (len(self.entries) + 1) // 2
        return Batch(self.entries[:middle], last=self.last), Batch(
            self.entries[middle:], last=self.last
        )


@dataclass(frozen=True, slots=True)
class Verdict:
    """Which records of a batch are done.

    Attributes:
        done: how many of them, from the front.
        splits: the failure says nothing about where it lies, so that halving may find it.
        reason: for status, why not all are done.
    """

    done: int
    splits: bool = False
    reason: str = ""


def judge(invocation: Invocation, entries: Sequence[Entry], report_failures: bool) -> Verdict:
    """What an invocation did with `entries`.

    Args:
        invocation: its outcome.
        entries: its batch, in order.
        report_failures: whether the mapping has ReportBatchItemFailures.
    """
    if invocation.failure is not None or invocation.response is None:
        return Verdict(0, splits=True, reason=invocation.summary())
    if not report_failures:
        return Verdict(len(entries))
    try:
        response = json.loads(invocation.response)
    except (ValueError, RecursionError):
        return _INVALID
    return _judge_response(response, entries)


_INVALID = Verdict(0, splits=True, reason="the function returned no valid partial response")


def _judge_response(response: Any, entries: Sequence[Entry]) -> Verdict:
    if response is None or response in ("", [], {}):
        return Verdict(len(entries))
    if not isinstance(response, dict):
        return _INVALID
    failures = response.get("batchItemFailures")
    if failures is None or failures == []:
        return Verdict(len(entries))
    if not isinstance(failures, list):
        return _INVALID
    places = {entry.sequence_number: place for place, entry in enumerate(entries)}
    first = len(entries)
    for failure in failures:
        named = failure.get("itemIdentifier") if isinstance(failure, dict) else None
        # One identifier that is not of this batch, and nothing of the answer can be trusted.
        if not isinstance(named, str) or named not in places:
            return _INVALID
        first = min(first, places[named])
    return Verdict(first, reason=f"the function reported failures from record {first + 1} on")


def fitting(entries: Sequence[Entry], batch_size: int) -> int:
    """How many entries, at least one, go into one invocation."""
    left = MAX_PAYLOAD_BYTES - _ENVELOPE_BYTES
    for count, entry in enumerate(entries[:batch_size]):
        left -= len(entry.encoded) + 1
        if left < -1 and count:  # the last record has no comma behind it
            return count
    return min(len(entries), batch_size)


def pause_seconds(failures: int, chance: random.Random) -> float:
    """How long to wait after `failures` failures in a row: soon first, then less and less."""
    longest = min(_LAST_PAUSE, _FIRST_PAUSE * 2.0 ** min(failures - 1, 10))
    return longest * chance.uniform(0.5, 1.0)
