"""Records and what they ask of the order index, as people have reviewed them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import orjson
import pytest

from consumers.search.projection import project
from shared.envelopes import read_records
from shared.errors import Malformed
from shared.records import Record

CASES = [
    pytest.param(case, id=f"{path.stem}: {case['why']}")
    for path in sorted(Path(__file__).parent.glob("*.json"))
    for case in json.loads(path.read_text(encoding="utf-8"))["cases"]
]


def operation_of(raw: dict[str, Any]) -> dict[str, Any] | None:
    (record,) = read_records({"Records": [raw]})
    assert isinstance(record, Record)
    try:
        operation = project(record)
    except Malformed as error:
        return {"malformed": error.reason if error.hint else "an error without a hint"}
    return operation and {
        "id": operation.id,
        "version": operation.version,
        "version_type": "external" if operation.own_version else "external_gte",
        "document": orjson.loads(operation.document),
    }


@pytest.mark.parametrize("case", CASES)
def test_the_projection_is_as_reviewed(case: dict[str, Any]) -> None:
    assert operation_of(case["record"]) == case["operation"]


def test_the_examples_are_read() -> None:
    assert len(CASES) == 16
