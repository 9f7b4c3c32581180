"""A simulated day of the event source mapping: real readers, no threads, a clock that jumps.

Everything that the mapping does in earnest is done by its own code: discovering shards, reading
pages, filtering, batching, invoking, judging, retrying, giving up, keeping checkpoints. Simulated
are the stream behind its API, time, the functions, the destination and the disk's power.
"""

from __future__ import annotations

import gc
import heapq
import random
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from infra.local.mapping.checkpoint import CheckpointDamaged
from infra.local.mapping.kinesis import KinesisStream
from infra.local.mapping.mapping import DISCOVER_SECONDS
from infra.local.mapping.reader import ShardReader
from infra.local.mapping.shared_stream import SharedStream, Sharing
from infra.local.mapping.source import LATEST, Stream
from infra.local.mapping.streams import DynamoStream
from shared.errors import FanoutError
from tests.support.records import STREAM_ARN
from tests.support.simulation_consumer import Plan, Subject
from tests.support.simulation_disk import Disk
from tests.support.simulation_faults import Faults, Killed
from tests.support.simulation_scenario import Report, Scenario
from tests.support.simulation_shards import Clock, Table
from tests.support.simulation_stream import StreamApi, WithMerges
from tests.support.simulation_watch import Broken

HOUR = 3_600.0
# How often a quiet shard is looked at: seldom, or a day would be nothing but looks.
SHARING = Sharing(max_entries=500, max_bytes=2_000_000, first_pause=1.0, last_pause=10.0)
_QUIET_LOOK_SECONDS = 5.0
_ERROR_PAUSE_SECONDS = 1.0
_LONG_DOWNTIME_SHARE = 0.05
_SIMULATION_FILES = ("*/simulation_shards.py", "*/simulation_watch.py", "*/tracemalloc.py")


Task = Callable[[], float | None]


class World:
    """A scenario at work. `run` it once."""

    def __init__(self, scenario: Scenario, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.scenario = scenario
        self.clock = Clock()
        self.chance = random.Random(scenario.seed)
        self.table = Table(self.clock, self.chance)
        self.faults = Faults(self.clock, self.chance)
        self.disk = Disk(folder, self.faults.step)
        self.disk.patch(patch)
        self.report = Report(scenario.seed)
        self.subjects = [
            Subject(plan, self.table, self.clock, self.chance, self.faults)
            for plan in scenario.plans
        ]
        self._began = self.clock.now
        self._quiet = False
        self._tasks: list[tuple[float, float, int, Task]] = []
        self._order = 0
        self.streams: dict[str, Stream] = {}

    @property
    def hours(self) -> float:
        """Since the start."""
        return (self.clock.now - self._began) / HOUR

    def run(self) -> Report:
        """Play the scenario. Raises Broken where the mapping broke a promise."""
        scenario = self.scenario
        self._in(0.0, self._traffic)
        if scenario.reshard_minutes:
            self._in(60.0, self._reshard)
        if scenario.trouble_minutes:
            self._in(60.0, self._trouble)
        self._in(HOUR, self._at_full_hour)
        self._start()
        if scenario.calm:
            self.faults.calm_down()
        try:
            self._run_until(self._began + scenario.hours * HOUR)
            self._quiet = True
            self.faults.calm_down()
            self.disk.full = False
            self._drain()
        except Broken as broken:
            raise Broken(f"seed {scenario.seed}, hour {self.hours:.2f}: {broken}") from None
        return self._finish()

    # -- time --------------------------------------------------------------------------------

    def _in(self, seconds: float, task: Task) -> None:
        self._order += 1
        # What is due at the same moment happens in any order.
        due = (self.clock.now + seconds, self.chance.random(), self._order, task)
        heapq.heappush(self._tasks, due)

    def _run_until(self, end: float) -> None:
        while self._tasks[0][0] <= end:
            moment, _, _, task = heapq.heappop(self._tasks)
            self.clock.now = max(self.clock.now, moment)
            try:
                pause = task()
            except Killed:
                self._die()
                pause = 0.0
            if pause is not None:
                self._in(pause, task)
        self.clock.now = max(self.clock.now, end)

    def _drain(self) -> None:
        for _ in range(240):
            self._run_until(self.clock.now + 60.0)
            if all(subject.watch.done_to_the_end() for subject in self.subjects):
                break
        for subject in self.subjects:
            subject.watch.require_all()

    # -- the application ---------------------------------------------------------------------

    def _traffic(self) -> float | None:
        if self._quiet:
            return None
        if any(subject.settles_after for subject in self.subjects):
            return 1.0
        scenario, chance = self.scenario, self.chance
        kind = chance.choice(("ORDER#", "HEARTBEAT#"))
        self.table.put(f"{kind}{chance.randrange(scenario.items // 2)}")
        self.report.changes += 1
        # Bursts and quiet times, some of them a quarter of an hour.
        lull = chance.random() < 0.0005
        return chance.uniform(60, 1_000) if lull else chance.expovariate(self._rate())

    def _rate(self) -> float:
        busy = int(self.clock.now / 600) % 4 == 0
        return self.scenario.changes_per_second * (3.1 if busy else 0.3)

    def _reshard(self) -> float:
        table = self.table
        kinds = [table.split, table.roll, *([table.merge] if self.scenario.merges else [])]
        if not self._quiet:
            self.report.reshardings += self.chance.choice(kinds)()
        return self.chance.expovariate(1 / (self.scenario.reshard_minutes * 60))

    def _trouble(self) -> float:
        self.faults.begin_trouble()
        self.disk.full = self.faults.away("disk full")
        self._in(self.faults.until("disk full") - self.clock.now, self._disk_has_room)
        return self.chance.expovariate(1 / (self.scenario.trouble_minutes * 60))

    def _disk_has_room(self) -> None:
        self.disk.full = self.faults.away("disk full")

    # -- the mapping's process ---------------------------------------------------------------

    def _die(self) -> None:
        for subject in self.subjects:
            subject.stop()
        if self.faults.dying == "power lost":
            self.disk.lose_power(keep_renames=self.chance.random() < 0.5)
        self.report.restarts += 1
        long = self.chance.random() < _LONG_DOWNTIME_SHARE
        self._in(1_500.0 if long else self.chance.choice((0.1, 5.0, 60.0)), self._start)

    def _start(self) -> None:
        stream: Stream = DynamoStream(
            STREAM_ARN, StreamApi(self.table, self.clock, self.chance, self.faults.call), self.clock
        )
        if self.scenario.merges:
            stream = WithMerges(stream, self.table)
        self.streams = {"alone": stream, "shared": SharedStream(stream, SHARING, self.clock)}
        for subject in self.subjects:
            self._begin(subject)

    def _begin(self, subject: Subject) -> None:
        plan = subject.plan
        epoch = subject.epoch
        if (later := self._hours_until(plan)) > 0:
            self._in(later * HOUR, lambda: self._begin_if(subject, epoch))
            return
        if not subject.begun and plan.settings.get("start") == LATEST:
            # Where LATEST is shows when all shards were read; nothing is changed until then.
            subject.watch.begin_here()
            subject.settles_after = self.clock.now
        subject.begun = True
        stream = self.streams["shared" if plan.source == "kinesis" else plan.source]
        if plan.source == "kinesis":
            stream = KinesisStream(stream, plan.parts, plan.disorder)
        subject.watch.unclaim()
        subject.start(stream, self.disk)
        if plan.away_hours and self.hours < plan.away_hours[0]:
            leave = plan.away_hours[0] - self.hours
            self._in(leave * HOUR, lambda: self._begin_if(subject, epoch + 1))
        self._in(0.0, self._looking(subject))

    def _hours_until(self, plan: Plan) -> float:
        """Until it runs, or runs again; 0 if it is to run now."""
        left, back = plan.away_hours or (0.0, 0.0)
        if left <= self.hours < back:
            return back - self.hours
        return max(0.0, plan.begins_hours - self.hours)

    def _begin_if(self, subject: Subject, epoch: int) -> None:
        if subject.epoch == epoch:
            subject.stop()
            self._begin(subject)

    def _looking(self, subject: Subject, *, again: bool = True) -> Task:
        """The thread that finds shards; or one look of it."""
        epoch = subject.epoch

        def look() -> float | None:
            consumer = subject.consumer
            if consumer is None or subject.epoch != epoch:
                return None
            if frozen := self._frozen():
                return frozen
            pause = DISCOVER_SECONDS
            try:
                for reader in consumer.discover():
                    subject.readers.append(reader)
                    self._in(0.0, self._reading(subject, reader))
            except CheckpointDamaged as error:
                raise Broken(str(error)) from None
            except FanoutError as error:
                consumer.note(str(error))
                pause = _ERROR_PAUSE_SECONDS
            caught_up_at = consumer.status().caught_up_at_ms / 1000
            subject.watch.claims(caught_up_at, self.clock.now)
            if caught_up_at > subject.settles_after:
                subject.settles_after = 0.0
            return pause if again else None

        return look

    def _reading(self, subject: Subject, reader: ShardReader) -> Task:
        """The thread that reads a shard."""
        epoch = subject.epoch

        def read() -> float | None:
            if subject.epoch != epoch:
                return None
            if frozen := self._frozen():
                return frozen
            subject.busy = 0.0
            pause = reader.step()
            if reader.finished:
                subject.readers.remove(reader)
                self._in(0.0, self._looking(subject, again=False))
                return None
            quiet = pause > 0 and not reader.retrying and subject.plan.source == "alone"
            return max(pause, _QUIET_LOOK_SECONDS if quiet else 0.0) + subject.busy

        return read

    def _frozen(self) -> float:
        return max(0.0, self.faults.until("frozen") - self.clock.now)

    # -- figures -----------------------------------------------------------------------------

    def _at_full_hour(self) -> float:
        if self.scenario.measure_memory:
            gc.collect()
            everything = tracemalloc.take_snapshot()
            filters = [tracemalloc.Filter(False, name) for name in _SIMULATION_FILES]
            kept = everything.filter_traces(filters).statistics("filename")
            self.report.memory.append(sum(each.size for each in kept))
        return HOUR

    def _finish(self) -> Report:
        report = self.report
        report.faults = dict(self.faults.counts)
        for subject in self.subjects:
            watch = subject.watch
            report.consumers[watch.name] = {
                name: getattr(watch, name)
                for name in ("delivered", "repeated", "discarded", "gaps", "lost")
            }
        return report
