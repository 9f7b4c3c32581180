"""Figures as JSON, with what they were measured on; kept per commit."""

import json
import os
import platform
import subprocess
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.figures import Figure, Scale

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "bench" / "results"


def document(figures: Sequence[Figure], scale: Scale) -> dict[str, Any]:
    """Everything that a later reader needs to compare with these figures."""
    return {
        "commit": commit(),
        "measured": datetime.now(UTC).isoformat(timespec="seconds"),
        "scale": scale.value,
        "python": platform.python_version(),
        "machine": f"{platform.machine()}, {_processor()}, {os.cpu_count()} cores",
        "figures": [asdict(figure) | {"met": figure.is_met} for figure in figures],
    }


def write(given: dict[str, Any], path: Path) -> None:
    """Write a document, replacing what was there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(given, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def kept_path(given: dict[str, Any]) -> Path:
    """Where a document is kept in the repository."""
    return RESULTS / f"{given['commit']}.json"


def commit() -> str:
    """The commit of the tree, with a plus if anything in it is changed; `unknown` without git."""
    head = _git("rev-parse", "--short=12", "HEAD").strip()
    if not head:
        return "unknown"
    return head + (
        "+" if _git("status", "--porcelain", "--", ".", ":!bench/results").strip() else ""
    )


def _git(*arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        return ""
    return done.stdout if done.returncode == 0 else ""


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return "unknown processor"
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, "unknown processor")
