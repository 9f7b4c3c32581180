"""cfn-lint over all templates."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from infra.aws.checks.template import Templates

# Said by CDK itself, in every template: a function waits for its role twice.
REDUNDANT = "W3005"
MAIN = "from cfnlint.runner import main; main()"


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    paths = sorted(str(path) for path in folder.glob("*.json"))
    return subprocess.run(
        [sys.executable, "-c", MAIN, "--ignore-checks", REDUNDANT, "--template", *paths],
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )


def test_templates_pass(dev: Templates, prod: Templates, given: Templates, tmp_path: Path) -> None:
    for stage, templates in (("dev", dev), ("prod", prod), ("given", given)):
        for part, template in templates.items():
            (tmp_path / f"{stage}-{part}.json").write_text(json.dumps(template))
    run = lint(tmp_path)
    assert run.returncode == 0, run.stdout + run.stderr


def test_a_wrong_property_does_not(dev: Templates, tmp_path: Path) -> None:
    text = json.dumps(dev["data"]).replace("KeySchema", "KeySchemata")
    (tmp_path / "data.json").write_text(text)
    run = lint(tmp_path)
    assert run.returncode != 0
    assert "KeySchema" in run.stdout
