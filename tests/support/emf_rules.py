"""Whether a line is an EMF document that CloudWatch takes whole: its schema, and the rules beside.

The rules that the schema does not express are the specification's text ("Specification: Embedded
metric format") and what AWS's own libraries check: dimension values are strings, metrics are
numbers at the root, at most 100 values, 100 metrics, 1 MB, one document per line.
"""

import json
import math
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft7Validator

SCHEMA = Path(__file__).parent.parent / "data" / "emf_schema.json"


@cache
def _validator() -> Draft7Validator:
    return Draft7Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))


def checked_documents(output: bytes) -> list[dict[str, Any]]:
    """The documents of what was printed. Fails unless every line is one that CloudWatch takes."""
    assert output == b"" or output.endswith(b"\n")
    return [checked_document(line) for line in output.splitlines()]


def checked_document(line: bytes) -> dict[str, Any]:
    """The document in a line. Fails unless CloudWatch takes it."""
    assert len(line) <= 1_000_000
    document = json.loads(line, parse_constant=_refuse)
    _validator().validate(document)
    for directive in document["_aws"]["CloudWatchMetrics"]:
        names = [metric["Name"] for metric in directive["Metrics"]]
        assert len(names) == len(set(names)) <= 100
        for name in names:
            values = document[name] if isinstance(document[name], list) else [document[name]]
            assert 1 <= len(values) <= 100
            for value in values:
                assert type(value) in {int, float}
                assert math.isfinite(value)
                assert abs(value) <= 2.0**360
        for name in {name for names in directive["Dimensions"] for name in names}:
            value = document[name]
            assert isinstance(value, str)
            assert value.strip()
            assert value.isascii()
            assert len(value) <= 1024
            assert not name.startswith(":")
    timestamp = document["_aws"]["Timestamp"]
    assert timestamp > 10**12, "milliseconds, not seconds"
    return document


def _refuse(text: str) -> None:
    raise AssertionError(f"{text} is no JSON")
