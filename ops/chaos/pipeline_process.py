"""The process that delivers, from outside: started, killed, started again, and what it has done."""

import os
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Self

from infra.local.lambda_runtime.environment import ROOT
from infra.local.mapping.numbers import MappingStatus, Numbers
from infra.local.pipeline import LOGS, Pipeline
from infra.local.servers.child import Child, spawn
from ops.chaos.mapped import PipelineOrder, Said
from shared.errors import FanoutError

_FOLDER = "pipeline"
# A start fails while a server is away; whoever runs `fanout up` as a service has it tried again.
_UP_SECONDS = 90.0
_AGAIN_SECONDS = 0.2
_LOOK_SECONDS = 0.02
_STOP_SECONDS = 30.0


class PipelineProcess:
    """Runs from enter to exit, and counts over all its lives. Safe to share between threads.

    Attributes:
        folder: its state folder, with the checkpoints.
    """

    def __init__(self, ground: Pipeline, order: PipelineOrder) -> None:
        """Run on the servers of `ground`, a pipeline that maps nothing itself."""
        self.folder = ground.folder / _FOLDER
        self.folder.mkdir(exist_ok=True)
        order.save(self.folder)
        # One log for each consumer, whoever started the worker: metrics are read from there.
        logs = self.folder / LOGS
        if not logs.is_symlink():
            logs.symlink_to(ground.folder / LOGS)
        self._log = ground.folder / LOGS / "pipeline.log"
        self._lock = threading.Lock()
        self._child: Child | None = None
        self._said: Said | None = None
        self._numbers: dict[str, Numbers] = {}
        self._workers: dict[str, int] = {}

    def __enter__(self) -> Self:
        """Start it and wait until it delivers. Raises FanoutError if it does not."""
        self._start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop it, in order."""
        if self._child is not None:
            self._child.stop(_STOP_SECONDS)
            self._child = None

    def kill(self) -> int:
        """SIGKILL, which takes its workers along; returns 1 once it delivers again."""
        with self._lock:
            child, self._child = self._child, None
            if child is None:
                return 0
            child.kill()
            child.stop(0)
            self._look(child.pid)
            self._add_up()
        self._start()
        return 1

    def mappings(self) -> tuple[MappingStatus, ...]:
        """Each consumer's mapping, counted over all lives; of one that begins, the last words.

        Raises FanoutError if the process has ended by itself.
        """
        with self._lock:
            if self._child is not None:
                if not self._child.alive():
                    raise FanoutError("the pipeline ended by itself", hint=f"see {self._log}")
                self._look(self._child.pid)
            assert self._said is not None, "it is not running"
            return tuple(self._with_earlier(each) for each in self._said.mappings)

    def caught_up_at_ms(self) -> dict[str, int]:
        """For each consumer: every change made until then has been dealt with."""
        return {each.consumer: each.caught_up_at_ms for each in self.mappings()}

    def drained(self, since_ms: int) -> bool:
        """Whether every consumer has dealt with every change made until `since_ms`."""
        return all(moment >= since_ms for moment in self.caught_up_at_ms().values())

    def workers_started(self, consumer: str) -> int:
        """How many workers of a consumer were started, over all lives."""
        with self._lock:
            now = 0 if self._child is None or self._said is None else self._said.workers[consumer]
            return self._workers.get(consumer, 0) + now

    def workers(self, consumer: str) -> tuple[int, ...]:
        """The process ids of a consumer's workers that run now."""
        child = self._child
        if child is None:
            return ()
        wanted = f"AWS_LAMBDA_FUNCTION_NAME=fanout-{consumer}".encode()
        return tuple(pid for pid in _children(child.pid) if wanted in _environment(pid))

    def _start(self) -> None:
        end = time.monotonic() + _UP_SECONDS
        while True:
            child = spawn(
                [sys.executable, "-m", "ops.chaos.mapped", str(self.folder)],
                log=self._log,
                environment={**os.environ, "PYTHONPATH": str(ROOT)},
            )
            while child.wait(_LOOK_SECONDS) is None:
                with self._lock:
                    if self._look(child.pid):
                        self._child = child
                        return
                if time.monotonic() > end:
                    child.kill()
            child.stop(0)
            if time.monotonic() > end:
                raise FanoutError("the pipeline does not come up again", hint=f"see {self._log}")
            time.sleep(_AGAIN_SECONDS)

    def _look(self, pid: int) -> bool:
        """Take in what it says; whether these are the words of this very process."""
        said = Said.load(self.folder)
        if said is None or said.pid != pid:
            return False
        self._said = said
        return True

    def _add_up(self) -> None:
        """Its life is over: what it has done counts as done earlier."""
        assert self._said is not None
        for each in self._said.mappings:
            self._numbers.setdefault(each.consumer, Numbers()).add(each.numbers)
        for consumer, count in self._said.workers.items():
            self._workers[consumer] = self._workers.get(consumer, 0) + count
        mappings = tuple(replace(each, numbers=Numbers()) for each in self._said.mappings)
        self._said = replace(self._said, mappings=mappings)

    def _with_earlier(self, status: MappingStatus) -> MappingStatus:
        numbers = replace(self._numbers.get(status.consumer, Numbers()))
        numbers.add(status.numbers)
        return replace(status, numbers=numbers)


def _children(parent: int) -> Iterator[int]:
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            # The name, in brackets, may hold anything; the parent is the second field behind it.
            fields = status.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has ended just now
        if int(fields[1]) == parent:
            yield int(status.parent.name)


def _environment(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except (FileNotFoundError, ProcessLookupError):
        return []
