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
from infra.aws.bundle.build import content, write
from infra.aws.bundle.distributions import Installed

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
    return {**without, "PYTHONPYCACHEPREFIX": folder}


_BYTECODE = ("PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX")


def deployed(consumer: str, folder: Path) -> Path:
    """The consumer's function as AWS gets it: its modules and the packages that they import.

    Of what is installed here, so that it can be imported. No package is there that the function
    is not given: some packages import more where they find it.
    """
    files, names = content(f"consumers.{consumer}.handler", Installed())
    return write(folder / consumer, files, names).folder


def start(code: str, environment: Mapping[str, str], bundle: Path | None = None) -> Start:
    """Run `code` in an interpreter of its own; with `bundle`, nothing else can be imported.

    Raises SideFailed if it fails.
    """
    command, tree = [sys.executable, "-c", code], ROOT
    if bundle is not None:
        command, tree = [sys.executable, "-S", "-c", code], bundle
    began = time.perf_counter()
    child = subprocess.Popen(command, cwd=tree, env={**environment, "PYTHONPATH": str(tree)})
    _, status, usage = os.wait4(child.pid, 0)
    wall = time.perf_counter() - began
    # Waited for above: Popen is told, so that it does not wait for a process that is gone.
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SideFailed(f"`{code}` ended with {child.returncode}: see its error above")
    return Start(wall, usage.ru_utime + usage.ru_stime)
