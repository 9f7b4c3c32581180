"""One folder and one registry line, as docs/adding-a-consumer.md says: all of AWS follows."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.meta.project import PACKAGES, ROOT
from tests.support.synth import GIVEN_SINKS

PAGE = ROOT / "docs" / "adding-a-consumer.md"
PARTS = {
    "Counts the customers": "__init__.py",
    "Which customer": "projection.py",
    "A set of customers": "sink.py",
    "The Lambda entry": "handler.py",
}
PROGRAM = f"""
from pathlib import Path
from tests.support.synth import synth
synth(Path("synth"), {GIVEN_SINKS!r})
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the code with the page's consumer added, exactly as the page says."""
    for package in (*PACKAGES, "tests/support"):
        for path in (ROOT / package).rglob("*.py"):
            copied = tmp_path / path.relative_to(ROOT)
            copied.parent.mkdir(parents=True, exist_ok=True)
            copied.write_bytes(path.read_bytes())
    folder = tmp_path / "consumers" / "audience"
    folder.mkdir()
    for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL):
        for opening, name in PARTS.items():
            if block.startswith(f'"""{opening}'):
                (folder / name).write_text(block)
    registry = tmp_path / "consumers" / "registry.py"
    text = registry.read_text()
    text = text.replace("from consumers import audit,", "from consumers import audience, audit,")
    registry.write_text(text.replace("    audit.SPEC,\n", "    audience.SPEC,\n    audit.SPEC,\n"))
    return tmp_path


def test_it_gets_everything_from_its_spec(tree: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=tree,
        env={**os.environ, "PYTHONPATH": str(tree)},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-2000:] + run.stderr[-4000:]
    out = tree / "synth" / "out"
    pipeline, observability = (
        json.loads((out / f"{part}.template.json").read_text())["Resources"]
        for part in ("pipeline", "observability")
    )
    made = {
        (
            each["Type"],
            each["Properties"].get("FunctionName") or each["Properties"].get("QueueName"),
        )
        for each in pipeline.values()
        if "Properties" in each and isinstance(each["Properties"].get("FunctionName", ""), str)
    }
    assert ("AWS::Lambda::Function", "fanout-dev-audience") in made
    assert ("AWS::SQS::Queue", "fanout-dev-audience-dlq") in made
    mapping = pipeline["AudienceMapping"]["Properties"]
    (pattern,) = mapping["FilterCriteria"]["Filters"]
    assert "data" in json.loads(pattern["Pattern"])
    alarms = {
        each["Properties"]["AlarmName"]: each["Properties"]
        for each in observability.values()
        if each["Type"].endswith("Alarm")
    }
    heartbeat = alarms["fanout-dev-audience-heartbeat-missing"]
    assert "docs/runbook.md#heartbeat-missing" in heartbeat["AlarmDescription"]
    assert "fanout-dev-audience-all" in alarms
    dashboards = {
        each["Properties"]["DashboardName"]: json.dumps(each["Properties"]["DashboardBody"])
        for each in observability.values()
        if each["Type"] == "AWS::CloudWatch::Dashboard"
    }
    assert "fanout-dev-audience" in dashboards
    assert "fanout-dev-audience" in dashboards["fanout-dev-overview"]
