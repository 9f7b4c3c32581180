"""Filters under any pattern and any JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from itertools import product
from types import MappingProxyType
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from shared.filter_kinesis import compile_kinesis_filters
from shared.filters import InvalidFilter, compile_filter, compile_filters

# Few names and values, so that patterns and records meet.
keys = st.sampled_from(["a", "b", "c", "a.b", "b.c"])
texts = st.sampled_from(["", "x", "X", "xy", "1", "10.0.0.1"]) | st.text(
    # No other address: listed ones match in every spelling, those in anything-but in their own.
    st.characters(exclude_characters=".:"),
    max_size=3,
)
numbers = st.sampled_from([0, 1, 1.0, -2, 2.5, 10**22, 2**60]) | st.integers(-3, 3)
scalars = st.one_of(texts, numbers, st.none(), st.booleans())
json_values = st.recursive(
    st.one_of(scalars, st.floats(), st.integers()),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=20,
)
records = st.dictionaries(keys, json_values, max_size=5)

bounds = st.integers(-3, 3)
operators = st.one_of(
    st.dictionaries(
        st.sampled_from(["prefix", "suffix", "equals-ignore-case"]), texts, min_size=1, max_size=1
    ),
    st.booleans().map(lambda wanted: {"exists": wanted}),
    texts.map(lambda text: {"anything-but": text}),
    st.lists(texts, min_size=1, max_size=3).map(lambda several: {"anything-but": several}),
    st.lists(bounds, min_size=1, max_size=3).map(lambda several: {"anything-but": several}),
    st.tuples(st.sampled_from(["=", "<", "<=", ">", ">="]), bounds).map(
        lambda pair: {"numeric": list(pair)}
    ),
)
match_arrays = st.lists(scalars | operators, min_size=1, max_size=3)
patterns = st.recursive(
    st.dictionaries(keys, match_arrays, min_size=1, max_size=3),
    lambda inner: st.one_of(
        st.dictionaries(keys, match_arrays | inner, min_size=1, max_size=3),
        st.lists(inner, min_size=2, max_size=3).map(lambda several: {"$or": several}),
    ),
    max_leaves=6,
)


@given(patterns, json_values)
@example({"a": [{"exists": False}]}, None)
@example({"a": [{"exists": False}]}, [{"a": 1}])
@example({"a": {"b": [{"numeric": ["<", 1]}]}}, {"a": {"b": math.nan}})
def test_matching_never_raises(pattern: dict[str, Any], value: Any) -> None:
    verdict = compile_filter(pattern).matches(value)
    assert isinstance(verdict, bool)
    if not isinstance(value, dict):
        assert verdict is False


@given(patterns, records, st.binary(max_size=8))
def test_matching_kinesis_never_raises(
    pattern: dict[str, Any], members: dict[str, Any], data: bytes
) -> None:
    compiled = compile_kinesis_filters([pattern, {"data": pattern}])
    for each in (data, data.decode("latin-1")):
        assert isinstance(compiled.matches({"kinesis": {**members, "data": each}}), bool)


@given(st.text() | json_values.map(json.dumps))
@example('{"a": [1e99999999999999999999]}')
@example('{"a": [' + "9" * 4000 + "]}")
@example('{"a": [{"numeric": ["<", ' + "9" * 4000 + "]}]}")
@example('{"a.' + "b." * 1500 + '": ["x"]}')
@example('{"\\ud800": ["\\udc00", {"equals-ignore-case": "\\ud800"}]}')
def test_any_text_is_compiled_or_refused(text: str) -> None:
    refusal = None
    try:
        compiled = compile_filter(text)
    except InvalidFilter as refused:
        refusal = refused
    else:
        assert compiled.matches({"a": [{"b": "x"}], "\ud800": "\udc00"}) in {True, False}
    assert refusal is None or (refusal.reason and refusal.hint)


@given(patterns, records)
def test_objects_of_any_type_match_as_dicts_do(
    pattern: dict[str, Any], record: dict[str, Any]
) -> None:
    """What is no dict takes the way of arrays: both ways have to agree."""
    compiled = compile_filter(pattern)
    assert compiled.matches(record) is compiled.matches(MappingProxyType(record))


@given(scalars, st.lists(texts, min_size=1) | st.lists(bounds, min_size=1))
def test_anything_but_is_the_negation_of_its_list(value: Any, several: list[Any]) -> None:
    listed = compile_filter({"v": several})
    others = compile_filter({"v": [{"anything-but": several}]})
    assert others.matches({"v": value}) is not listed.matches({"v": value})


@given(st.lists(patterns, min_size=2, max_size=4), records)
def test_or_is_any_of_its_alternatives(several: list[dict[str, Any]], record: Any) -> None:
    each = [compile_filter(pattern).matches(record) for pattern in several]
    assert compile_filter({"$or": several}).matches(record) is any(each)
    assert compile_filters(several).matches(record) is any(each)


@given(keys, st.lists(scalars | operators, min_size=2, max_size=4), records)
def test_a_list_is_any_of_its_entries(key: str, entries: list[Any], record: Any) -> None:
    each = [compile_filter({key: [entry]}).matches(record) for entry in entries]
    assert compile_filter({key: entries}).matches(record) is any(each)


@given(st.integers(-5, 5), st.integers(-5, 5), st.integers(-6, 6) | st.floats(-6, 6))
def test_a_range_is_what_python_says(low: int, width: int, value: float) -> None:
    high = low + 1 + abs(width)
    for below, above in product((">", ">="), ("<", "<=")):
        compiled = compile_filter({"v": [{"numeric": [below, low, above, high]}]})
        over = value > low if below == ">" else value >= low
        under = value < high if above == "<" else value <= high
        assert compiled.matches({"v": value}) is (over and under)


@given(patterns, records)
def test_a_key_with_dots_is_a_path(pattern: dict[str, Any], record: dict[str, Any]) -> None:
    nested = compile_filter({"top": {"sub": pattern}})
    joined = compile_filter({"top.sub": pattern})
    for shape in ({"top": {"sub": record}}, {"top.sub": record}):
        assert (
            nested.matches(shape)
            is joined.matches(shape)
            is compile_filter(pattern).matches(record)
        )


def fields(value: Any, path: str, chosen: dict[str, int], place: str) -> Iterator[Any]:
    """Every field of a record: its path, its value and the array elements it is in."""
    if isinstance(value, dict):
        for key, member in value.items():
            name = f"{path}.{key}" if path else key
            yield from fields(member, name, chosen, f"{place}/{key}")
    elif isinstance(value, list):
        for index, member in enumerate(value):
            inside = isinstance(member, (dict, list))
            within = {**chosen, place: index} if inside else chosen
            yield from fields(member, path, within, f"{place}/{index}")
    else:
        yield path, value, chosen


def agree(*choices: dict[str, int]) -> bool:
    merged: dict[str, set[int]] = {}
    for choice in choices:
        for place, index in choice.items():
            merged.setdefault(place, set()).add(index)
    return all(len(indexes) == 1 for indexes in merged.values())


tags = st.sampled_from(["x", "y"])
nested_records = st.recursive(
    tags,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "b"]), inner, min_size=1, max_size=2)
    ),
    max_leaves=12,
)
wanted_fields = st.dictionaries(
    st.sampled_from(["a", "b", "a.a", "a.b", "b.a", "b.b", "a.a.b"]), tags, min_size=1, max_size=3
)


@given(wanted_fields, st.dictionaries(st.sampled_from(["a", "b"]), nested_records))
@example({"a.a": "x", "a.b": "y"}, {"a": [{"a": "x"}, {"b": "y"}]})
@example({"a.a": "x", "a.b": "y"}, {"a": [{"a": "x"}, [{"a": "x"}, {"a": "x", "b": "y"}]]})
def test_fields_come_from_one_element_of_each_array(
    wanted: dict[str, str], record: dict[str, Any]
) -> None:
    """Against all combinations of fields, tried one after the other."""
    every = list(fields(record, "", {}, ""))
    candidates = [
        [chosen for path, value, chosen in every if path == name and value == tag]
        for name, tag in wanted.items()
    ]
    expected = any(agree(*combination) for combination in product(*candidates))
    compiled = compile_filter({name: [tag] for name, tag in wanted.items()})
    assert compiled.matches(record) is expected
