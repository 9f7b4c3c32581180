"""Where the emulator differs from DynamoDB in a way that Fanout would feel, and can be put right.

- A sum was rounded to 28 digits, Python's default, in ADD and SET; DynamoDB is exact to 38 digits
  and refuses what needs more (Developer Guide, "Data types": Number).
- A transaction stored the sum as Python prints it (`1E+2`), not in DynamoDB's canonical form.
- Sequence numbers followed the wall clock, also backwards; they only ever grow (Streams API
  reference, "StreamRecord": SequenceNumber).
- A transaction's token remembered the whole request for ten minutes; a digest does.
"""

import decimal
import hashlib
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ministack.services import dynamodb

from infra.local.servers.aws.hooks import replace

# A sum of two numbers of DynamoDB reaches from digit 126 before the point to digit 168 after it.
EXACT_DIGITS = 400
_COUNT_DIGITS = 10


class Sequence:
    """Sequence numbers in the emulator's form: 20 digits of milliseconds, 10 of a counter."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.milliseconds = 0
        self.count = 0
        self._clock = clock
        self._lock = threading.Lock()

    def next(self) -> str:
        """A number greater than all before it, whatever the clock does."""
        with self._lock:
            self.milliseconds = max(self.milliseconds, int(self._clock() * 1000))
            self.count += 1
            return f"{self.milliseconds:020d}{self.count:0{_COUNT_DIGITS}d}"

    def resume(self, milliseconds: int, count: int) -> None:
        """Go on from numbers of an earlier run."""
        with self._lock:
            self.milliseconds = max(self.milliseconds, milliseconds)
            self.count = max(self.count, count)

    def resume_after(self, number: str) -> None:
        """Go on from a sequence number of an earlier run."""
        self.resume(int(number[:-_COUNT_DIGITS]), int(number[-_COUNT_DIGITS:]))


SEQUENCE = Sequence()


@dataclass(frozen=True, slots=True, eq=False)
class RequestDigest:
    """Stands for a transaction's request; equal to every request that says the same."""

    hex: str

    @classmethod
    def of(cls, request: Any) -> "RequestDigest":
        """The digest of a request's parameters."""
        if isinstance(request, cls):
            return request
        text = json.dumps(request, sort_keys=True, separators=(",", ":"))
        return cls(hashlib.sha256(text.encode()).hexdigest())

    def __eq__(self, other: object) -> bool:
        return self.hex == RequestDigest.of(other).hex

    __hash__ = None  # type: ignore[assignment]  # equal to dicts, which have none either


def correct() -> None:
    """Put right what is wrong; call on the thread that will serve requests, before it does."""
    for context in (decimal.DefaultContext, decimal.getcontext()):
        context.prec = EXACT_DIGITS
    replace(dynamodb, "_next_stream_seq", lambda _original: SEQUENCE.next)
    replace(dynamodb, "_apply_update_expression", _canonical)


def _canonical(apply: Callable[..., Any]) -> Callable[..., Any]:
    """Numbers that an update computes, in canonical form or refused with DynamoDB's reason."""

    def hooked(item: Any, expression: str, values: Any, names: Any, updated: Any = None) -> Any:
        result, changed = apply(item, expression, values, names, updated)
        for name in {path[0] if isinstance(path, tuple) else path for path in changed}:
            if name in result:
                result[name] = _canonical_value(result[name])
        return result, changed

    return hooked


def _canonical_value(value: Any) -> Any:
    ((kind, inner),) = value.items()
    if kind == "N":
        return {"N": _canonical_number(inner)}
    if kind == "NS":
        return {"NS": [_canonical_number(number) for number in inner]}
    if kind == "L":
        return {"L": [_canonical_value(element) for element in inner]}
    if kind == "M":
        return {"M": {name: _canonical_value(element) for name, element in inner.items()}}
    return value


def _canonical_number(text: str) -> str:
    if error := dynamodb._number_error(text):
        raise ValueError(error)
    return str(dynamodb._ddb_canonicalize_number(text))
