"""Faults on real engines: DynamoDB Local, OpenSearch, Redis behind the same wires, then parity."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ops.chaos.faults import REAL_SERVERS
from tests.support.engines import ON_REAL_ENGINES, need_real_engines

pytestmark = [*ON_REAL_ENGINES]

ROOT = Path(__file__).resolve().parents[2]
_KINDS = ("throttle", "unanswered", "misreported", "cut", "kill-amid", "kill-server")


@pytest.mark.timeout(400)
def test_faults_before_real_engines_lose_nothing(tmp_path: Path) -> None:
    need_real_engines()
    kinds = [argument for kind in _KINDS for argument in ("--only", kind)]
    ran = subprocess.run(
        [
            *(sys.executable, "-m", "ops.cli", "chaos", "--json", "--engines", "real"),
            *("--faults", "24", "--seed", "2", "--rate", "30", *kinds),
        ],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=380,
        check=False,
    )
    assert "--engines real" in ran.stderr, "says how to repeat it"
    report = json.loads(ran.stdout)
    assert (ran.returncode, report["reasons"]) == (0, []), (report["verdicts"], ran.stderr)
    assert report["injected"] >= 20, report["kinds"]
    assert {name for kind in report["kinds"] for name in kind["targets"]} == {*REAL_SERVERS}
    assert "dynamodb" in report["restarts"]
