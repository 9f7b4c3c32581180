"""A whole pipeline under faults: traffic and readers, faults, calm, and the verdict."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from consumers.registry import REGISTRY
from infra.local.pipeline import LOGS, Options, Pipeline
from infra.local.servers.stack import Engines
from infra.local.watch import queue_depth
from ops.chaos.deliveries import Deliveries
from ops.chaos.faults import Fault, Kind
from ops.chaos.inject import Injector
from ops.chaos.mapped import PipelineOrder
from ops.chaos.pipeline_process import PipelineProcess
from ops.chaos.recovery import Recovery
from ops.chaos.report import ConsumerReport, KindReport, Report
from ops.chaos.slow_source import SlowSource
from ops.chaos.switchboard import Switchboard
from ops.traffic.readers import Readers
from ops.traffic.run import Application, Plan, Tally
from ops.traffic.table import Table
from ops.verify.run import verify_all
from shared.clock import now_ms
from shared.errors import FanoutError

# More than any run writes; a rate bounds it, and the end of the faults ends it.
_ENDLESS = 1_000_000
_FIRST_CHANGES = 40
_FIRST_SECONDS = 60.0
_DRAIN_SECONDS = 180.0
_TICK_SECONDS = 0.1
_TELL_SECONDS = 5.0
_TRIES = 5
_PATIENCE_SECONDS = 1.0
_SLOW_READERS = 3

# Told now and then what is going on.
Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Campaign:
    """What to do.

    Attributes:
        seed: of the faults and of the traffic.
        faults: in their order.
        seconds: after which no further fault is injected.
        rate: changes a second while the faults last.
        state: folder to keep everything in; None for a temporary one.
        engines: what the servers are.
    """

    seed: int
    faults: Sequence[Fault]
    seconds: float
    rate: float
    state: Path | None = None
    engines: Engines = Engines.EMBEDDED


def run(campaign: Campaign, tell: Tell) -> Report:
    """Run it. Raises FanoutError if the pipeline itself cannot be run."""
    with Switchboard() as board:
        options = Options(engines=campaign.engines, seen_by_workers=board.connect, maps=False)
        with Pipeline(REGISTRY, campaign.state, options) as ground:
            order = PipelineOrder.of(ground.deployment, board.seen)
            with PipelineProcess(ground, order) as delivering:
                return _Run(campaign, ground, delivering, board, tell).go()


class _Run:
    def __init__(
        self,
        campaign: Campaign,
        ground: Pipeline,
        delivering: PipelineProcess,
        board: Switchboard,
        tell: Tell,
    ) -> None:
        self._campaign, self._ground, self._tell = campaign, ground, tell
        self._delivering = delivering
        self._ended = threading.Event()
        deliveries = Deliveries(REGISTRY, ground)
        self._injector = Injector(ground.servers, delivering, board, deliveries, self._ended)
        self._kinds = {fault.kind: KindReport(fault.kind) for fault in campaign.faults}
        self._lock = threading.Lock()
        self._tally = Tally()

    def go(self) -> Report:
        found = self._ground.deployment
        plan = Plan(_ENDLESS, _ENDLESS, self._campaign.seed)
        with Recovery(self._delivering.caught_up_at_ms) as recovery:
            with self._traffic(plan) as writing, self._readers(plan) as readers:
                self._await_traffic(writing)
                begun = time.monotonic()
                self._inject_all(recovery, writing)
                lasted = time.monotonic() - begun
            drained = self._drain()
        self._tell("comparing every projection with the table")
        verdicts = verify_all(found, self._ground.folder / LOGS)
        servers = self._ground.servers.status()
        return Report(
            seed=self._campaign.seed,
            planned=len(self._campaign.faults),
            kinds=[self._kinds[kind] for kind in Kind if kind in self._kinds],
            consumers=self._consumers(recovery),
            restarts={server.name: server.restarts for server in servers},
            written=self._tally.counts(),
            reads=sum(each.count for each in readers),
            hit_ratio=sum(each.hit_ratio() for each in readers) / len(readers),
            faults_seconds=lasted,
            drained_seconds=drained,
            verdicts=verdicts,
        )

    @contextmanager
    def _traffic(self, plan: Plan) -> Iterator[list[Future[None]]]:
        """Orders and scores, each at half the rate, until the block ends."""
        stop, table = threading.Event(), Table(self._ground.deployment.table)
        rate = self._campaign.rate / 2
        plans = (
            Plan(plan.orders, 0, plan.seed, rate),
            Plan(0, plan.scores, plan.seed, rate),
        )
        with ThreadPoolExecutor(len(plans), "application") as pool:
            running = [
                pool.submit(Application(table, each, self._tally, stop).run) for each in plans
            ]
            try:
                yield running
            finally:
                stop.set()
            for writing in running:
                writing.result()

    @contextmanager
    def _readers(self, plan: Plan) -> Iterator[list[Readers]]:
        """Quick readers and slow ones, who fill the cache with what has changed meanwhile."""
        table, cache_url = self._ground.deployment.table, self._ground.deployment.cache_url
        slow = [SlowSource(table) for _ in range(_SLOW_READERS)]
        with ExitStack() as stack:
            yield [
                stack.enter_context(
                    Readers(table, cache_url, plan, self._tally, source=source, number=number)
                )
                for number, source in enumerate([None, *slow])
            ]

    def _await_traffic(self, writing: Sequence[Future[None]]) -> None:
        end = time.monotonic() + _FIRST_SECONDS
        while self._tally.changes < _FIRST_CHANGES:
            _raise_if_done(writing)
            if time.monotonic() > end:
                raise FanoutError("the application writes nothing", hint="see the servers' logs")
            time.sleep(_TICK_SECONDS)

    def _inject_all(self, recovery: Recovery, writing: Sequence[Future[None]]) -> None:
        lanes: dict[str, list[Fault]] = {}
        for fault in self._campaign.faults:
            lanes.setdefault(fault.lane, []).append(fault)
        end = time.monotonic() + self._campaign.seconds
        told = time.monotonic()
        with ThreadPoolExecutor(max(1, len(lanes)), "lane") as pool:
            running = [pool.submit(self._inject, lane, recovery) for lane in lanes.values()]
            try:
                while not all(lane.done() for lane in running) and time.monotonic() < end:
                    _raise_if_done(writing)
                    _raise_if_failed(running)
                    if time.monotonic() - told > _TELL_SECONDS:
                        told = time.monotonic()
                        self._tell(self._headline())
                    time.sleep(_TICK_SECONDS)
            finally:
                self._ended.set()
            for lane in running:
                lane.result()

    def _inject(self, lane: Sequence[Fault], recovery: Recovery) -> None:
        for fault in lane:
            touched = 0
            # One that found nothing to spoil, as no request came, is tried again, later and later.
            for tries in range(_TRIES):
                if touched or self._ended.wait(fault.pause + tries * _PATIENCE_SECONDS):
                    break
                touched = self._injector.inject(fault)
            if self._ended.is_set() and not touched:
                return
            recovery.fault_over()
            with self._lock:
                self._kinds[fault.kind].add(fault.target, touched)

    def _headline(self) -> str:
        done = sum(each.injected + each.missed for each in self._kinds.values())
        behind = ", ".join(
            f"{each.consumer} {each.lag_records:,}" for each in self._delivering.mappings()
        )
        return (
            f"{done:,} of {len(self._campaign.faults):,} faults, "
            f"{self._tally.changes:,} changes; behind: {behind}"
        )

    def _drain(self) -> float | None:
        """Seconds until every consumer has dealt with everything; None if not in time."""
        written, begun = now_ms(), time.monotonic()
        while not self._delivering.drained(written):
            if time.monotonic() - begun > _DRAIN_SECONDS:
                return None
            time.sleep(_TICK_SECONDS)
        return time.monotonic() - begun

    def _consumers(self, recovery: Recovery) -> list[ConsumerReport]:
        queue_urls = self._ground.deployment.queue_urls
        return [
            ConsumerReport(
                name=each.consumer,
                delivered=each.numbers.delivered,
                batches=each.numbers.batches,
                redeliveries=each.numbers.failures,
                errors=each.numbers.errors,
                troubles=each.numbers.troubles,
                workers=self._delivering.workers_started(each.consumer),
                recovery=recovery.seconds(each.consumer),
                unrecovered=recovery.unrecovered(each.consumer),
                parked=queue_depth(queue_urls[each.consumer]),
                given_up=each.numbers.discarded + each.numbers.gaps,
            )
            for each in self._delivering.mappings()
        ]


def _raise_if_done(writing: Sequence[Future[None]]) -> None:
    """The application never ends by itself: if it did, its error says why."""
    for each in writing:
        if each.done():
            each.result()
            raise FanoutError("the application has ended too early")


def _raise_if_failed(lanes: Sequence[Future[None]]) -> None:
    for lane in lanes:
        if lane.done():
            lane.result()
