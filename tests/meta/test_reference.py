"""The reference pages say what the code says. After a change: `UPDATE_DOCS=1 make test`."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest

from consumers.registry import REGISTRY
from shared.metric_names import BUSINESS, BUSINESS_METRICS, PIPELINE, PIPELINE_METRICS
from shared.settings import COMMON_SETTINGS, SETTINGS, Settings

DOCS = Path(__file__).resolve().parents[2] / "docs"


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(map(str, line)) + " |\n" for line in lines)


def _settings() -> str:
    rows = []
    for (name, setting), value in zip(SETTINGS.items(), Settings(), strict=True):
        users = [spec.name for spec in REGISTRY if name in spec.settings]
        required = "all" if name in COMMON_SETTINGS else ", ".join(users) or "none"
        default = f"`{int(value)}`" if isinstance(value, int) else ""
        rows.append((f"`{setting.variable}`", setting.doc, required, default))
    return (
        "# Settings\n\n"
        "A handler reads them from its environment when it starts. One that is missing or\n"
        "wrong stops the start with the name of the variable and what to set. In AWS and on one\n"
        "machine they are set for you; AWS's own (`AWS_REGION`, `AWS_ENDPOINT_URL`, …) are boto's\n"
        "business.\n\n"
        + _table(("variable", "what it is", "required by", "default"), rows)
        + "\nThe `fanout` command takes its settings as options; `FANOUT_STATE` sets `--state`.\n"
    )


def _metrics() -> str:
    head = ("metric", "unit", "what it tells")
    pipeline, business = (
        _table(head, ((f"`{each.name}`", each.unit, each.meaning) for each in metrics))
        for metrics in (PIPELINE_METRICS, BUSINESS_METRICS)
    )
    return (
        "# Metrics\n\n"
        "Written in CloudWatch's embedded metric format: lines of JSON on stdout.\n\n"
        f"## `{PIPELINE}`\n\n"
        f"The pipeline's own health; the one dimension is `Consumer`.\n\n{pipeline}\n"
        f"## `{BUSINESS}`\n\n"
        f"What the business does. An order's id is never a dimension: each dimension value is a\n"
        f"billed metric.\n\n{business}"
    )


@pytest.mark.parametrize(
    ("name", "expected"), [("settings.md", _settings()), ("metrics.md", _metrics())]
)
def test_the_page_is_up_to_date(name: str, expected: str) -> None:
    page = DOCS / name
    if os.environ.get("UPDATE_DOCS"):
        page.write_text(expected)
    assert page.read_text() == expected, "UPDATE_DOCS=1 make test writes it anew"


def test_every_alarm_has_its_section_in_the_runbook() -> None:
    headings = {
        line[3:].strip()
        for line in (DOCS / "runbook.md").read_text().splitlines()
        if line[:3] == "## "
    }
    for spec in REGISTRY:
        names = [each.name for each in spec.alarms] + [each.name for each in spec.burn_rates]
        for name in names:
            assert name in headings, f"{spec.name}'s alarm {name} has no section"
