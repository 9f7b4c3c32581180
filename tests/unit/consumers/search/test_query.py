"""The search request: its bounds. What it finds: tests/contract/test_search_find.py."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from consumers.search.index import FIELDS
from consumers.search.query import MAX_WORDS, query_body


def filters(**arguments: Any) -> list[Any]:
    return query_body("", **arguments)["query"]["bool"]["filter"]


def test_without_text_and_filters_everything_is_found() -> None:
    assert query_body("  ")["query"] == {"bool": {"filter": []}}


def test_every_word_must_be_found() -> None:
    *whole, words = query_body("ada  walnut")["query"]["bool"]["should"]
    assert len(words["bool"]["must"]) == 2
    assert {"term": {"email": "ada walnut"}} in [term["constant_score"]["filter"] for term in whole]


@pytest.mark.parametrize(
    ("arguments", "filtered"),
    [
        ({"status": "SHIPPED"}, [{"terms": {"status": ["SHIPPED"]}}]),
        ({"status": ["A", "B"]}, [{"terms": {"status": ["A", "B"]}}]),
        ({"status": []}, []),
        ({"since": "2025-10-09"}, [{"range": {"createdAt": {"gte": "2025-10-09"}}}]),
        (
            {"since": date(2025, 10, 9), "until": datetime(2025, 10, 9, 12, tzinfo=UTC)},
            [{"range": {"createdAt": {"gte": "2025-10-09", "lte": "2025-10-09T12:00:00+00:00"}}}],
        ),
        ({"min_amount": 0, "max_amount": 5}, [{"range": {"totalAmount": {"gte": 0, "lte": 5}}}]),
        ({"max_amount": 5}, [{"range": {"totalAmount": {"lte": 5}}}]),
    ],
)
def test_filters(arguments: dict[str, Any], filtered: list[Any]) -> None:
    assert filters(**arguments) == filtered


@pytest.mark.parametrize(
    "arguments",
    [
        {"text": "x " * (MAX_WORDS + 1)},
        {"text": "x" * 513},
        {"size": 0},
        {"size": 201},
        {"since": "yesterday"},
        {"until": "2025-13-01"},
        {"since": "20251009"},
    ],
)
def test_what_is_out_of_range_is_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - several kinds of it
        query_body(**{"text": "", **arguments})


def test_only_fields_of_the_index_are_named() -> None:
    named = [field.partition(".")[0] for field in query_body("x")["highlight"]["fields"]]
    assert set(named) <= set(FIELDS)
