"""Filters over records from Kinesis, whose payload has to be decoded before it is compared."""

from __future__ import annotations

import base64
import json
from typing import Any

import orjson
import pytest

from shared.filter_kinesis import compile_kinesis_filters, kinesis_view
from shared.filters import InvalidFilter, wrap_for_kinesis
from tests.support.records import KINESIS_ARN

INSERT = {"eventName": "INSERT", "dynamodb": {"Keys": {"PK": {"S": "ORDER#1"}}}}
NOT_JSON = [b"plain text", b"", b"\xff\xfe", b'{"open": ', b"NaN", b"{'a': 1}"]


def kinesis_record(payload: bytes, partition_key: str = "1") -> dict[str, Any]:
    """As in the Lambda developer guide, "Using Lambda with Kinesis"."""
    return {
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": partition_key,
            "sequenceNumber": "49590338271490256608559692538361571095921575989136588898",
            "data": base64.b64encode(payload).decode(),
            "approximateArrivalTimestamp": 1545084650.987,
        },
        "eventSource": "aws:kinesis",
        "eventName": "aws:kinesis:record",
        "eventSourceARN": KINESIS_ARN,
    }


def json_record(value: object, partition_key: str = "1") -> dict[str, Any]:
    return kinesis_record(json.dumps(value).encode(), partition_key)


def test_the_view_shows_the_payload_beside_the_metadata() -> None:
    record = json_record(INSERT)
    before = json.dumps(record)
    assert kinesis_view(record) == {
        "kinesisSchemaVersion": "1.0",
        "partitionKey": "1",
        "sequenceNumber": "49590338271490256608559692538361571095921575989136588898",
        "data": INSERT,
        "approximateArrivalTimestamp": 1545084650.987,
    }
    assert json.dumps(record) == before, "the record itself stays as delivered"


@pytest.mark.parametrize("payload", NOT_JSON)
def test_the_view_has_no_data_that_is_no_json(payload: bytes) -> None:
    view = kinesis_view(kinesis_record(payload))
    assert "data" not in view
    assert view["partitionKey"] == "1"


@pytest.mark.parametrize("data", ["no base64!", "YQ", 5, None, ["e30="], {"a": 1}])
def test_the_view_survives_data_that_is_no_base64(data: object) -> None:
    record = json_record(INSERT)
    record["kinesis"]["data"] = data
    assert "data" not in kinesis_view(record)


@pytest.mark.parametrize("record", [{}, {"kinesis": None}, {"kinesis": "x"}, {"kinesis": []}])
def test_the_view_of_no_kinesis_record_is_empty(record: dict[str, Any]) -> None:
    assert kinesis_view(record) == {}


def test_a_wrapped_pattern_compares_the_payload() -> None:
    wanted = compile_kinesis_filters([wrap_for_kinesis({"eventName": ["INSERT"]})])
    assert wanted.matches(json_record(INSERT))
    assert not wanted.matches(json_record({**INSERT, "eventName": "REMOVE"}))


def test_a_pattern_that_was_not_wrapped_delivers_nothing() -> None:
    forgotten = compile_kinesis_filters([{"eventName": ["INSERT"]}])
    assert not forgotten.matches(json_record(INSERT))


def test_the_recorded_pair() -> None:
    """Recorded on AWS: Lambda with Kinesis, LocalStack test_kinesis_event_filtering."""
    record = json_record({"event_type": "function_1", "message": "foo"}, "test")
    first = compile_kinesis_filters(['{"data": {"event_type": ["function_1"]}}'])
    second = compile_kinesis_filters(['{"data": {"event_type": ["function_2"]}}'])
    assert first.matches(record)
    assert not second.matches(record)


@pytest.mark.parametrize("payload", NOT_JSON)
def test_a_pattern_that_names_data_drops_what_is_no_json(payload: bytes) -> None:
    for pattern in (
        {"data": {"eventName": ["INSERT"]}},
        {"data": {"eventName": [{"exists": False}]}},
        {"data": {"eventName": [{"anything-but": "INSERT"}]}, "partitionKey": ["1"]},
        {"$or": [{"partitionKey": ["1"]}, {"data": {"a": ["x"]}}]},
        '{"data.eventName": [{"exists": false}]}',
    ):
        assert not compile_kinesis_filters([pattern]).matches(kinesis_record(payload))


@pytest.mark.parametrize("payload", NOT_JSON)
def test_a_pattern_of_metadata_alone_compares_what_is_no_json(payload: bytes) -> None:
    wanted = compile_kinesis_filters([{"partitionKey": ["1"]}])
    assert wanted.matches(kinesis_record(payload, "1"))
    assert not wanted.matches(kinesis_record(payload, "2"))


def test_patterns_are_judged_one_by_one() -> None:
    either = compile_kinesis_filters([{"data": {"a": ["x"]}}, {"partitionKey": ["1"]}])
    assert either.matches(json_record({"a": "x"}, "2"))
    assert either.matches(kinesis_record(b"plain", "1"))
    assert not either.matches(kinesis_record(b"plain", "2"))
    assert not either.matches(json_record({"a": "y"}, "2"))


def test_json_that_is_no_object_has_no_fields() -> None:
    wanted = compile_kinesis_filters([{"data": {"a": [{"exists": True}]}}])
    for value in (1, "a", None, [], [1], True):
        assert not wanted.matches(json_record(value))
    assert wanted.matches(json_record([{"a": 1}]))


def test_without_patterns_all_records_match() -> None:
    everything = compile_kinesis_filters([])
    assert everything.matches(json_record(INSERT))
    assert everything.matches(kinesis_record(b"plain"))


def test_the_payload_is_parsed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[bytes] = []

    class CountingJson:
        @staticmethod
        def loads(payload: bytes) -> Any:
            parsed.append(payload)
            return orjson.loads(payload)

    monkeypatch.setattr("shared.filter_kinesis.orjson", CountingJson)
    several = compile_kinesis_filters([{"data": {"a": [number]}} for number in range(5)])
    assert not several.matches(json_record({"a": 9}))
    assert len(parsed) == 1


@pytest.mark.parametrize("pattern", [{"data": ["x"]}, {"data": [{"exists": True}]}])
def test_refuses_to_compare_data_as_text(pattern: dict[str, Any]) -> None:
    with pytest.raises(InvalidFilter, match="data is a list"):
        compile_kinesis_filters([{"data": {"a": ["x"]}}, pattern])


def test_refuses_what_other_sources_refuse() -> None:
    with pytest.raises(InvalidFilter, match=r"data\.a is 1, not a list"):
        compile_kinesis_filters([{"data": {"a": 1}}])
    with pytest.raises(InvalidFilter, match="a mapping takes 5"):
        compile_kinesis_filters([{"data": {"a": ["x"]}}] * 6)
