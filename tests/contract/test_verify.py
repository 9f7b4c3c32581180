"""`fanout verify` on projections that are whole: parity, items in flight, and how it speaks."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from consumers.registry import REGISTRY
from infra.local.servers import LocalServers
from ops.commands.verify import verify as command
from ops.traffic import orders
from ops.verify.run import PROJECTIONS, verify_all
from shared.errors import Unavailable
from shared.heartbeat import write_heartbeat
from tests.support.small_pipeline import SmallPipeline, small_pipeline
from tests.support.verifying import (
    an_order,
    found_by,
    lived_in,
    reads_of,
    servers_for_a_module,
    verify,
    verify_meanwhile,
)

servers = pytest.fixture(scope="module")(servers_for_a_module)


@pytest.fixture
def pipeline(servers: LocalServers, tmp_path: Path) -> Iterator[SmallPipeline]:
    with small_pipeline(servers, tmp_path / "state") as made:
        lived_in(made)
        yield made


def run(pipeline: SmallPipeline, *options: str) -> Result:
    return CliRunner().invoke(command, ["--state", str(pipeline.folder), *options])


def test_every_consumer_has_its_check() -> None:
    assert set(PROJECTIONS) == {spec.name for spec in REGISTRY}


def test_parity(pipeline: SmallPipeline) -> None:
    reads = reads_of(pipeline)
    order = an_order(pipeline)
    reads.order(order["orderId"])
    reads.customer_orders(order["customerId"])
    results = verify(pipeline)
    assert list(results) == list(PROJECTIONS)
    assert found_by(results) == set()
    assert all(entry["checked"] for entry in results.values())
    assert not any(entry["rechecked"] for entry in results.values())


def test_an_empty_pipeline_is_in_parity(servers: LocalServers, tmp_path: Path) -> None:
    with small_pipeline(servers, tmp_path / "state") as pipeline:
        lived_in(pipeline, orders=0, scores=0)
        results = verify(pipeline)
        assert found_by(results) == set()
        assert not any(entry["checked"] for entry in results.values())


def later(seconds: float, work: Callable[[], object]) -> threading.Thread:
    def run_it() -> None:
        time.sleep(seconds)
        work()

    thread = threading.Thread(target=run_it)
    thread.start()
    return thread


def test_what_is_in_flight_is_looked_at_until_it_has_settled(pipeline: SmallPipeline) -> None:
    reads, order = reads_of(pipeline), an_order(pipeline)
    reads.order(order["orderId"])
    score = {"SK": "USER#player-000", "difficulty": "EASY", "version": 1}
    pipeline.table.replace(order, orders.edit(order, random.Random(5)))
    pipeline.table.create({**order, "PK": "ORDER#late", "orderId": "late"})
    pipeline.table.create({**score, "PK": "SCORE#late", "Score": 5})
    delivery = later(1.0, pipeline.settle)
    results = verify_meanwhile(pipeline)
    delivery.join()
    assert found_by(results) == set()
    rechecked = {name: entry["rechecked"] for name, entry in results.items()}
    assert rechecked["audit"] == 3
    assert rechecked["search"] == 2
    assert rechecked["cache"] == 1
    assert rechecked["totals"] == 2  # the score's entry, and its player's total


def test_metrics_in_flight(pipeline: SmallPipeline) -> None:
    order = an_order(pipeline)
    pipeline.table.create({**order, "PK": "ORDER#late", "orderId": "late"})
    (record,) = pipeline.undelivered()
    for name in ("audit", "cache", "search", "totals"):
        pipeline.invoke(name, record)
    delivery = later(1.0, lambda: pipeline.invoke("metrics", record))
    results = verify_meanwhile(pipeline)
    delivery.join()
    assert found_by(results) == set()
    assert results["metrics"]["rechecked"] == 1


def test_an_item_that_never_stands_still_is_no_finding(pipeline: SmallPipeline) -> None:
    stop = threading.Event()

    def beat() -> None:
        while not stop.is_set():
            write_heartbeat(pipeline.deployment.table)
            pipeline.deliver()

    thread = threading.Thread(target=beat)
    thread.start()
    try:
        for _ in range(3):
            assert found_by(verify_meanwhile(pipeline)) == set()
    finally:
        stop.set()
        thread.join()


def test_what_never_settles_is_found_however_much_else_moves(pipeline: SmallPipeline) -> None:
    order = an_order(pipeline)
    pipeline.table.replace(order, orders.edit(order, random.Random(6)))
    pipeline.skip()
    late = {**order, "PK": "ORDER#late", "orderId": "late"}
    pipeline.table.create(late)
    delivery = later(0.5, pipeline.settle)
    results = verify_meanwhile(pipeline, timeout=2)
    delivery.join()
    name = f"{order['PK']}|ORDER"
    assert found_by(results) == {("audit", name, "stale"), ("search", name, "stale")}
    assert results["search"]["rechecked"] == 1


def test_only_some_projections(pipeline: SmallPipeline) -> None:
    assert list(verify(pipeline, "--only", "totals", "--only", "audit")) == ["audit", "totals"]


def test_the_table_for_people(pipeline: SmallPipeline) -> None:
    order = an_order(pipeline)
    pipeline.table.replace(order, orders.edit(order, random.Random(7)))
    pipeline.skip()
    result = run(pipeline, "--timeout", "0")
    assert result.exit_code == 1
    header = next(line for line in result.stdout.splitlines() if "projection" in line)
    for column in ("checked", "missing", "stale", "ghost", "gap", "wrong", "corrupt", "rechecked"):
        assert column in header
    assert f"stale search: {order['PK']}|ORDER" in result.stdout
    assert "next:" in result.stdout
    assert "comparing totals" in result.stderr
    assert max(map(len, result.stdout.splitlines())) <= 120


def test_parity_for_people(pipeline: SmallPipeline) -> None:
    result = run(pipeline)
    assert result.exit_code == 0
    assert "every projection says what the table says" in result.stdout


def test_wrong_use(pipeline: SmallPipeline, tmp_path: Path) -> None:
    assert run(pipeline, "--only", "weather").exit_code == 2
    assert run(pipeline, "--timeout", "-1").exit_code == 2
    nowhere = CliRunner().invoke(command, ["--state", str(tmp_path / "nowhere")])
    assert nowhere.exit_code == 2
    assert "fanout up" in nowhere.output


@pytest.mark.parametrize(
    ("projection", "address"),
    [
        ("cache", {"cache_url": "redis://127.0.0.1:1/0"}),
        ("search", {"search_url": "http://127.0.0.1:1"}),
    ],
)
def test_a_server_that_does_not_answer_is_no_parity(
    pipeline: SmallPipeline, projection: str, address: dict[str, Any]
) -> None:
    broken = replace(pipeline.deployment, **address)
    with pytest.raises(Unavailable):
        verify_all(broken, pipeline.logs, only=[projection], patience=0)
