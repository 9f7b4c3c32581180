"""The whole pipeline on real engines: everything arrives, on shards that close under its hands."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from consumers.registry import REGISTRY
from infra.local.mapping.streams import DynamoStream
from infra.local.pipeline import LOGS, Options, Pipeline
from infra.local.servers import Engines
from ops.traffic.readers import Readers
from ops.traffic.run import Application, Plan, Tally
from ops.traffic.table import Table
from ops.verify.run import verify_all
from shared.clients import aws_client, forget_clients
from shared.clock import now_ms
from tests.support.engines import ON_REAL_ENGINES, need_real_engines
from tests.support.servers import eventually

pytestmark = [*ON_REAL_ENGINES]

_PLAN = Plan(orders=40, scores=80, seed=11, rate=50)
_ROLL_MILLIS = 1_000
_SHARDS = 4


@pytest.fixture
def restored_environment() -> Iterator[None]:
    """The pipeline leads this process's clients to its servers; the next test's go elsewhere."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)
    forget_clients()


def test_parity_on_dynamodb_local_opensearch_and_redis(
    restored_environment: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    need_real_engines()
    # By itself DynamoDB Local closes a shard after four hours. Both JVMs read this; one heeds it.
    monkeypatch.setenv("JAVA_TOOL_OPTIONS", f"-Dfanout.rollover.millis={_ROLL_MILLIS}")
    tally, stop = Tally(), threading.Event()
    with Pipeline(REGISTRY, options=Options(engines=Engines.REAL)) as pipeline:
        found = pipeline.deployment
        assert {each.name for each in pipeline.servers.status()} == {
            "aws",
            "dynamodb",
            "cache",
            "search",
        }
        with Readers(found.table, found.cache_url, _PLAN, tally), ThreadPoolExecutor(1) as pool:
            writing = pool.submit(Application(Table(found.table), _PLAN, tally, stop).run)
            try:
                writing.result(120)
            finally:
                stop.set()
        stream = DynamoStream(found.stream_arn)
        eventually(lambda: len(stream.shards()) >= _SHARDS, "the shard was closed often enough")
        written = now_ms()
        eventually(lambda: pipeline.drained(written), "everything is delivered", 120)
        shards = {shard.shard_id: shard.parents for shard in stream.shards()}
        verdicts = verify_all(found, pipeline.folder / LOGS)
        time.sleep(0.5)  # the watcher's next look
        status = {each.name: each for each in pipeline.status().consumers}
        restarts = {each.name: each.restarts for each in pipeline.servers.status()}
        depths = {name: _depth(url) for name, url in found.queue_urls.items()}
    assert tally.changes > 200
    assert [finding for verdict in verdicts for finding in verdict.findings] == []
    assert {verdict.projection for verdict in verdicts if verdict.checked} == {
        spec.name for spec in REGISTRY
    }
    assert sum(parents == () for parents in shards.values()) == 1
    assert all(parent in shards for parents in shards.values() for parent in parents)
    assert {name: each.parked for name, each in status.items()} == dict.fromkeys(status, 0)
    assert depths == dict.fromkeys(depths, 0)
    assert restarts == dict.fromkeys(restarts, 0)


def _depth(queue_url: str) -> int:
    names = ["ApproximateNumberOfMessages"]
    answer = aws_client("sqs").get_queue_attributes(QueueUrl=queue_url, AttributeNames=names)
    return int(answer["Attributes"][names[0]])
