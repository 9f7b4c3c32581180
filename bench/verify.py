"""`fanout verify` on many items at rest: items a second, memory, and each projection's share.

Verified in a process of its own, as the command is; the embedded servers are processes beside it,
and their part of the time is in the figures: what waits for them is not the verifier's own CPU.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.figures import Figure, Scale
from bench.filled import filled
from bench.fresh import ROOT
from bench.side import SideFailed
from infra.local.deployment import Deployment

SUITE = "verify"
ITEMS = {Scale.SHORT: 5_000, Scale.FULL: 100_000}
_SECONDS = 600.0
# The stage in which the table is read, for all projections at once.
_TABLE = "reading the table"


def measure(scale: Scale) -> list[Figure]:
    """Lay out the items, verify them once. Raises SideFailed unless parity is found."""
    items = ITEMS[scale]
    with tempfile.TemporaryDirectory(prefix="fanout-bench-") as name, filled(items, Path(name)):
        found = verified(Path(name))
    return [_whole(items, found), *_shares(found)]


def verified(folder: Path) -> dict[str, Any]:
    """What a verification of the deployment in `folder` took. Raises SideFailed if it failed."""
    run = subprocess.run(
        [sys.executable, "-m", "bench.verify", str(folder)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        timeout=_SECONDS,
        check=False,
    )
    if run.returncode:
        raise SideFailed("verify failed: see its error above")
    found: dict[str, Any] = json.loads(run.stdout)
    if found["findings"]:
        raise SideFailed(f"verify found what was not to be: {found['findings'][:3]}")
    return found


def _whole(items: int, found: Mapping[str, Any]) -> Figure:
    checked = sum(found["checked"].values())
    return Figure(
        suite=SUITE,
        name=f"{items:,} items, all projections",
        value=items / found["seconds"],
        unit="items/s",
        detail={
            "seconds": found["seconds"],
            "CPU seconds": found["cpu"],
            "peak MB": found["peak_mb"],
            "comparisons": checked,
            "comparisons/s": checked / found["seconds"],
        },
        note="The rest of the time to the verifier's CPU is the servers' (they share the cores).",
    )


def _shares(found: Mapping[str, Any]) -> list[Figure]:
    """How much of the time went where; the table is read once for all projections."""
    return [
        Figure(
            suite=SUITE,
            name=stage,
            value=took["seconds"] / found["seconds"],
            unit="of the time",
            detail={
                "seconds": took["seconds"],
                "CPU seconds": took["cpu"],
                **({"checked": found["checked"][stage]} if stage in found["checked"] else {}),
            },
        )
        for stage, took in found["stages"].items()
    ]


def _verify(folder: Path) -> dict[str, Any]:
    """Verify here and now, noting when each stage begins by what the verifier tells."""
    from infra.local.pipeline import LOGS
    from ops.verify.run import verify_all

    stages: dict[str, dict[str, float]] = {}
    # The stage that goes on, and since when.
    now = (_TABLE, time.perf_counter(), time.process_time())

    def tell(what: str) -> None:
        nonlocal now
        _, _, name = what.partition("comparing ")
        stage = name or (_TABLE if "the table" in what else "settle")
        wall, cpu = time.perf_counter(), time.process_time()
        took = stages.setdefault(now[0], {"seconds": 0.0, "cpu": 0.0})
        took["seconds"] += wall - now[1]
        took["cpu"] += cpu - now[2]
        now = (stage, wall, cpu)

    began, began_cpu = time.perf_counter(), time.process_time()
    verdicts = verify_all(Deployment.load(folder), folder / LOGS, patience=0, tell=tell)
    tell("the end")
    status = Path("/proc/self/status").read_text(encoding="ascii")
    (peak,) = (line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))
    return {
        "seconds": time.perf_counter() - began,
        "cpu": time.process_time() - began_cpu,
        "peak_mb": int(peak) / 1024,
        "stages": stages,
        "checked": {verdict.projection: verdict.checked for verdict in verdicts},
        "findings": [
            f"{finding.projection} {finding.item}: {finding.detail}"
            for verdict in verdicts
            for finding in verdict.findings
        ],
    }


if __name__ == "__main__":
    json.dump(_verify(Path(sys.argv[1])), sys.stdout)
