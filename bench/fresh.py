"""Fresh interpreters, timed from outside: what a process costs that does one thing and ends."""

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import bench
from bench.side import SideFailed

ROOT = Path(bench.__path__[0]).parent


@dataclass(frozen=True, slots=True)
class Start:
    """What one process took, from its start to its end.

    Attributes:
        wall, cpu: seconds.
    """

    wall: float
    cpu: float


def with_bytecode(environment: Mapping[str, str], folder: str) -> dict[str, str]:
    """The environment, with compiled modules in `folder`: ours and everybody's, alike.

    Without it the modules of this tree might be compiled at each start, as this machine's settings
    would have it, and those that were installed would not.
    """
    without = {name: value for name, value in environment.items() if name not in _BYTECODE}
    return {**without, "PYTHONPYCACHEPREFIX": folder, "PYTHONPATH": str(ROOT)}


_BYTECODE = ("PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX")


def start(code: str, environment: Mapping[str, str]) -> Start:
    """Run `code` in an interpreter of its own. Raises SideFailed if it fails."""
    began = time.perf_counter()
    child = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, env=dict(environment))
    _, status, usage = os.wait4(child.pid, 0)
    wall = time.perf_counter() - began
    # Waited for above: Popen is told, so that it does not wait for a process that is gone.
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SideFailed(f"`{code}` ended with {child.returncode}: see its error above")
    return Start(wall, usage.ru_utime + usage.ru_stime)
