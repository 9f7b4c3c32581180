"""The embedded metric format: what is printed is what CloudWatch takes."""

import json
import math
import sys
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import emf
from shared.emf import Metric
from shared.errors import Malformed
from tests.support.emf_rules import SCHEMA, checked_document

TIME = 1_760_000_000_000
FINITE = st.floats(-emf.MAX_MAGNITUDE, emf.MAX_MAGNITUDE)


def documents(*metrics: Metric, dimensions: dict[str, str] | None = None) -> list[dict[str, Any]]:
    dimensions = dimensions or {"Consumer": "toy"}
    lines = list(emf.documents("Test", TIME, dimensions, metrics, {"id": "r-1"}))
    assert [line.count(b"\n") for line in lines] == [1] * len(lines)
    assert all(line.endswith(b"\n") for line in lines)
    return [checked_document(line) for line in lines]


def test_a_document_says_all() -> None:
    assert documents(Metric("Records", "Count", [3]), Metric("Time", "Milliseconds", [1.5, 2])) == [
        {
            "id": "r-1",
            "Consumer": "toy",
            "Records": 3,
            "Time": [1.5, 2],
            "_aws": {
                "Timestamp": TIME,
                "CloudWatchMetrics": [
                    {
                        "Namespace": "Test",
                        "Dimensions": [["Consumer"]],
                        "Metrics": [
                            {"Name": "Records", "Unit": "Count"},
                            {"Name": "Time", "Unit": "Milliseconds"},
                        ],
                    }
                ],
            },
        }
    ]


def values_in(documents: list[dict[str, Any]]) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for document in documents:
        for metric in document["_aws"]["CloudWatchMetrics"][0]["Metrics"]:
            values = document[metric["Name"]]
            found.setdefault(metric["Name"], []).extend(
                values if isinstance(values, list) else [values]
            )
    return found


@pytest.mark.parametrize(("count", "lines"), [(1, 1), (100, 1), (101, 2), (200, 2), (350, 4)])
def test_over_a_hundred_values_are_several_documents(count: int, lines: int) -> None:
    many, few = [number / 8 for number in range(count)], [1.0, 2.0]
    printed = documents(Metric("Many", "None", many), Metric("Few", "None", few))
    assert len(printed) == lines
    assert values_in(printed) == {"Many": many, "Few": few}


@given(st.lists(FINITE, min_size=1, max_size=120))
def test_every_finite_value_is_printed_exactly(values: list[float]) -> None:
    assert values_in(documents(Metric("A", "None", values))) == {"A": values}


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e125, -1e125, 2.0**361])
@pytest.mark.parametrize("place", [0, 1, 150])
def test_a_value_that_cloudwatch_refuses_is_refused(value: float, place: int) -> None:
    values = [1.0] * 200
    values[place] = value
    with pytest.raises(ValueError, match="Time is beyond"):
        documents(Metric("Time", "None", values))


@pytest.mark.parametrize("value", ["CARD", "a b", "x" * 1024, "a:b", "!"])
def test_a_dimension_passes_unchanged(value: str) -> None:
    assert emf.check_dimension(value) == value


@pytest.mark.parametrize("value", ["", " ", "x" * 1025, "é", ":a", "a\nb", "a\0", "\ud800"])
def test_what_is_no_dimension_is_malformed_and_not_quoted(value: str) -> None:
    with pytest.raises(Malformed) as caught:
        emf.check_dimension(value)
    assert caught.value.hint
    assert not value.strip() or value not in str(caught.value)


@given(st.text())
def test_every_dimension_that_passes_makes_a_valid_document(value: str) -> None:
    try:
        emf.check_dimension(value)
    except Malformed:
        return
    (document,) = documents(Metric("A", "Count", [1]), dimensions={"Method": value})
    assert document["Method"] == value


def test_documents_are_written_in_one_piece(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    sys.stdout.write("before")
    emf.write([b"one\n", b"two\n"])
    assert capsysbinary.readouterr().out == b"beforeone\ntwo\n"


def test_the_checks_see_what_is_wrong() -> None:
    (good,) = documents(Metric("A", "Count", [1]))
    checked_document(json.dumps(good).encode())
    for spoiled in (
        {**good, "A": [1] * 101},
        {**good, "A": "1"},
        {**good, "A": []},
        {**good, "A": math.nan},
        {**good, "Consumer": 7},
        {**good, "Consumer": " "},
        {**good, "_aws": {**good["_aws"], "Timestamp": TIME // 1000}},
    ):
        with pytest.raises(AssertionError):
            checked_document(json.dumps(spoiled).encode())
    for spoiled in ({}, {**good, "_aws": {**good["_aws"], "Timestamp": 1.5}}):
        with pytest.raises(jsonschema.ValidationError):
            checked_document(json.dumps(spoiled).encode())


def test_the_schema_is_the_recorded_one(shared_testdata: Any) -> None:
    def bare(node: Any) -> Any:
        if isinstance(node, dict):
            return {
                key: bare(value) for key, value in node.items() if key not in ("title", "$comment")
            }
        return [bare(value) for value in node] if isinstance(node, list) else node

    recorded = json.loads((shared_testdata / "emf_schema.json").read_text(encoding="utf-8"))
    assert bare(json.loads(SCHEMA.read_text(encoding="utf-8"))) == bare(recorded)
