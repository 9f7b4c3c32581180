"""Parking on a real queue: whole, in few calls, and nothing lost where the queue refuses."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from infra.local.servers import LocalServers
from shared.clients import aws_client, forget_clients
from shared.errors import Malformed
from shared.parking import MAX_MESSAGE_BYTES, DeadLetterQueue, Letter
from tests.support.servers import unique


@pytest.fixture
def queue(servers: LocalServers, monkeypatch: pytest.MonkeyPatch) -> Iterator[DeadLetterQueue]:
    for name, value in servers.endpoints.environment().items():
        monkeypatch.setenv(name, value)
    forget_clients()
    bucket = unique("parking")
    aws_client("s3").create_bucket(Bucket=bucket)
    url = aws_client("sqs").create_queue(QueueName=unique("dlq"))["QueueUrl"]
    yield DeadLetterQueue("toy", url, bucket)
    forget_clients()


def letter(raw: Any, number: int = 1) -> Letter:
    return Letter(raw, Malformed("bad", hint="mend it"), str(number))


def received(queue: DeadLetterQueue) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while (
        messages := aws_client("sqs")
        .receive_message(QueueUrl=queue.url, MaxNumberOfMessages=10, VisibilityTimeout=60)
        .get("Messages")
    ):
        found += (json.loads(message["Body"]) for message in messages)
    return sorted(found, key=lambda message: int(message["sequenceNumber"]))


def test_a_letter_says_what_why_and_what_to_do(queue: DeadLetterQueue) -> None:
    assert queue.park([letter({"any": "thing"})]) == {}
    (message,) = received(queue)
    assert message["fanout"] == "parked/1"
    assert message["consumer"] == "toy"
    assert message["sequenceNumber"] == "1"
    assert message["record"] == {"any": "thing"}
    assert message["error"] == {"type": "Malformed", "reason": "bad", "hint": "mend it"}


def test_many_letters_of_all_sizes_arrive(queue: DeadLetterQueue) -> None:
    letters = [letter({"x": "y" * (number * 4_001)}, number) for number in range(1, 45)]
    assert queue.park(letters) == {}
    messages = received(queue)
    assert [message["record"] for message in messages] == [each.raw for each in letters]


def test_what_is_too_big_is_in_s3_whole(queue: DeadLetterQueue) -> None:
    big = {"x": "y" * MAX_MESSAGE_BYTES}
    assert queue.park([letter({"small": 1}, 1), letter(big, 2), letter({"small": 3}, 3)]) == {}
    first, pointing, last = received(queue)
    assert (first["record"], last["record"]) == ({"small": 1}, {"small": 3})
    place = pointing["pointer"]
    kept = aws_client("s3").get_object(Bucket=place["bucket"], Key=place["key"])["Body"].read()
    assert json.loads(kept)["record"] == big


@pytest.mark.parametrize("raw", ["\ud800", {"a": [None, True, 1.5, "é", "\u0000"]}, [], 10**400])
def test_anything_that_json_can_say_is_kept(queue: DeadLetterQueue, raw: Any) -> None:
    assert queue.park([letter(raw)]) == {}
    assert received(queue)[0]["record"] == raw


def test_a_queue_that_is_gone_takes_nothing_and_says_so(queue: DeadLetterQueue) -> None:
    gone = DeadLetterQueue("toy", queue.url + "-gone", queue.bucket)
    failed = gone.park([letter({}, number) for number in range(12)])
    assert sorted(failed) == list(range(12))
    assert all(failure.hint for failure in failed.values())


def test_a_bucket_that_is_gone_costs_only_the_big_ones(queue: DeadLetterQueue) -> None:
    without = DeadLetterQueue("toy", queue.url, "no-such-bucket-here")
    big = letter({"x": "y" * MAX_MESSAGE_BYTES}, 2)
    assert sorted(without.park([letter({}, 1), big, letter({}, 3)])) == [1]
    assert [message["sequenceNumber"] for message in received(queue)] == ["1", "3"]
