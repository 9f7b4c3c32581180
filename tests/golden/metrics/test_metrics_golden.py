"""Records and what they add to the metrics, as people have reviewed it.

An operation stands as {"Dimension=value …": {metric: value}}.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from consumers.metrics.projection import project
from shared.envelopes import read_records
from shared.errors import Malformed
from shared.records import Record

FILES = sorted(Path(__file__).parent.glob("*.json"))


def operation_of(raw: dict[str, Any]) -> Any:
    (record,) = read_records({"Records": [raw]})
    assert isinstance(record, Record)
    try:
        counted = project(record)
    except Malformed as error:
        return {"malformed": error.reason if error.hint else "an error without a hint"}
    if counted is None:
        return None
    assert counted.event_id == raw["eventID"]
    assert counted.item == raw["dynamodb"]["Keys"]["PK"]["S"]
    shown: dict[str, dict[str, float]] = {}
    for series, value in counted.samples:
        name = " ".join(f"{name}={value}" for name, value in series.dimensions.items())
        assert name not in shown, "one sample per series"
        shown[name] = {series.count.name: 1}
        if series.value is not None:
            shown[name][series.value.name] = value
    return shown


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_projection_is_as_reviewed(path: Path) -> None:
    golden = json.loads(path.read_text(encoding="utf-8"))
    assert golden["cases"], golden["about"]
    for case in golden["cases"]:
        assert operation_of(case["record"]) == case["operation"], case["record"]["eventID"]


def test_there_are_goldens() -> None:
    names = ["odd_orders", "order_that_fails", "order_that_succeeds", "scores"]
    assert [path.stem for path in FILES] == names
