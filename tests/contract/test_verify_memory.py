"""`verify` streams: 100,000 items, whole or in ruins, take less than 300 MB."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest

from consumers.search.setup import ensure_index
from infra.local.servers import LocalServers
from tests.support import search
from tests.support.records import order, score
from tests.support.small_pipeline import SmallPipeline, small_pipeline
from tests.support.verifying import lived_in, reads_of, servers_for_a_module

servers = pytest.fixture(scope="module")(servers_for_a_module)

ITEMS = 100_000
LIMIT_KB = 300 * 1024
SMALL, LARGE = 5_000, 15_000

# In a process of its own: the most that it ever held in memory, in kB, and what it found.
_PROGRAM = """
import json, sys
from pathlib import Path
from ops.context import open_deployment
from ops.verify.run import verify_all

state = Path(sys.argv[1])
verdicts = verify_all(open_deployment(state), state / "logs", patience=0)
status = Path("/proc/self/status").read_text()
(peak,) = (line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))
checked = sum(verdict.checked for verdict in verdicts)
findings = sum(len(verdict.findings) for verdict in verdicts)
print(json.dumps({"peak": int(peak), "checked": checked, "findings": findings}))
"""


def fill(pipeline: SmallPipeline, size: int) -> None:
    """Half orders, half scores; every tenth order is cached."""
    numbers = range(size // 2)
    pipeline.table.create_many(order(f"o-{n:06}", customerId=f"c-{n % 99}") for n in numbers)
    pipeline.table.create_many(score(f"s-{n:06}", f"u-{n % 999}", n) for n in numbers)
    pipeline.settle(batch=1_000)
    reads = reads_of(pipeline)
    for number in numbers[::10]:
        reads.order(f"o-{number:06}")


def ruin(pipeline: SmallPipeline) -> None:
    """Nothing is left of the index and of the metrics."""
    search.wipe(pipeline.deployment.search_url)
    ensure_index(pipeline.deployment.search_url)
    (pipeline.logs / "metrics.log").unlink()


def measure(pipeline: SmallPipeline) -> dict[str, Any]:
    run = subprocess.run(
        [sys.executable, "-c", _PROGRAM, str(pipeline.folder)],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        check=True,
        timeout=300,
    )
    found: dict[str, Any] = orjson.loads(run.stdout)
    return found


def at_full_size(small: dict[str, Any], large: dict[str, Any]) -> float:
    """What `ITEMS` would take, in kB: memory grows with each item, beside a fixed part."""
    growth = (large["peak"] - small["peak"]) / (LARGE - SMALL)
    return float(large["peak"] + growth * (ITEMS - LARGE))


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_memory_stays_bounded(servers: LocalServers, tmp_path: Path) -> None:
    results = {}
    for size in (SMALL, LARGE):
        with small_pipeline(servers, tmp_path / str(size)) as pipeline:
            lived_in(pipeline, orders=0, scores=0)
            fill(pipeline, size)
            whole = measure(pipeline)
            assert whole["findings"] == 0
            assert whole["checked"] > 3 * size
            ruin(pipeline)
            ruined = measure(pipeline)
            # Each order is missing in the index; each order and score in the metrics.
            assert ruined["findings"] == size // 2 + size
            results[size] = (whole, ruined)
    for small, large in zip(results[SMALL], results[LARGE], strict=True):
        print(f"{small} -> {large}: {at_full_size(small, large) / 1024:.0f} MB")
        assert at_full_size(small, large) < LIMIT_KB
