"""A destination that is gone holds up its own consumer and no other; then it catches up alone."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from consumers.registry import REGISTRY
from infra.local.pipeline import LOGS, Options, Pipeline
from ops.traffic.run import Application, Plan, Tally
from ops.traffic.table import Table
from ops.verify.run import verify_all
from shared.clock import now_ms
from tests.support.servers import eventually

_GONE_SECONDS = 9.0
# Alarm periods of half a second and a bit: five minutes without a heartbeat are three seconds.
_ALARM_SCALE = 1 / 100


@contextmanager
def traffic(pipeline: Pipeline, seed: int) -> Iterator[Tally]:
    """The application writes in the background, bounded, until the block ends."""
    stop, tally = threading.Event(), Tally()
    plan = Plan(orders=5_000, scores=400, seed=seed, rate=60, prefix=f"{seed}-")
    application = Application(Table(pipeline.deployment.table), plan, tally, stop)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(application.run)
        try:
            yield tally
        finally:
            stop.set()
        running.result()


@pytest.mark.timeout(180)
@pytest.mark.parametrize(("server", "consumer"), [("cache", "cache"), ("search", "search")])
def test_only_its_own_consumer_falls_behind(server: str, consumer: str) -> None:
    others = {spec.name for spec in REGISTRY} - {consumer}
    options = Options(heartbeat_seconds=0.2, alarm_scale=_ALARM_SCALE)
    with Pipeline(REGISTRY, options=options) as pipeline:
        with traffic(pipeline, seed=5) as tally:
            eventually(lambda: tally.changes > 60, "traffic flows")
            pipeline.servers[server].stop()
            gone = now_ms()
            paged: dict[str, tuple[str, ...]] = {}
            end = time.monotonic() + _GONE_SECONDS
            while time.monotonic() < end:
                time.sleep(0.2)
                for each in pipeline.status().consumers:
                    if "heartbeat-missing" in each.alarms:
                        paged[each.name] = each.alarms
            behind = {each.name: each for each in pipeline.status().consumers}
            moments = pipeline.caught_up_at_ms()
            pipeline.servers[server].start()
        written = now_ms()
        assert moments[consumer] < gone + 1_000, "it has dealt with nothing since"
        assert behind[consumer].lag_records > 20
        for name in others:
            assert moments[name] > gone + 1_000, f"{name} was held up"
        assert set(paged) == {consumer}, "only the one in trouble is paged"
        eventually(lambda: pipeline.drained(written), "everything is caught up", 60)
        found = verify_all(pipeline.deployment, pipeline.folder / LOGS)
        assert [finding for verdict in found for finding in verdict.findings] == []
        assert behind[consumer].parked == 0, "an outage is no reason to park"
