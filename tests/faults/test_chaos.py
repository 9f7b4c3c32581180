"""A small share of `fanout chaos`: every kind of fault and some more, seeded, then parity."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ops.chaos.faults import CONSUMERS, Kind, plan
from tests.support.servers import servers_under

ROOT = Path(__file__).resolve().parents[2]
_SEED, _FAULTS = 3, 40


def chaos(folder: Path, *arguments: str, seconds: float) -> tuple[int, Any, str]:
    """Exit code, report and what was said meanwhile."""
    ran = subprocess.run(
        [sys.executable, "-m", "ops.cli", "chaos", "--json", *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    return ran.returncode, json.loads(ran.stdout) if ran.stdout else None, ran.stderr


@pytest.mark.timeout(300)
def test_under_every_kind_of_fault_nothing_is_lost(tmp_path: Path) -> None:
    code, report, said = chaos(
        tmp_path,
        *("--seed", str(_SEED), "--faults", str(_FAULTS), "--rate", "40", "--keep", "state"),
        seconds=280,
    )
    assert f"--faults {_FAULTS} --seed {_SEED}" in said, "says how to repeat it"
    assert report is not None, said
    assert (code, report["reasons"]) == (0, []), (report["verdicts"], said)
    assert {entry["kind"] for entry in report["kinds"]} == set(Kind)
    assert report["injected"] >= _FAULTS - 3, report["kinds"]
    assert all(entry["checked"] for entry in report["verdicts"])
    by_name = {entry["name"]: entry for entry in report["consumers"]}
    assert set(by_name) == set(CONSUMERS)
    assert sum(entry["redeliveries"] for entry in by_name.values()) > 0
    assert sum(entry["workers"] for entry in by_name.values()) > len(CONSUMERS), "some were killed"
    for entry in by_name.values():
        assert (entry["parked"], entry["given_up"], entry["unrecovered"]) == (0, 0, 0), entry
        assert entry["recovery"] is not None, entry
    assert sum(report["restarts"].values()) > 0
    assert not servers_under(tmp_path), "nothing is left running"
    checkpoints = tmp_path / "state" / "pipeline" / "checkpoints"
    assert list(checkpoints.rglob("*.json"))
    assert not list(checkpoints.rglob("*.new")), "the disk has room"


@pytest.mark.timeout(300)
def test_kinds_one_by_one(tmp_path: Path) -> None:
    kinds = (Kind.FULL_DISK, Kind.UNANSWERED, Kind.KILL_PIPELINE)
    code, reports, said = chaos(
        tmp_path,
        *("--each", "--faults", "3", "--seed", "1", "--rate", "30"),
        *(argument for kind in kinds for argument in ("--only", kind)),
        seconds=280,
    )
    assert code == 0, (reports, said)
    assert [[entry["kind"] for entry in each["kinds"]] for each in reports] == [
        [kind] for kind in kinds
    ]
    assert [each["injected"] for each in reports] == [3, 3, 3]
    disk = reports[0]["consumers"]
    assert sum(entry["troubles"] for entry in disk) > 0, "a checkpoint could not be saved"
    assert sum(entry["redeliveries"] for entry in disk) == 0, "that is no reason to deliver again"
    assert reports[2]["kinds"][0]["targets"] == {"pipeline": 3}
    killed = reports[2]["consumers"]
    assert all(entry["workers"] >= 4 for entry in killed), "each life has workers of its own"


def test_the_share_is_quick() -> None:
    """The search sink waits half a minute for a late answer: that is for longer runs."""
    late = [fault for fault in plan(_SEED, _FAULTS) if fault.kind is Kind.LATE]
    assert late
    assert "search" not in {fault.target for fault in late}


@pytest.mark.parametrize(
    "arguments", [("--faults", "0"), ("--only", "earthquake"), ("--seed", "-1")]
)
def test_wrong_use_is_told(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    code, report, said = chaos(tmp_path, *arguments, seconds=60)
    assert (code, report) == (2, None)
    assert "Usage" in said
