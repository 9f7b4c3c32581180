"""`fanout demo` as a newcomer runs it: parity, numbers, and nothing left behind."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.servers import servers_under

ROOT = Path(__file__).resolve().parents[2]


def demo(temporary: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "ops.cli", "demo", "--orders", "40", "--scores", "60", *arguments],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(temporary), "FANOUT_STATE": str(temporary / "none")},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )


@pytest.mark.timeout(120)
def test_it_ends_in_parity_and_leaves_nothing(tmp_path: Path) -> None:
    done = demo(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert "Parity: every projection says what the table says." in done.stdout
    rows = re.findall(r"│ (\w+) +│ +([\d,]+) │((?: +\d+ │){7})", done.stdout)
    assert [name for name, _, _ in rows] == ["audit", "metrics", "cache", "search", "totals"]
    for name, checked, counts in rows:
        assert int(checked.replace(",", "")) > 0, f"{name} has compared nothing"
        *damage, _rechecked = re.findall(r"\d+", counts)
        assert set(damage) == {"0"}, name
    assert list(tmp_path.iterdir()) == [], "a temporary folder is left"
    assert servers_under(tmp_path) == [], "a server is left"


@pytest.mark.timeout(120)
def test_what_is_kept_can_be_looked_at_later(tmp_path: Path) -> None:
    state = tmp_path / "kept"
    done = demo(tmp_path, "--keep", str(state), "--seed", "3")
    assert done.returncode == 0, done.stdout + done.stderr
    assert (state / "deployment.json").is_file()
    assert {path.name for path in (state / "logs").glob("*.log")} >= {"metrics.log", "audit.log"}
    assert servers_under(tmp_path) == []
