"""Cold starts against the baselines': import and construction, first answer, memory.

Ratios are ours over theirs, so less is better. The goals are on import + construct: a fresh
interpreter imports the handler's module in the environment of a function, where ours opens its
sink, as the baseline makes its client, when it is imported. Ours comes out of the bundle that is
deployed, with no package beside; the baseline finds all packages, and imports what it needs.
The interpreter's own start is measured beside and taken off. Both sides have their bytecode.

From process to first answer nothing is taken off: interpreter and runtime client (`awslambdaric`)
are in it on both sides; the empty handler shows how much that is. There also counts what a side
leaves for its first batch, such as to connect.
"""

import tempfile
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from statistics import median
from typing import TypeVar

from bench.figures import Figure, Scale
from bench.first_answer import Answered, answer_once
from bench.fresh import ROOT, Start, deployed, start, with_bytecode
from bench.loopback import Loopback
from bench.side import SideFailed, lambda_environment
from bench.workload import prepared

SUITE = "cold_start"
# The most of the baseline's time that import + construct should take, and over which the guard
# fails: what is far over the goal was an import too many, not noise.
GOALS = {
    "audit": (0.5, 0.6),
    "metrics": (0.15, 0.35),
    "cache": (0.15, 0.3),
    "search": (0.5, 0.6),
    "totals": (0.5, 0.6),
}
_ROUNDS = {Scale.SHORT: 5, Scale.FULL: 11}
_FIRST_ANSWERS = 5
# Records of the first batch: enough for every step to be taken.
_RECORDS = 10
OURS = "consumers.{}.handler.handler"
# The parsers, without which no handler of ours can start: of JSON, and of what Kinesis carries;
# imported as `shared.payloads` does it.
_PARSERS = {
    "cache": "import sys; sys.modules['typing_extensions'] = None\n"
    "import orjson, msgspec.json, pybase64",
    "stream": "import orjson",
}
_PARSERS |= dict.fromkeys(("metrics", "search"), _PARSERS["cache"])

Measured = TypeVar("Measured", Start, Answered)
Environment = dict[str, str]


def measure(scale: Scale) -> list[Figure]:
    """Measure all consumers, each with its baseline in turns."""
    rounds = _ROUNDS[scale]
    found: list[Figure] = []
    with Loopback() as loopback, tempfile.TemporaryDirectory(prefix="fanout-bench-") as folder:
        for consumer in GOALS:
            environment = with_bytecode(lambda_environment(loopback, consumer), f"{folder}/pyc")
            bundle = deployed(consumer, Path(folder))
            found.append(imported(consumer, environment, bundle, rounds))
            if scale is Scale.FULL:
                environment["PYTHONPATH"] = str(ROOT)
                log = Path(folder) / f"{consumer}.log"
                found.append(answered(consumer, environment, loopback, log, _FIRST_ANSWERS))
    return found


def imported(consumer: str, environment: Environment, bundle: Path, rounds: int) -> Figure:
    """Import + construct: ours out of its bundle, the baseline with all that is installed here."""
    codes: dict[str, tuple[str, Path | None]] = {
        "interpreter": ("pass", None),
        "interpreter of ours": ("pass", bundle),
        "parsers": (_PARSERS.get(consumer, _PARSERS["stream"]), bundle),
        "ours": (f"import consumers.{consumer}.handler", bundle),
        "baseline": (f"import bench.baseline.{consumer}", None),
    }
    sides = {
        name: partial(start, code, environment, where) for name, (code, where) in codes.items()
    }
    starts = _in_turns(sides, rounds)
    walls = {name: [each.wall for each in made] for name, made in starts.items()}
    cpus = {name: [each.cpu for each in made] for name, made in starts.items()}
    ratio, least = _ratio(walls, "ours"), _ratio(walls, "parsers")
    at_most, floor = GOALS[consumer]
    return Figure(
        suite=SUITE,
        name=f"{consumer}, import + construct",
        value=ratio,
        unit="x",
        at_most=at_most,
        floor=floor,
        detail={
            "ours ms": _above(walls, "ours"),
            "baseline ms": _above(walls, "baseline"),
            "interpreter ms": median(walls["interpreter"]) * 1000,
            "ours CPU ms": _above(cpus, "ours"),
            "baseline CPU ms": _above(cpus, "baseline"),
            "CPU ratio": _ratio(cpus, "ours"),
            "parsers ms": _above(walls, "parsers"),
        },
        note=f"The interpreter's start is taken off on both sides; the parsers alone, with the "
        f"part of the standard library that they pull in, are {least:.2f} of the baseline.",
    )


def answered(
    consumer: str, environment: Environment, loopback: Loopback, log: Path, rounds: int
) -> Figure:
    """Process start to first answer, and the memory before and after it."""
    handlers = {
        "empty": "bench.empty.handler",
        "ours": OURS.format(consumer),
        "baseline": f"bench.baseline.{consumer}.handler",
    }
    event = prepared(consumer, _RECORDS).event(0)

    def once(side: str) -> Answered:
        loopback.take()
        begun = log.stat().st_size if log.exists() else 0
        result = answer_once(handlers[side], environment, event, log)
        # A consumer without a destination of its own prints: more than a line about the batch.
        wrote = loopback.take().calls or (log.stat().st_size - begun > _REPORT_BYTES)
        if side != "empty" and not wrote:
            raise SideFailed(f"{handlers[side]} answered and wrote nothing")
        return result

    sides = _in_turns({side: partial(once, side) for side in handlers}, rounds)
    walls = {name: [each.whole for each in made] for name, made in sides.items()}
    ours, theirs, empty = sides["ours"], sides["baseline"], sides["empty"]
    return Figure(
        suite=SUITE,
        name=f"{consumer}, process to first answer",
        value=median(a / b for a, b in zip(walls["ours"], walls["baseline"], strict=True)),
        unit="x",
        detail={
            "ours ms": median(walls["ours"]) * 1000,
            "baseline ms": median(walls["baseline"]) * 1000,
            "empty ms": median(walls["empty"]) * 1000,
            "ours init ms": median(each.init for each in ours) * 1000,
            "baseline init ms": median(each.init for each in theirs) * 1000,
            "ours init MB": median(each.init_mb for each in ours),
            "baseline init MB": median(each.init_mb for each in theirs),
            "ours MB": median(each.first_mb for each in ours),
            "baseline MB": median(each.first_mb for each in theirs),
            "empty MB": median(each.first_mb for each in empty),
        },
        note="Interpreter and runtime client are in both; an empty handler has nothing else.",
    )


_REPORT_BYTES = 2_000


def _in_turns(
    sides: Mapping[str, Callable[[], Measured]], rounds: int
) -> dict[str, list[Measured]]:
    """Run all sides in turns, in one order and the other; a first time of each is not counted."""
    for run in sides.values():
        run()
    found: dict[str, list[Measured]] = {name: [] for name in sides}
    for number in range(rounds):
        for name in _order(sides, number):
            found[name].append(sides[name]())
    return found


def _order(sides: Mapping[str, Callable[[], Measured]], number: int) -> Iterator[str]:
    return iter(list(sides) if number % 2 == 0 else reversed(list(sides)))


def _ratio(seconds: dict[str, list[float]], side: str) -> float:
    """A side's part over the baseline's, less the interpreter's start: the median of the rounds."""
    rounds = zip(
        seconds[side],
        seconds[_bare(side)],
        seconds["baseline"],
        seconds[_bare("baseline")],
        strict=True,
    )
    return median(
        (mine - my_bare) / (theirs - their_bare) for mine, my_bare, theirs, their_bare in rounds
    )


def _above(seconds: dict[str, list[float]], side: str) -> float:
    """Milliseconds over the interpreter's start."""
    return (median(seconds[side]) - median(seconds[_bare(side)])) * 1000


def _bare(side: str) -> str:
    """The interpreter to be taken off: without the machine's packages it starts sooner."""
    return "interpreter" if side == "baseline" else "interpreter of ours"
