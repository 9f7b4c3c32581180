"""Records and the lines that the archive keeps of them, as people have reviewed them."""

import json
from pathlib import Path
from typing import Any

import pytest

from consumers.audit.projection import project
from shared.archive_format import partition
from shared.envelopes import read_records
from shared.errors import Malformed
from shared.records import Record
from tests.support import records as make

FILES = sorted(Path(__file__).parent.glob("*.json"))


def operation_of(raw: dict[str, Any]) -> Any:
    (record,) = read_records({"Records": [raw]})
    assert isinstance(record, Record)
    try:
        archived = project(record)
    except Malformed as error:
        return {"malformed": error.reason if error.hint else "an error without a hint"}
    return {"folder": partition(archived.hour), "line": json.loads(archived.line)}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_projection_is_as_reviewed(path: Path) -> None:
    golden = json.loads(path.read_text(encoding="utf-8"))
    assert golden["cases"], golden["about"]
    for case in golden["cases"]:
        raw = case["record"]
        if golden.get("through") == "kinesis":
            raw = make.kinesis_entry(json.dumps(raw).encode())
        assert operation_of(raw) == case["operation"], case["record"].get("eventID")


def test_there_are_goldens() -> None:
    assert [path.stem for path in FILES] == ["life_of_a_score", "odd_changes", "through_kinesis"]
