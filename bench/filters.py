"""Filter patterns: matches per second of `shared.filters` against the ports to Python that exist.

One more can be installed, a binding to a port to Go, for x86_64 alone, that parses pattern and
record from text at each call: nothing that could stand in a filter's place, so it is left out.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson

from bench.figures import Figure, Scale
from bench.patterns import PATTERNS
from bench.side import Compared, Side, SideFailed, compare, give, lambda_environment
from bench.workload import prepared
from shared.filters import compile_filter

_RECORDS = 500
_ROUNDS = {Scale.SHORT: 5, Scale.FULL: 15}
_CALLS = 4

_filters = [compile_filter(pattern) for pattern in PATTERNS]


def measure(scale: Scale) -> list[Figure]:
    """Measure. Raises SideFailed if the two sides do not give the same verdicts."""
    found: list[Figure] = []
    environment = lambda_environment()
    for which, name, floor in (
        ("mapping", "ministack's event source mapping", 0.9),
        ("rules", "ministack's EventBridge", 3.5),
    ):
        with (
            Side("bench.filters:matches", environment) as ours,
            Side(f"bench.baseline.matching:{which}", environment) as theirs,
        ):
            sides = (ours, theirs)
            give("filters", prepared("audit", _RECORDS), sides, "bench.filters:records")
            verdicts = [side.ask("show", name="filters")["answer"] for side in sides]
            if verdicts[0] != verdicts[1]:
                raise SideFailed(f"{name} matches otherwise: {verdicts}")
            compared = compare(ours, theirs, "filters", rounds=_ROUNDS[scale], calls=_CALLS)
        found.append(_figure(f"matches against {name}", compared, floor))
    return found


def _figure(name: str, compared: Compared, floor: float) -> Figure:
    matches = _RECORDS * len(PATTERNS)
    return Figure(
        suite="filters",
        name=name,
        value=compared.ratio,
        unit="x",
        floor=floor,
        detail={
            "ours µs/match": compared.ours / matches * 1e6,
            "baseline µs/match": compared.theirs / matches * 1e6,
            "ours matches/s": matches / compared.ours,
            "baseline matches/s": matches / compared.theirs,
        },
    )


def records(path: str) -> Callable[[int], list[dict[str, Any]]]:
    """The records of a saved batch, parsed anew for each call."""
    texts = Path(path).read_bytes().split(b"\n")[1:]
    return lambda _: [orjson.loads(text) for text in texts]


def matches(given: list[dict[str, Any]], _: Any) -> list[int]:
    """Matches of each pattern."""
    return [sum(map(each.matches, given)) for each in _filters]
