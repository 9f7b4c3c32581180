"""Templates and dashboards as files to review; the same from run to run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from consumers.registry import REGISTRY
from dashboards.deployed import Deployed
from dashboards.generate import dashboards
from infra.aws.checks.template import Templates, text
from infra.aws.names import Names
from tests.infra.conftest import DEV
from tests.support import golden
from tests.support.synth import synth

GOLDEN = Path(__file__).resolve().parents[1] / "golden"

AT = Deployed(
    names=Names("dev"),
    region="eu-central-1",
    alarm_arn_start="arn:aws:cloudwatch:eu-central-1:123456789012:alarm:",
    table="fanout-dev-table",
    ledger="fanout-dev-ledger",
    stream="fanout-dev-changes",
    bucket="fanout-dev-archive-123456789012-eu-central-1",
    mapping_ids={spec.name: f"mapping-of-{spec.name}" for spec in REGISTRY},
    repository="https://example.org/fanout/blob/main",
)


def readable(value: Any) -> Any:
    """References as one text; what has a golden of its own, and tags, left out."""
    match value:
        case {"Fn::Join": _} | {"Ref": _} | {"Fn::GetAtt": _} | {"Fn::ImportValue": _}:
            return text(value)
        case dict():
            left_out = {"Tags", "DashboardBody", "Metadata"}
            return {key: readable(part) for key, part in value.items() if key not in left_out}
        case list():
            return [readable(part) for part in value]
    return value


@pytest.mark.parametrize("part", ["data", "sinks", "pipeline", "observability"])
def test_a_template_is_the_reviewed_one(part: str, dev: Templates) -> None:
    golden.check(GOLDEN / "aws" / f"{part}.json", readable(dev[part]["Resources"]))


def test_templates_are_the_same_from_run_to_run(dev: Templates, tmp_path: Path) -> None:
    assert synth(tmp_path, DEV) == dev


def test_dashboards_are_the_reviewed_ones() -> None:
    made = dashboards(REGISTRY, AT)
    for name, body in made.items():
        golden.check(GOLDEN / "dashboards" / f"{name}.json", body)
    assert {path.stem for path in (GOLDEN / "dashboards").glob("*.json")} == set(made)
