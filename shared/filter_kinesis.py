"""Filters over records from Kinesis, whose payload Lambda decodes before it compares.

A pattern sees the members of the record's `kinesis` object, `data` among them as what its JSON
says: `{"partitionKey": ["1"], "data": {"eventName": ["INSERT"]}}`. A record whose data is no JSON
is dropped by a pattern that names `data`, and compared by its other members otherwise. Source:
Lambda developer guide, "Properly filtering Kinesis and DynamoDB messages". Its later editions say
that only `data` is supported: give other members no part in what must not be lost.
"""

from binascii import Error as Base64Error
from binascii import a2b_base64
from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from shared.errors import InvalidFilter
from shared.filter_patterns import Alternative, read_pattern
from shared.filters import Filter, Pattern, refuse_too_many


class KinesisFilter:
    """The filters of one event source mapping over Kinesis. Immutable."""

    __slots__ = ("_all", "_without_data")

    def __init__(self, alternatives: Iterable[list[Alternative]]) -> None:
        """Compile the alternatives of each pattern."""
        patterns = list(alternatives)
        self._all = Filter(each for pattern in patterns for each in pattern)
        self._without_data = Filter(
            each for pattern in patterns for each in pattern if not _names_data(pattern)
        )

    def matches(self, record: Mapping[str, Any]) -> bool:
        """Whether Lambda would deliver this record of a Kinesis event. Never raises."""
        view = kinesis_view(record)
        return (self._all if "data" in view else self._without_data).matches(view)


def compile_kinesis_filters(patterns: Iterable[Pattern]) -> KinesisFilter:
    """Compile patterns that have been wrapped for Kinesis; without any, all records match.

    Raises InvalidFilter as `compile_filters` does, and for a `data` that is no object: Lambda
    takes patterns of Kinesis data as JSON objects only.
    """
    given = list(patterns)
    refuse_too_many(given)
    alternatives = [read_pattern(pattern) for pattern in given]
    if any("data" in each for pattern in alternatives for each in pattern):
        raise InvalidFilter(
            "data is a list, and Lambda compares Kinesis data as JSON",
            hint='name fields of the data, as in {"data": {"eventName": ["INSERT"]}}',
        )
    return KinesisFilter(alternatives or [[{}]])


def kinesis_view(record: Mapping[str, Any]) -> dict[str, Any]:
    """A record of a Kinesis event as patterns see it; parses the payload anew on each call.

    Takes a record as Lambda delivers it, `{"kinesis": {"data": <base64>, ...}, ...}`, and returns
    the members of `kinesis` with `data` parsed, or without `data` if that is no JSON. Integers
    over 64 bits arrive as doubles.
    """
    members = record.get("kinesis")
    if not isinstance(members, Mapping):
        return {}
    view = dict(members)
    data = view.pop("data", None)
    try:
        view["data"] = orjson.loads(a2b_base64(data))
    except (Base64Error, TypeError, ValueError):
        # Not JSON, which is no error here: the filter decides what becomes of the record.
        return view
    return view


def _names_data(pattern: list[Alternative]) -> bool:
    return any(path.startswith("data.") for alternative in pattern for path in alternative)
