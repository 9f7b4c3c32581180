"""Two sides of a comparison: workers in processes of their own, measured in turns."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Self

from bench.loopback import Loopback
from bench.workload import Prepared, save


class SideFailed(Exception):
    """A side could not do its work; its error stands above, on stderr."""


class Side:
    """A worker: `python -m bench.worker` with its target loaded."""

    def __init__(self, target: str, environment: Mapping[str, str]) -> None:
        """Start it and import `target` (`module:attribute`). Raises SideFailed."""
        self.target = target
        self._folder = tempfile.TemporaryDirectory(prefix="fanout-bench-")
        output = Path(self._folder.name) / "stdout"
        self._child = subprocess.Popen(
            [sys.executable, "-m", "bench.worker", str(output)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=dict(environment),
        )
        try:
            self.load(target)
        except SideFailed:
            self.close()
            raise

    def load(self, target: str) -> None:
        """From now on measure this one. Raises SideFailed."""
        self.target = target
        self.ask("load", target=target)

    def ask(self, do: str, **arguments: Any) -> dict[str, Any]:
        """Give an order and wait for its answer. Raises SideFailed."""
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        try:
            self._child.stdin.write(json.dumps({"do": do, **arguments}).encode() + b"\n")
            self._child.stdin.flush()
            line = self._child.stdout.readline()
        except BrokenPipeError:
            line = b""
        if not line:
            raise SideFailed(f"{self.target} failed at `{do}`: see its error above")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        """End the worker."""
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        self._child.stdin.close()
        self._child.stdout.close()
        self._child.wait(30)
        self._folder.cleanup()

    def __enter__(self) -> Self:
        """It runs already."""
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        self.close()


def lambda_environment(loopback: Loopback | None = None, consumer: str = "") -> dict[str, str]:
    """The environment of a function whose destinations are the loopback servers."""
    kept = ("PATH", "LD_LIBRARY_PATH", "PYTHONPATH", "PYTHONHASHSEED")
    environment = {name: os.environ[name] for name in kept if name in os.environ}
    http = loopback.http_url if loopback else "http://127.0.0.1:9"
    return environment | {
        "AWS_ACCESS_KEY_ID": "bench",
        "AWS_SECRET_ACCESS_KEY": "bench",
        "AWS_SESSION_TOKEN": "bench",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_REGION": "eu-west-1",
        "AWS_ENDPOINT_URL": http,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        # Asked only whether it is there: in Lambda a handler opens its sink as it is imported.
        "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9",
        "AWS_LAMBDA_FUNCTION_NAME": f"fanout-{consumer}",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "TZ": ":UTC",
        "FANOUT_TABLE": "fanout",
        "FANOUT_LEDGER_TABLE": "fanout-ledger",
        "FANOUT_ARCHIVE_BUCKET": "archive",
        "FANOUT_DLQ_URL": f"{http}/111122223333/{consumer or 'none'}-dlq",
        "FANOUT_CACHE_URL": loopback.cache_url if loopback else "redis://127.0.0.1:9/0",
        "FANOUT_SEARCH_URL": http,
    }


def give(
    name: str, batch: Prepared, sides: Iterable[Side], factory: str = "bench.workload:load"
) -> None:
    """Hand the records of a batch to workers; from now on `name` is their input.

    `factory` (`module:attribute`) makes the input of each call from the path of the saved batch.
    """
    with tempfile.TemporaryDirectory(prefix="fanout-bench-") as folder:
        path = Path(folder) / "records"
        save(batch, path)
        for side in sides:
            arguments = {"path": str(path)}
            side.ask("prepare", name=name, factory=factory, arguments=arguments)


@dataclass(frozen=True, slots=True)
class Compared:
    """What taking turns showed; times are medians in seconds per call.

    Attributes:
        ratio: theirs / ours, the median over rounds: how many times faster ours is.
        ours, theirs: wall time.
        ours_cpu, theirs_cpu: CPU time of the process.
    """

    ratio: float
    ours: float
    theirs: float
    ours_cpu: float
    theirs_cpu: float


@dataclass(frozen=True, slots=True)
class Turn:
    """What a side does in each round: so many calls with the input of this name."""

    side: Side
    name: str
    calls: int


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one call in seconds: the median of a turn's calls by the clock, their mean in CPU."""

    wall: float
    cpu: float


def take_turns(turns: Sequence[Turn], rounds: int) -> list[list[Cost]]:
    """For each round what each turn cost; every other round in the reverse order.

    Some calls of each go before, which are not counted.
    """
    for turn in turns:
        turn.side.ask("run", name=turn.name, calls=max(1, turn.calls // 10))
    found: list[list[Cost]] = []
    for number in range(rounds):
        places = range(len(turns))
        costs: dict[int, Cost] = {}
        for place in places if number % 2 == 0 else reversed(places):
            turn = turns[place]
            answer = turn.side.ask("run", name=turn.name, calls=turn.calls)
            cpu = sum(answer["cpu"]) / len(answer["cpu"])
            costs[place] = Cost(median(answer["wall"]) / 1e9, cpu / 1e9)
        found.append([costs[place] for place in places])
    return found


def compare(ours: Side, theirs: Side, name: str, *, rounds: int, calls: int) -> Compared:
    """Let both run in turns, each first as often as the other."""
    found = take_turns([Turn(ours, name, calls), Turn(theirs, name, calls)], rounds)
    return Compared(
        ratio=median(b.wall / a.wall for a, b in found),
        ours=median(a.wall for a, _ in found),
        theirs=median(b.wall for _, b in found),
        ours_cpu=median(a.cpu for a, _ in found),
        theirs_cpu=median(b.cpu for _, b in found),
    )
