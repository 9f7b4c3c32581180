"""Reviewed examples of totals: what each record contributes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from consumers.totals.projection import project
from shared.errors import Malformed
from tests.support.totals import records_of

CASES = [
    pytest.param(case, id=f"{path.stem}: {case['why']}")
    for path in sorted(Path(__file__).parent.glob("*.json"))
    for case in json.loads(path.read_text(encoding="utf-8"))["cases"]
]


@pytest.mark.parametrize("case", CASES)
def test_record_to_operation(case: dict[str, Any]) -> None:
    (record,) = records_of(case["record"])
    operation: Any
    try:
        made = project(record)
    except Malformed as error:
        operation = {"malformed": error.reason}
    else:
        operation = made and {
            name: str(value) if name in {"value", "replaced"} and value is not None else value
            for name, value in made._asdict().items()
        }
    assert operation == case["operation"]


def test_the_examples_are_read() -> None:
    assert len(CASES) == 15
