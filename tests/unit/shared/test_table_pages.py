"""All pages of a Scan or a Query are read, empty ones too."""

from __future__ import annotations

from typing import Any

from shared.table_pages import items_of_pages

PAGES: list[dict[str, Any]] = [
    {"Items": [{"PK": {"S": "a"}}], "LastEvaluatedKey": {"PK": {"S": "a"}}},
    # What a filter left nothing of.
    {"Items": [], "LastEvaluatedKey": {"PK": {"S": "b"}}},
    {"Items": [{"PK": {"S": "c"}}]},
]


def test_reads_on_from_where_each_page_ended() -> None:
    asked: list[dict[str, Any]] = []

    def call(operation: str, arguments: dict[str, Any]) -> dict[str, Any]:
        assert operation == "Scan"
        asked.append(arguments)
        return PAGES[len(asked) - 1]

    items = list(items_of_pages(call, "Scan", TableName="t"))
    assert [item["PK"]["S"] for item in items] == ["a", "c"]
    assert [each.get("ExclusiveStartKey") for each in asked] == [
        None,
        {"PK": {"S": "a"}},
        {"PK": {"S": "b"}},
    ]
    assert {each["TableName"] for each in asked} == {"t"}


def test_asks_for_no_page_that_nobody_wants() -> None:
    asked: list[str] = []

    def call(operation: str, _: dict[str, Any]) -> dict[str, Any]:
        asked.append(operation)
        return PAGES[0]

    assert next(items_of_pages(call, "Query", TableName="t")) == PAGES[0]["Items"][0]
    assert asked == ["Query"]
