"""From the start of a process to its first answer, under Lambda's runtime client."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.side import SideFailed
from bench.workload import Event
from infra.local.lambda_runtime import Function

_TIMEOUT_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Answered:
    """What one cold invocation took.

    Attributes:
        init: seconds from the start of the process until its handler was loaded.
        first: seconds of the first invocation, after that.
        init_mb, first_mb: the most memory held until then (VmHWM).
    """

    init: float
    first: float
    init_mb: float
    first_mb: float

    @property
    def whole(self) -> float:
        """Seconds from the start to the answer."""
        return self.init + self.first


def answer_once(handler: str, environment: Mapping[str, str], event: Event, log: Path) -> Answered:
    """Start a worker for `handler`, give it `event`, end it.

    `handler` is a dotted path. What it prints is appended to `log`. Raises SideFailed if it does
    not take the event whole.
    """
    payload = json.dumps(event).encode()
    function = Function("bench", handler, environment, log, _TIMEOUT_SECONDS)
    try:
        began = time.perf_counter()
        function.warm()
        ready = time.perf_counter()
        pids = function.pids()
        if not pids:
            raise SideFailed(f"{handler} cannot be loaded: see {log}")
        init_mb = _peak_mb(pids[0])
        asked = time.perf_counter()
        invocation = function.invoke(payload)
        answered = time.perf_counter()
        if invocation.failure or invocation.cold or _failures(invocation.response):
            raise SideFailed(f"{handler}: {invocation.summary()}; {invocation.response!r}")
        return Answered(ready - began, answered - asked, init_mb, _peak_mb(pids[0]))
    finally:
        function.stop()


def _failures(response: bytes | None) -> bool:
    return bool(json.loads(response or b"{}").get("batchItemFailures"))


def _peak_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024
