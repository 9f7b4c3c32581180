"""Records and the cache entries that they clear, as people have reviewed them."""

import json
from pathlib import Path
from typing import Any

import pytest

from consumers.cache.projection import project
from shared.envelopes import read_records
from shared.errors import Malformed
from shared.records import Record

FILES = sorted(Path(__file__).parent.glob("*.json"))


def operation_of(raw: dict[str, Any]) -> Any:
    (record,) = read_records({"Records": [raw]})
    assert isinstance(record, Record)
    try:
        entries = project(record)
    except Malformed as error:
        return {"malformed": error.reason if error.hint else "an error without a hint"}
    return entries and list(entries)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_projection_is_as_reviewed(path: Path) -> None:
    golden = json.loads(path.read_text(encoding="utf-8"))
    assert golden["cases"], golden["about"]
    for case in golden["cases"]:
        assert operation_of(case["record"]) == case["operation"], case["record"]["eventID"]


def test_there_are_goldens() -> None:
    assert [path.stem for path in FILES] == ["orders", "scores_and_totals"]
