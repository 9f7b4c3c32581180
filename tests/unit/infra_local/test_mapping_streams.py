"""Reading a DynamoDB stream's API: what it answers in bad moments. Good ones: tests/contract."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from infra.local.mapping.source import LATEST, TRIM_HORIZON, Shard, StreamGone, Trimmed
from infra.local.mapping.streams import DynamoStream
from shared.aws_json import ServiceFault
from shared.errors import Malformed, Unavailable
from tests.support.mapping import FakeClock, record, sequence
from tests.support.records import STREAM_ARN

Calls = list[tuple[str, dict[str, Any]]]


class Script:
    """Answers of the API in order; an exception is raised."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.calls: Calls = []

    def call(self, operation: str, arguments: dict[str, Any]) -> dict[str, Any]:
        self.calls.append((operation, arguments))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return dict(answer)


def fault(code: str) -> ServiceFault:
    return ServiceFault("GetRecords", code, {})


def stream(*answers: Any) -> tuple[DynamoStream, Script]:
    script = Script(*answers)
    return DynamoStream(STREAM_ARN, script, FakeClock()), script


def page(*numbers: int, following: str | None = "next") -> dict[str, Any]:
    answer: dict[str, Any] = {"Records": [record(number) for number in numbers]}
    return answer | ({"NextShardIterator": following} if following else {})


def test_reading_goes_on_with_the_iterator_that_the_last_page_gave() -> None:
    source, script = stream({"ShardIterator": "i1"}, page(1, 2, following="i2"), page(3))
    cursor = source.open("s", TRIM_HORIZON)
    first = cursor.read(2_000)
    assert first.mark == sequence(2)
    assert first.caught_up_at is None
    assert cursor.read(5).mark == sequence(3)
    assert script.calls == [
        (
            "GetShardIterator",
            {"StreamArn": STREAM_ARN, "ShardId": "s", "ShardIteratorType": "TRIM_HORIZON"},
        ),
        ("GetRecords", {"ShardIterator": "i1", "Limit": 1_000}),
        ("GetRecords", {"ShardIterator": "i2", "Limit": 5}),
    ]


def test_records_get_the_arn_that_lambda_adds() -> None:
    source, _ = stream({"ShardIterator": "i1"}, page(1))
    (entry,) = source.open("s", LATEST).read(10).entries
    assert entry.view["eventSourceARN"] == STREAM_ARN


def test_an_iterator_that_expired_is_replaced_by_one_behind_the_last_record() -> None:
    source, script = stream(
        {"ShardIterator": "i1"},
        page(1, 2),
        fault("ExpiredIteratorException"),
        {"ShardIterator": "i2"},
        page(3),
    )
    cursor = source.open("s", TRIM_HORIZON)
    cursor.read(10)
    assert cursor.read(10).mark == sequence(3)
    assert script.calls[3] == (
        "GetShardIterator",
        {
            "StreamArn": STREAM_ARN,
            "ShardId": "s",
            "ShardIteratorType": "AFTER_SEQUENCE_NUMBER",
            "SequenceNumber": sequence(2),
        },
    )


def test_a_stream_whose_iterators_are_always_expired_is_gone() -> None:
    expired = fault("ExpiredIteratorException")
    source, _ = stream({"ShardIterator": "i1"}, expired)
    with pytest.raises(StreamGone):
        source.open("s", TRIM_HORIZON).read(1)


@pytest.mark.parametrize(
    "answers",
    [
        (fault("TrimmedDataAccessException"),),
        ({"ShardIterator": "i1"}, fault("TrimmedDataAccessException")),
    ],
)
def test_forgotten_records_are_no_ordinary_error(answers: tuple[Any, ...]) -> None:
    source, _ = stream(*answers)
    with pytest.raises(Trimmed) as raised:
        source.open("s", sequence(1)).read(1)
    assert "verify" in raised.value.hint


def test_a_stream_that_is_not_there() -> None:
    for use in (
        lambda source: source.shards(),
        lambda source: source.open("s", TRIM_HORIZON).read(1),
    ):
        source, _ = stream(fault("ResourceNotFoundException"))
        call: Callable[[DynamoStream], Any] = use
        with pytest.raises(StreamGone, match="no such stream"):
            call(source)


def test_another_refusal_is_told_as_it_is() -> None:
    source, _ = stream(fault("AccessDeniedException"))
    with pytest.raises(ServiceFault, match="AccessDenied"):
        source.shards()


def test_after_an_answer_that_did_not_come_the_same_page_is_asked_for_again() -> None:
    source, script = stream({"ShardIterator": "i1"}, Unavailable("away"), page(1))
    cursor = source.open("s", TRIM_HORIZON)
    with pytest.raises(Unavailable):
        cursor.read(10)
    assert cursor.read(10).mark == sequence(1)
    assert script.calls[1] == script.calls[2]


def test_a_closed_shard_ends() -> None:
    source, script = stream({"ShardIterator": "i1"}, page(1, following=None))
    cursor = source.open("s", TRIM_HORIZON)
    assert cursor.read(10).closed
    assert cursor.read(10).closed
    assert len(script.calls) == 2


def test_an_empty_page_tells_until_when_all_was_read() -> None:
    source, _ = stream({"ShardIterator": "i1"}, page())
    read = source.open("s", TRIM_HORIZON).read(10)
    assert read.caught_up_at == FakeClock().now
    assert read.mark == ""


def test_all_pages_of_shards_are_listed_with_their_parents() -> None:
    def described(*shards: dict[str, Any], last: str = "") -> dict[str, Any]:
        description: dict[str, Any] = {"Shards": list(shards)}
        return {"StreamDescription": description | ({"LastEvaluatedShardId": last} if last else {})}

    source, script = stream(
        described({"ShardId": "a"}, last="a"),
        described({"ShardId": "b", "ParentShardId": "a"}),
    )
    assert source.shards() == [Shard("a"), Shard("b", ("a",))]
    assert script.calls[1][1]["ExclusiveStartShardId"] == "a"


@pytest.mark.parametrize("change", [None, {}, {"SequenceNumber": "x"}, {"SequenceNumber": 5}])
def test_what_is_no_stream_record_is_refused(change: Any) -> None:
    source, _ = stream({"ShardIterator": "i1"}, {"Records": [{"dynamodb": change}]})
    with pytest.raises(Malformed, match="no sequence number"):
        source.open("s", TRIM_HORIZON).read(1)


def test_a_page_that_is_full_or_large_says_that_more_follows() -> None:
    full, few, large, last = page(1, 2), page(3), page(*range(10, 110)), page(*range(110, 210))
    del last["NextShardIterator"]
    source, _ = stream({"ShardIterator": "i"}, full, few, large, last)
    cursor = source.open("s", TRIM_HORIZON)
    assert [cursor.read(limit).more for limit in (2, 2, 1_000, 1_000)] == [True, False, True, False]
