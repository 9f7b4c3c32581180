"""A day of the event source mapping in minutes: `python -m tests.simulation.day --help`."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import pytest

from infra.local.mapping.kinesis import Disorder
from infra.local.mapping.source import LATEST
from tests.support.simulation import World
from tests.support.simulation_consumer import Plan
from tests.support.simulation_scenario import Report, Scenario
from tests.support.simulation_watch import Broken

PLANS = (
    Plan("strict"),
    Plan(
        "limited",
        poison=23,
        raises=True,
        settings={"retries": 3, "batch_size": 20, "record_age_seconds": 1_800},
    ),
    Plan(
        "alone",
        "alone",
        begins_hours=0.4,
        settings={"start": LATEST, "batch_size": 50, "window_seconds": 2.0},
    ),
    Plan("kinesis", "kinesis", disorder=Disorder(), parts=2, poison=17, settings={"retries": 3}),
    Plan("ordered", "kinesis", disorder=Disorder(repeats=0.05, reorders=0.0)),
)
# Gone for more than the stream keeps: what it then misses it must be told.
AWAY = (
    Plan("away", away_hours=(1.0, 26.5)),
    Plan("away kinesis", "kinesis", disorder=Disorder(), away_hours=(1.5, 26.8)),
)


def quick_folder() -> str | None:
    """Where files stay in memory, if there is such a place: `Disk` decides what a crash leaves."""
    memory = Path("/dev/shm")
    return str(memory) if os.access(memory, os.W_OK) else None


def flat(memory: Sequence[int]) -> bool:
    """Whether the last hours need no more than the first; bytes at each full hour.

    Hours differ, with what big records happen to be in flight: so medians, and a bound for all.
    """
    early, late = median(memory[2:8]), median(memory[-6:])
    return late < 1.25 * early + 2_000_000 and max(memory) < 64_000_000


def shown(report: Report, seconds: float) -> str:
    """The report as text."""
    lines = [
        f"seed {report.seed}, {seconds:.0f} s",
        f"  {report.changes:>8,}  changes",
        f"  {report.reshardings:>8,}  reshardings",
        f"  {report.restarts:>8,}  restarts",
        f"  {sum(report.faults.values()):>8,}  faults:",
        "",
        *(f"  {count:>8,}  {kind}" for kind, count in sorted(report.faults.items())),
        "",
        f"  {'consumer':14}" + "".join(f"{name:>11}" for name in report.consumers["strict"]),
    ]
    for name, figures in report.consumers.items():
        lines.append(f"  {name:14}" + "".join(f"{figure:>11,}" for figure in figures.values()))
    if report.memory:
        marks = ", ".join(f"{size / 1e6:.1f}" for size in report.memory)
        lines += ["", f"  MB at each full hour: {marks}"]
    return "\n".join(lines)


def main() -> int:
    """Run it; 0 if every promise held."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="decides everything that happens")
    parser.add_argument("--hours", type=float, default=28.0, help="of traffic, more than 26")
    arguments = parser.parse_args()
    scenario = Scenario(arguments.seed, arguments.hours, (*PLANS, *AWAY), measure_memory=True)
    began = time.monotonic()
    tracemalloc.start()
    with (
        pytest.MonkeyPatch.context() as patch,
        tempfile.TemporaryDirectory(dir=quick_folder()) as folder,
    ):
        world = World(scenario, Path(folder), patch)
        try:
            report = world.run()
        except Broken as broken:
            print(f"BROKEN: {broken}", file=sys.stderr)
            return 1
    print(shown(report, time.monotonic() - began))
    whole = report.reshardings >= 50 and sum(report.faults.values()) >= 500
    if not whole or not flat(report.memory):
        print("BROKEN: memory grows, or too little happened to show anything", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
