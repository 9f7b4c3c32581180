"""The pipeline as a process to be killed: it goes on, and what it did before still counts."""

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from consumers.registry import REGISTRY
from infra.local.deployment import Deployment
from infra.local.mapping.numbers import MappingStatus, Numbers
from infra.local.pipeline import Options, Pipeline
from ops.chaos.mapped import PipelineOrder, Said
from ops.chaos.pipeline_process import PipelineProcess
from ops.traffic.run import Application, Plan, Tally
from ops.traffic.table import Table
from shared.clock import now_ms
from shared.errors import FanoutError
from tests.support.servers import eventually, is_running

SPOKEN = MappingStatus("audit", Numbers(delivered=3), 1, 0, 0, 5, False, "", 0)


def test_what_it_is_told_and_what_it_says_is_read_back(tmp_path: Path) -> None:
    names = ("region", "http://a", "redis://b", "http://c", "t", "l", "b", "topic", "stream")
    found = Deployment(*names, dynamodb_url="http://d")
    seen = Deployment(*names, dynamodb_url="http://wire")
    order = PipelineOrder.of(found, seen)
    assert order.seen == {"dynamodb_url": "http://wire"}
    assert (order.given.aws, order.given.dynamodb) == ("http://a", "http://d")
    order.save(tmp_path)
    assert PipelineOrder.load(tmp_path) == order
    assert Said.load(tmp_path) is None
    said = Said(7, (SPOKEN,), {"audit": 2})
    said.save(tmp_path)
    assert Said.load(tmp_path) == said


@pytest.fixture
def ground() -> Iterator[Pipeline]:
    with Pipeline(REGISTRY, options=Options(maps=False)) as pipeline:
        yield pipeline


@pytest.mark.timeout(180)
def test_killed_it_goes_on_and_its_counts_do_too(ground: Pipeline) -> None:
    order = PipelineOrder.of(ground.deployment, ground.deployment)
    names = [spec.name for spec in REGISTRY]
    with PipelineProcess(ground, order) as delivering:
        _write(ground, delivering, "first-")
        before = {each.consumer: each.numbers.delivered for each in delivering.mappings()}
        assert all(before.values())
        pids = [pid for name in names for pid in delivering.workers(name)]
        assert len(pids) == len(names)
        assert delivering.kill() == 1
        eventually(lambda: not any(map(is_running, pids)), "its workers died with it")
        assert {each.consumer: each.numbers.delivered for each in delivering.mappings()} == before
        _write(ground, delivering, "second-")
        after = {each.consumer: each.numbers.delivered for each in delivering.mappings()}
        assert all(after[name] > before[name] for name in names)
        assert [delivering.workers_started(name) for name in names] == [2] * len(names)
        # Somebody else kills it: that is not what was asked for, and is told.
        said = Said.load(delivering.folder)
        assert said is not None
        os.kill(said.pid, signal.SIGKILL)
        eventually(lambda: _has_ended(delivering), "that it ended is told")


def _has_ended(delivering: PipelineProcess) -> bool:
    try:
        delivering.mappings()
    except FanoutError as error:
        return "ended by itself" in str(error)
    return False


def _write(ground: Pipeline, delivering: PipelineProcess, prefix: str) -> None:
    plan = Plan(orders=5, scores=25, seed=1, prefix=prefix)
    Application(Table(ground.deployment.table), plan, Tally(), threading.Event()).run()
    written = now_ms()
    eventually(lambda: delivering.drained(written), "all is delivered", 60)
