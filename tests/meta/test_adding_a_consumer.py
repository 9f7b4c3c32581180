"""One folder and one registry line are a consumer: `docs/adding-a-consumer.md`, done."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "adding-a-consumer.md"
PARTS = {
    "Counts the customers": "__init__.py",
    "Which customer": "projection.py",
    "A set of customers": "sink.py",
    "The Lambda entry": "handler.py",
}
CODE = ("shared", "consumers", "infra", "ops")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the code with the page's consumer added, exactly as the page says."""
    for package in CODE:
        _copy(ROOT / package, tmp_path / package)
    folder = tmp_path / "consumers" / "audience"
    folder.mkdir()
    for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL):
        for opening, name in PARTS.items():
            if block.startswith(f'"""{opening}'):
                (folder / name).write_text(block)
    assert {path.name for path in folder.iterdir()} == set(PARTS.values())
    registry = tmp_path / "consumers" / "registry.py"
    text = registry.read_text()
    text = text.replace("from consumers import audit,", "from consumers import audience, audit,")
    registry.write_text(text.replace("    audit.SPEC,\n", "    audience.SPEC,\n    audit.SPEC,\n"))
    return tmp_path


def _copy(source: Path, target: Path) -> None:
    for path in source.rglob("*.py"):
        copied = target / path.relative_to(source)
        copied.parent.mkdir(parents=True, exist_ok=True)
        copied.write_bytes(path.read_bytes())


def test_it_gets_everything_from_its_spec(tree: Path) -> None:
    """The demo runs with it: a mapping, a queue, metrics, and a row in the status."""
    environment = {**os.environ, "PYTHONPATH": str(tree), "TMPDIR": str(tree)}
    done = subprocess.run(
        [sys.executable, "-m", "ops.cli", "demo", "--orders", "20", "--scores", "10", "--json"],
        cwd=tree,
        env=environment,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    report = json.loads(done.stdout)
    row = next(entry for entry in report["consumers"] if entry["name"] == "audience")
    assert row["delivered"] >= 20
    assert row["batches"] > 0
    assert row["freshness_ms"] is not None, "its metrics are collected"
    assert report["deployment"]["queue_urls"]["audience"].endswith("fanout-audience-dlq")
