"""Filters against verdicts of AWS's engine: our own table, and all recorded ones where they are."""

from __future__ import annotations

import inspect
import json
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from shared.errors import FanoutError
from shared.errors import InvalidFilter as InvalidFilterOfTheTree
from shared.filters import (
    MAX_FILTERS,
    Filter,
    InvalidFilter,
    compile_filter,
    compile_filters,
    wrap_for_kinesis,
)

# One pattern a line: the records it delivers and drops, or what the refusal has to say. `source`
# names who gave the verdict; those of event-ruler were checked by running event-ruler 2.0.1.
TABLE = Path(__file__).resolve().parents[2] / "data" / "filters" / "cases.jsonl"


# The patterns of the recorded mappings, by the name of the recording.
RECORDED_MAPPINGS: dict[str, dict[str, Any]] = {
    "content_filter_type": {"dynamodb": {"NewImage": {"presentKey": {"S": ["presentValue"]}}}},
    "content_multiple_filters": {"eventName": ["INSERT"], "eventSource": ["aws:dynamodb"]},
    "content_or_filter": {"eventName": ["INSERT", "MODIFY"]},
    "date_time_conversion": {"dynamodb": {"ApproximateCreationDateTime": [{"numeric": [">", 0]}]}},
    "exists_false_filter": {"dynamodb": {"NewImage": {"presentKey": [{"exists": False}]}}},
    "exists_filter_type": {"dynamodb": {"NewImage": {"presentKey": {"S": [{"exists": True}]}}}},
    "insert_same_entry_twice": {"eventName": ["INSERT"]},
    "numeric_filter": {
        "dynamodb": {
            "NewImage": {"numericFilter": {"N": [{"numeric": [">", 100]}, {"anything-but": "101"}]}}
        }
    },
    "prefix_filter": {"dynamodb": {"NewImage": {"prefix": {"S": [{"prefix": "us-1"}]}}}},
}


def by_name(case: dict[str, Any]) -> str:
    return str(case["name"])


def read_lines(path: Path) -> list[dict[str, Any]]:
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def as_text(pattern: object) -> str:
    return pattern if isinstance(pattern, str) else json.dumps(pattern)


CASES = read_lines(TABLE)
VALID = [case for case in CASES if "refused" not in case]
REFUSED = [case for case in CASES if "refused" in case]


def test_the_table_has_every_kind_of_case() -> None:
    assert len({case["name"] for case in CASES}) == len(CASES) > 100
    assert sum(len(case.get("delivered", ())) for case in VALID) > 140
    assert sum(len(case.get("dropped", ())) for case in VALID) > 160
    assert len(REFUSED) > 60
    patterns = "".join(as_text(case["pattern"]) for case in VALID)
    for operator in ("prefix", "suffix", "equals-ignore-case", "anything-but", "numeric", "exists"):
        assert f'"{operator}"' in patterns


@pytest.mark.parametrize("case", VALID, ids=by_name)
def test_delivers_and_drops_what_the_engine_does(case: dict[str, Any]) -> None:
    compiled = compile_filter(case["pattern"])
    for record in case.get("delivered", ()):
        assert compiled.matches(record) is True, record
    for record in case.get("dropped", ()):
        assert compiled.matches(record) is False, record


@pytest.mark.parametrize("case", REFUSED, ids=by_name)
def test_refuses_what_aws_refuses_and_says_where(case: dict[str, Any]) -> None:
    with pytest.raises(InvalidFilter) as caught:
        compile_filter(case["pattern"])
    assert case["refused"] in str(caught.value)
    assert caught.value.hint, "says what is wrong, but not what to write instead"


@pytest.mark.parametrize("case", VALID, ids=by_name)
def test_text_and_mapping_are_one_pattern(case: dict[str, Any]) -> None:
    from_text = compile_filter(as_text(case["pattern"]))
    for verdict in ("delivered", "dropped"):
        for record in case.get(verdict, ()):
            assert from_text.matches(record) is (verdict == "delivered")


def test_agrees_with_every_recorded_verdict(shared_testdata: Path) -> None:
    rows = read_lines(shared_testdata / "filters.jsonl")
    rows = [row for row in rows if row["lambda_supported"] and not row.get("uncertain")]
    assert len(rows) == 559
    wrong = []
    for row in rows:
        try:
            compiled = compile_filter(row["pattern"])
        except InvalidFilter:
            verdict: object = "invalid"
        else:
            verdict = compiled.matches(json.loads(row["event"])) if row["event"] else "valid"
        if verdict != row["expected"]:
            wrong.append((row["id"], row["expected"], verdict))
    assert not wrong


def test_refuses_every_recorded_operator_that_lambda_lacks(shared_testdata: Path) -> None:
    rows = read_lines(shared_testdata / "filters.jsonl")
    rows = [row for row in rows if not row["lambda_supported"]]
    assert len(rows) == 553
    for row in rows:
        with pytest.raises(InvalidFilter):
            compile_filter(row["pattern"])


def test_compiles_every_pattern_known_as_valid(shared_testdata: Path) -> None:
    """All but those with operators that EventBridge has and Lambda does not."""
    reasons = []
    for row in read_lines(shared_testdata / "filters_valid_patterns.jsonl"):
        try:
            compile_filter(row["pattern"])
        except InvalidFilter as refusal:
            reasons.append(refusal.reason)
    assert len(reasons) == 17
    assert all("Lambda does not support" in reason for reason in reasons)


def test_matches_every_record_that_lambda_delivered(shared_testdata: Path) -> None:
    folder = shared_testdata / "events" / "localstack_cases"
    start = "ddb_test_dynamodb_event_filter_"
    seen = set()
    for path in sorted(folder.glob(f"{start}*.json")):
        name = path.name.removeprefix(start).partition("___")[0]
        compiled = compile_filter(RECORDED_MAPPINGS[name])
        for event in json.loads(path.read_text(encoding="utf-8"))["content"]:
            for record in event["Records"]:
                # The recording has a placeholder for what differs from run to run.
                record["dynamodb"]["ApproximateCreationDateTime"] = 1764085000.0
                assert compiled.matches(record), (path.name, record)
                seen.add(name)
    assert seen == set(RECORDED_MAPPINGS)


def test_the_error_is_the_one_of_the_tree() -> None:
    assert InvalidFilter is InvalidFilterOfTheTree
    assert issubclass(InvalidFilter, FanoutError)


@pytest.mark.parametrize("pattern", [None, 5, b"{}", ["a"], ("a",), object()])
def test_refuses_what_is_neither_text_nor_mapping(pattern: Any) -> None:
    with pytest.raises(InvalidFilter, match="not a JSON object"):
        compile_filter(pattern)


@pytest.mark.parametrize("value", [{1, 2}, b"x", float("nan"), object()])
def test_refuses_a_mapping_that_has_no_json_form(value: object) -> None:
    with pytest.raises(InvalidFilter, match="is no JSON"):
        compile_filter({"a": [value]})


def test_refuses_a_pattern_over_lambdas_length() -> None:
    fits = json.dumps({"a": ["x" * 4086]}, separators=(",", ":"))
    assert len(fits) == 4096
    compile_filter(fits)
    with pytest.raises(InvalidFilter, match="4097 characters, Lambda takes 4096"):
        compile_filter(fits + " ")
    with pytest.raises(InvalidFilter, match="Lambda takes 4096"):
        compile_filter({"a": ["x" * 4087]})


def test_refuses_alternatives_that_multiply_beyond_use() -> None:
    ten = [{"a": [number]} for number in range(10)]
    compile_filter({"x": {"$or": ten}, "y": {"$or": ten}, "z": {"$or": ten}})
    with pytest.raises(InvalidFilter, match="more than 1000 combinations"):
        compile_filter({"x": {"$or": ten}, "y": {"$or": ten}, "z": {"$or": [*ten, {"b": [1]}]}})


def test_refuses_nesting_that_no_stack_holds() -> None:
    pattern = '{"a":' * 600 + '["x"]' + "}" * 600

    def compile_below(frames: int) -> Filter:
        return compile_below(frames - 1) if frames else compile_filter(pattern)

    compile_below(0)
    room = sys.getrecursionlimit() - len(inspect.stack())
    with pytest.raises(InvalidFilter, match="nested too deeply"):
        compile_below(room - 200)


def test_refuses_lists_without_end() -> None:
    with pytest.raises(InvalidFilter):
        compile_filter('{"a": ' + "[" * 2000 + "]" * 2000 + "}")


def test_a_path_of_many_keys_takes_little_memory() -> None:
    """A key may join any run of them, and so the spellings of 1,500 keys would fill gigabytes."""
    tracemalloc.start()
    try:
        compiled = compile_filter({"." * 1500: ["x"]})
        assert compiled.matches({"." * 700: {"." * 799: "x"}})
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 10_000_000


def test_a_number_of_too_many_digits_meets_itself() -> None:
    """Its parsed form has lost digits, in the record as in any other."""
    pattern = '{"v": [0.12345678901234567890123]}'
    assert compile_filter(pattern).matches(json.loads('{"v": 0.12345678901234567890123}'))
    assert not compile_filter(pattern).matches({"v": 0.1234567890123})


def test_deep_and_broad_patterns_work() -> None:
    deep = compile_filter('{"a":' * 200 + '["x"]' + "}" * 200)
    record: dict[str, Any] = {"a": "x"}
    for _ in range(199):
        record = {"a": record}
    assert deep.matches(record)
    assert deep.matches({".".join(["a"] * 200): "x"})
    assert not deep.matches({"a": record})

    broad = compile_filter({"d": {f"k{number}": [number] for number in range(250)}})
    element = {f"k{number}": number for number in range(250)}
    assert broad.matches({"d": [{"k0": 0}, element]})
    assert not broad.matches({"d": [{"k0": 0}, {**element, "k249": 0}]})


def test_long_arrays_take_no_time() -> None:
    """Quadratic work on this record would outlast the test's timeout."""
    fields = compile_filter({"a": {"x": [1]}, "b": {"x": [1], "y": [1]}})
    records = [{"x": 1}] * 20_000
    assert not fields.matches({"a": records, "b": [*records, *([{"y": 1}] * 20_000)]})
    assert fields.matches({"a": records, "b": [*records, {"x": 1, "y": 1}]})


def test_arrays_nested_deeper_than_python_calls() -> None:
    value: Any = "x"
    for _ in range(3000):
        value = [value]
    assert compile_filter({"a": ["x"]}).matches({"a": value})
    assert not compile_filter({"a": {"b": ["x"]}}).matches({"a": value})


def test_a_filter_takes_no_attributes() -> None:
    compiled = compile_filter({"a": ["x"]})
    with pytest.raises(AttributeError):
        compiled.note = "x"  # type: ignore[attr-defined]


class TestSeveralFilters:
    def test_any_may_match(self) -> None:
        both = compile_filters(['{"a": ["x"]}', {"b": [1]}])
        assert isinstance(both, Filter)
        assert [both.matches(record) for record in ({"a": "x"}, {"b": 1}, {"a": "y", "b": 2})] == [
            True,
            True,
            False,
        ]

    def test_without_any_all_records_match(self) -> None:
        assert compile_filters([]).matches({"any": "record"})
        assert compile_filters(()).matches({})

    def test_refuses_more_than_a_mapping_takes(self) -> None:
        patterns = [{"a": [number]} for number in range(MAX_FILTERS + 1)]
        compile_filters(patterns[:MAX_FILTERS])
        with pytest.raises(InvalidFilter, match="6 filters, and a mapping takes 5"):
            compile_filters(patterns)

    def test_refuses_if_one_is_refused(self) -> None:
        with pytest.raises(InvalidFilter, match=r"b is 1, not a list"):
            compile_filters([{"a": ["x"]}, {"b": 1}])


class TestWrapping:
    def test_puts_the_pattern_under_data(self) -> None:
        assert wrap_for_kinesis('{"eventName": ["INSERT"]}') == '{"data":{"eventName": ["INSERT"]}}'
        assert wrap_for_kinesis({"eventName": ["INSERT"]}) == {"data": {"eventName": ["INSERT"]}}

    @pytest.mark.parametrize("pattern", ['{"a": 1}', "[]", '{"a": [1]}, "b": {"c": [1]}', ""])
    def test_refuses_what_is_no_pattern(self, pattern: str) -> None:
        with pytest.raises(InvalidFilter):
            wrap_for_kinesis(pattern)

    def test_refuses_what_wrapping_makes_too_long(self) -> None:
        fits = json.dumps({"a": ["x" * 4086]}, separators=(",", ":"))
        compile_filter(fits)
        with pytest.raises(InvalidFilter, match="Lambda takes 4096"):
            wrap_for_kinesis(fits)
