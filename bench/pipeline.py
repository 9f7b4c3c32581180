"""The local pipeline end to end, on its embedded servers, as `fanout up` runs it.

- Freshness at 100 changes a second: from just before the application's call until the worker that
  took the change has answered, so the write itself and the sink's call are in it. `write ms` and
  `invocation ms` name the servers' shares.
- Throughput: a backlog lies in the stream, then the consumers begin at once, or one alone. The CPU
  of each process is told in µs per change of the backlog.

Each run is a process of its own (`bench.end_to_end.run`) and ends with `fanout verify`'s
comparison; a run that lost anything raises.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.end_to_end.run import ROOT, Order
from bench.figures import Figure, Scale
from consumers.registry import REGISTRY

_SUITE = "pipeline"
_ALL = [spec.name for spec in REGISTRY]
_RATE = 100.0
_MEDIAN_MS, _P99_MS = 50.0, 250.0
_PER_SECOND = 1_000.0
_OF_THE_LOADER = 0.8


class NotWhole(Exception):
    """A change did not arrive: what was measured is worth nothing."""


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured.

    Attributes:
        seconds: of paced traffic.
        backlog: changes.
        alone: the consumers that are also measured alone.
    """

    seconds: float
    backlog: int
    alone: tuple[str, ...]


_SIZES = {
    Scale.SHORT: Size(20.0, 9_000, ("search",)),
    Scale.FULL: Size(60.0, 20_000, tuple(_ALL)),
}


def measure(scale: Scale) -> list[Figure]:
    """Measure freshness, then throughput. Raises NotWhole if a projection lacks anything."""
    return measure_size(_SIZES[scale])


def measure_size(size: Size) -> list[Figure]:
    """As `measure`, in another size."""
    with tempfile.TemporaryDirectory(prefix="fanout-bench-") as name:
        folder = Path(name)
        paced = _run(folder / "paced", _ALL, rate=_RATE, seconds=size.seconds, changes=1_000_000)
        backlog = folder / "backlog"
        laid = _run(backlog, [], changes=size.backlog)
        together = _drain(backlog, folder / "together", _ALL)
        alone = {each: _drain(backlog, folder / each, [each]) for each in size.alone}
        require_the_same(together, alone)
        return [
            *_freshness(paced),
            _writes(laid),
            *_throughput(together, ", all five at once"),
            *(each for result in alone.values() for each in _throughput(result, ", alone")),
            *(_against_the_loader(result) for name, result in alone.items() if name == "search"),
        ]


def _run(state: Path, consumers: Sequence[str], **order: Any) -> dict[str, Any]:
    result = state.with_suffix(".json")
    asked = Order(result=str(result), state=str(state), consumers=list(consumers), **order)
    command = [sys.executable, "-m", "bench.end_to_end.run", json.dumps(asdict(asked))]
    subprocess.run(command, check=True, cwd=ROOT)
    found: dict[str, Any] = json.loads(result.read_text(encoding="utf-8"))
    require_whole(found, consumers)
    return found


def require_whole(found: Mapping[str, Any], consumers: Sequence[str]) -> None:
    """Raise NotWhole unless all that was written arrived.

    The comparison with the table shows it for the projections; that `audit` and `cache`, which
    are told of every change, took each one, is counted besides, since an empty cache has nothing
    to compare.
    """
    for consumer in consumers:
        if findings := found["findings"].get(consumer):
            raise NotWhole(f"{consumer}: {findings} findings")
        if not found["taken"].get(consumer):
            raise NotWhole(f"{consumer} took nothing")
        if consumer in ("audit", "cache") and found["taken"][consumer] != found["written"]:
            raise NotWhole(f"{consumer} took {found['taken'][consumer]} of {found['written']}")


def require_the_same(together: Mapping[str, Any], alone: Mapping[str, Mapping[str, Any]]) -> None:
    """Raise NotWhole unless each consumer took alone what it took beside the others."""
    for consumer, found in alone.items():
        if found["taken"] != {consumer: together["taken"][consumer]}:
            raise NotWhole(f"{consumer} took another number of changes alone: {found['taken']}")


def _drain(backlog: Path, state: Path, consumers: Sequence[str]) -> dict[str, Any]:
    shutil.copytree(backlog, state)
    try:
        return _run(state, consumers, load=list(consumers) == ["search"])
    finally:
        shutil.rmtree(state)


def _freshness(found: Mapping[str, Any]) -> Iterator[Figure]:
    cpu = _per_change(found)
    for consumer in _ALL:
        whole, write, wait, invocation = zip(*found["parts"][consumer], strict=True)
        detail = {
            **{
                f"{name} ms": percentile(part, 0.5)
                for name, part in _named(write, wait, invocation)
            },
            **{
                f"{name} p99 ms": percentile(part, 0.99)
                for name, part in _named(write, wait, invocation)
            },
        }
        for name, share, goal in (("p50", 0.5, _MEDIAN_MS), ("p99", 0.99, _P99_MS)):
            yield Figure(
                suite=_SUITE,
                name=f"{consumer}, freshness {name} at {_RATE:.0f} changes/s",
                value=percentile(whole, share),
                unit="ms",
                at_most=goal,
                detail=detail,
            )
    yield Figure(
        suite=_SUITE,
        name=f"CPU at {_RATE:.0f} changes/s",
        value=sum(cpu.values()),
        unit="µs/change",
        detail=cpu,
    )


def _named(*parts: Sequence[float]) -> Iterator[tuple[str, Sequence[float]]]:
    yield from zip(("write", "wait", "invocation"), parts, strict=True)


def _writes(found: Mapping[str, Any]) -> Figure:
    return Figure(
        suite=_SUITE,
        name="writes, nobody reads",
        value=found["written"] / found["seconds"],
        unit="changes/s",
        detail=_per_change(found),
        note="what the embedded server takes of the application, which writes with conditions",
    )


def _throughput(found: Mapping[str, Any], how: str) -> Iterator[Figure]:
    for consumer, seconds in sorted(found["drained"].items()):
        yield Figure(
            suite=_SUITE,
            name=f"{consumer}{how}",
            value=found["written"] / seconds,
            unit="changes/s",
            at_least=_PER_SECOND,
            detail=_per_change(found),
        )


def _against_the_loader(found: Mapping[str, Any]) -> Figure:
    best = max(each["per_second"] for each in found["loader"])
    documents = found["taken"]["search"] / found["drained"]["search"]
    return Figure(
        suite=_SUITE,
        name="search alone, against a plain bulk loader",
        value=documents / best,
        unit="x",
        at_least=_OF_THE_LOADER,
        detail={"documents/s": documents, "loader documents/s": best},
        note="the loader sends the same documents, made beforehand, to a server of its own",
    )


def _per_change(found: Mapping[str, Any]) -> dict[str, float]:
    """CPU of each process, in µs per change written."""
    return {name: 1e6 * seconds / found["written"] for name, seconds in found["cpu"].items()}


def percentile(values: Sequence[float], share: float) -> float:
    """The value that `share` of the values do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]
