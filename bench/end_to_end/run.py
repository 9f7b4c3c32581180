"""One pipeline, measured once, in a process of its own: `python -m bench.end_to_end.run ORDER`.

ORDER is an `Order` as JSON. The pipeline runs here as `fanout up` runs it, so this process's CPU
time is that of the mappings. What was measured goes as JSON into the order's file.
"""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import infra
from bench.end_to_end import loader
from bench.end_to_end.cpu import cpu_of, spent
from bench.end_to_end.invocations import Delivery, Invocations, changes_of
from consumers.registry import REGISTRY
from infra.local.pipeline import LOGS, Options, Pipeline
from infra.local.servers.programs import SEARCH
from infra.local.servers.server import Server
from infra.local.servers.stack import Given
from ops.verify.findings import Verdict
from ops.verify.run import verify_all

NOTES = "notes.json"
Times = dict[tuple[str, int], tuple[float, float]]
ROOT = Path(infra.__path__[0]).parent
_LOOK_SECONDS = 0.02
_DRAIN_SECONDS = 300.0
# Documents in a request of the plain loader; the better one counts.
_LOADS = (100, 1_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What to measure.

    Attributes:
        result: file for what was measured.
        state: state folder of the pipeline; a backlog lies in it already, or traffic is written.
        consumers: names; all five, one alone, or none to lay down a backlog.
        rate: changes a second to write, 0 for as fast as it goes.
        seconds: how long to write at most.
        changes: how many to write at most; 0 to write nothing: what the stream holds is drained.
        load: whether to send the same documents with a plain bulk loader afterwards.
    """

    result: str
    state: str
    consumers: list[str]
    rate: float = 0.0
    seconds: float = 600.0
    changes: int = 0
    load: bool = False


def measure(order: Order) -> dict[str, Any]:
    """Carry out an order; the result's members are described where they are made."""
    invocations = Invocations()
    invocations.hold()
    state = Path(order.state)
    specs = [spec for spec in REGISTRY if spec.name in order.consumers]
    # A search server of our own: a pipeline's own one is filled from the table when it resumes,
    # and then every change of a backlog would be old news to it.
    search = Server(SEARCH, state / "search-server", state / "search-logs")
    search.start()
    try:
        options = Options(given=Given(search=search.url))
        with Pipeline(specs, state, options) as pipeline:
            pids = _pids(pipeline, search, order.consumers)
            before, begun = cpu_of(pids), time.time()
            invocations.release()
            if order.changes:
                _write(order, state)
            _await_drained(pipeline)
            cpu, seconds = spent(before, cpu_of(pids)), time.time() - begun
            verdicts = _verify(pipeline, order.consumers)
        written = json.loads((state / NOTES).read_text(encoding="utf-8"))
        times = {(key, version): (start, end) for key, version, start, end in written}
        taken = _first_taken(invocations.deliveries)
        result = {
            "cpu": cpu,
            "seconds": seconds,
            "written": len(written),
            "taken": {name: len(changes.keys() & times) for name, changes in taken.items()},
            "drained": _drained(taken, times, begun),
            "parts": _parts(taken, times) if order.changes else {},
            "checked": {each.projection: each.checked for each in verdicts},
            "findings": {each.projection: len(each.findings) for each in verdicts},
        }
    finally:
        search.stop()
    if order.load:
        payloads = [each.payload for each in invocations.deliveries if each.consumer == "search"]
        result["loader"] = [loader.documents_per_second(state, payloads, size) for size in _LOADS]
    return result


def _pids(pipeline: Pipeline, search: Server, consumers: list[str]) -> dict[str, int]:
    pids = {"mapping": os.getpid(), "osmem": search.status().pid}
    pids |= {each.name: each.pid for each in pipeline.servers.status()}
    return pids | {f"worker {name}": pipeline.function(name).pids()[0] for name in consumers}


def _verify(pipeline: Pipeline, consumers: list[str]) -> list[Verdict]:
    """Compare with the table; metrics are compared with the archive, so only where there is one."""
    comparable = [name for name in consumers if name != "metrics" or "audit" in consumers]
    if not comparable:
        return []
    return verify_all(pipeline.deployment, pipeline.folder / LOGS, only=comparable)


def _write(order: Order, state: Path) -> None:
    """Have the traffic written, and noted, by another process."""
    numbers = ["1", str(order.rate), str(order.seconds), str(order.changes)]
    script = [sys.executable, "-m", "bench.end_to_end.writer", str(state), str(state / NOTES)]
    subprocess.run([*script, *numbers], check=True, cwd=ROOT)


def _await_drained(pipeline: Pipeline) -> None:
    since, end = int(time.time() * 1000), time.monotonic() + _DRAIN_SECONDS
    while not pipeline.drained(since):
        if time.monotonic() > end:
            raise TimeoutError(f"not drained: {pipeline.mapping_status()}")
        time.sleep(_LOOK_SECONDS)


def _first_taken(deliveries: list[Delivery]) -> dict[str, dict[tuple[str, int], Delivery]]:
    """By consumer and change, the delivery that took it first."""
    found: dict[str, dict[tuple[str, int], Delivery]] = {}
    for each in deliveries:
        taken = found.setdefault(each.consumer, {})
        for change in changes_of(each.payload):
            taken.setdefault(change, each)
    return found


def _drained(
    taken: dict[str, dict[tuple[str, int], Delivery]], times: Times, begun: float
) -> dict[str, float]:
    """By consumer, seconds from the start until it had taken its last written change."""
    return {
        name: max(each.ended for change, each in changes.items() if change in times) - begun
        for name, changes in taken.items()
    }


def _parts(
    taken: dict[str, dict[tuple[str, int], Delivery]], times: Times
) -> dict[str, list[list[float]]]:
    """By consumer and change, in ms: the whole, the write, the wait, the invocation.

    The whole is from just before the application's call to the end of the invocation that took
    the change first; the wait from the write's return (which may lie behind the delivery: then
    it is negative) to the begin of that invocation.
    """
    found: dict[str, list[list[float]]] = {}
    for name, changes in taken.items():
        rows = found[name] = []
        for change, each in changes.items():
            if change in times:
                before, after = times[change]
                row = (each.ended - before, after - before, each.begun - after)
                rows.append([round(1000 * part, 3) for part in (*row, each.ended - each.begun)])
    return found


def main(text: str) -> None:
    """Measure, and write the result."""
    order = Order(**json.loads(text))
    Path(order.result).write_text(json.dumps(measure(order)), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
