"""For tests of `fanout verify`: a pipeline that has lived a little, and the command run on it."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from dataclasses import asdict, replace
from typing import Any

from click.testing import CliRunner

from infra.local.servers import LocalServers
from ops.commands.verify import verify as command
from ops.traffic.reads import Reads, Source
from ops.traffic.run import Application, Plan, Tally
from ops.verify.run import verify_all
from shared.cache import CacheReader
from shared.cache_client import connect
from shared.entities import Kind
from tests.support.small_pipeline import SmallPipeline

Result = dict[str, dict[str, Any]]
Found = set[tuple[str, str, str]]


def servers_for_a_module() -> Iterator[LocalServers]:
    """The servers that the pipelines of a test module share; the body of a fixture."""
    with LocalServers() as servers:
        yield servers


def lived_in(pipeline: SmallPipeline, *, orders: int = 12, scores: int = 30, seed: int = 7) -> None:
    """Write orders and scores through their lives, deliver all, and let the commands find it."""
    plan = Plan(orders=orders, scores=scores, seed=seed)
    Application(pipeline.table, plan, Tally(), threading.Event()).run()
    pipeline.settle()
    replace(pipeline.deployment, pid=os.getpid()).save(pipeline.folder)


def reads_of(pipeline: SmallPipeline) -> Reads:
    """The application's reads, through the cache."""
    client = connect(pipeline.deployment.cache_url, cluster=False, seconds=5.0)
    return Reads(Source(pipeline.deployment.table), CacheReader(client))


def an_order(pipeline: SmallPipeline) -> dict[str, Any]:
    """An order of the table, decoded."""
    for number in range(100):
        item = pipeline.table.read((f"{Kind.ORDER}ord-{number:06}", "ORDER"))
        if item is not None:
            return item
    raise AssertionError("no order is left in the table")


def verify(pipeline: SmallPipeline, *options: str, timeout: float = 0.3) -> Result:
    """Run `fanout verify --json`; returns its verdicts by projection.

    Its exit code must say what they say.
    """
    folder = str(pipeline.folder)
    arguments = ["--json", "--state", folder, "--timeout", str(timeout), *options]
    run = CliRunner().invoke(command, arguments)
    if run.exception is not None and not isinstance(run.exception, SystemExit):
        raise run.exception
    document = json.loads(run.stdout)
    results = {entry["projection"]: entry for entry in document["projections"]}
    is_parity = not any(entry["findings"] for entry in results.values())
    assert document["parity"] is is_parity
    assert run.exit_code == (0 if is_parity else 1)
    for entry in results.values():
        for finding in entry["findings"]:
            assert finding["projection"] == entry["projection"]
            assert finding["detail"]
            assert finding["hint"]
    return results


def verify_meanwhile(pipeline: SmallPipeline, timeout: float = 30.0) -> Result:
    """The same, but not by the command: another thread delivers, and stdout is the process's."""
    verdicts = verify_all(pipeline.deployment, pipeline.logs, patience=timeout)
    return {verdict.projection: asdict(verdict) for verdict in verdicts}


def found_by(results: Result) -> Found:
    """(projection, item, damage) of each finding."""
    return {
        (finding["projection"], finding["item"], finding["damage"])
        for entry in results.values()
        for finding in entry["findings"]
    }
