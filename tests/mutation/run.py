"""Take one safeguard out at a time, in a copy of the tree, and see whether its tests notice."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from tests.mutation.mutant import Mutant

ROOT = Path(__file__).parents[2]
_LEFT_OUT = (
    ".git",
    "build",
    "dist",
    ".venv",
    ".fanout",
    "__pycache__",
    ".*_cache",
    ".hypothesis",
    "node_modules",
)
# For one mutant's tests; a hang is seen by pytest's own limit, which ends one test.
_TEST_SECONDS = 40
_RUN_SECONDS = 300


class Verdict(StrEnum):
    """What came of a mutant. Only CAUGHT is well."""

    CAUGHT = "caught"
    SURVIVED = "SURVIVED"
    STALE = "NO LONGER APPLIES"
    BROKEN = "TESTS DID NOT RUN"


@dataclass(frozen=True, slots=True)
class Result:
    """One row of the report.

    Attributes:
        mutant: what was taken out.
        verdict: whether it was noticed.
        by: the test that noticed it, or pytest's last words if none could.
        seconds: how long it took.
    """

    mutant: Mutant
    verdict: Verdict
    by: str
    seconds: float


@contextmanager
def copied_tree() -> Iterator[Path]:
    """A copy of the work tree as it is, for changing; removed in the end."""
    with tempfile.TemporaryDirectory(prefix="fanout-mutants-") as folder:
        tree = Path(folder) / "tree"
        shutil.copytree(ROOT, tree, ignore=shutil.ignore_patterns(*_LEFT_OUT))
        yield tree


def applied(mutant: Mutant, text: str) -> str | None:
    """The text without the safeguard; None if the piece does not stand there exactly once."""
    return text.replace(mutant.before, mutant.after) if text.count(mutant.before) == 1 else None


def try_mutant(tree: Path, mutant: Mutant) -> Result:
    """Change the tree, run the tests, and change it back."""
    began = time.monotonic()
    path = tree / mutant.file
    text = path.read_text(encoding="utf-8")
    changed = applied(mutant, text)
    if changed is None:
        return Result(
            mutant, Verdict.STALE, "its text is not there exactly once: write the row anew", 0.0
        )
    path.write_text(changed, encoding="utf-8")
    try:
        code, output = run_tests(tree, mutant.tests)
    finally:
        path.write_text(text, encoding="utf-8")
    # 1: tests ran and failed. Anything else but 0 says nothing about the mutant.
    verdict = {0: Verdict.SURVIVED, 1: Verdict.CAUGHT}.get(code, Verdict.BROKEN)
    return Result(mutant, verdict, _by(output), time.monotonic() - began)


def run_tests(tree: Path, tests: Sequence[str]) -> tuple[int, str]:
    """Run tests in a tree of their own; pytest's exit code and what it said."""
    command = (sys.executable, "-m", "pytest", "-x", "-q", "--no-header", "--tb=line")
    options = ("-p", "no:cacheprovider", f"--timeout={_TEST_SECONDS}")
    environment = {
        **os.environ,
        # The tree's own code, in this process and in all that it starts; and no stale bytecode.
        "PYTHONPATH": str(tree),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    done = subprocess.run(
        [*command, *options, *tests],
        cwd=tree,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=_RUN_SECONDS,
        check=False,
    )
    return done.returncode, done.stdout.decode(errors="replace")


def _by(output: str) -> str:
    failed = [line for line in output.splitlines() if line.startswith(("FAILED", "ERROR"))]
    words = (failed or output.strip().splitlines() or ["nothing was said"])[-1]
    return words.removeprefix("FAILED ").partition(" - ")[0].rpartition("::")[2]
