"""What is sent where a batch is given up: shapes as recorded on AWS, and nothing dropped."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from infra.local.lambda_runtime.invocation import Failure, Invocation
from infra.local.mapping.failure import Condition, GivenUp, Place, on_failure, payload_key
from infra.local.mapping.lambda_records import StreamEntry
from tests.support.mapping import FUNCTION_ARN, SHARD, Rig, raises, record, sequence
from tests.support.records import CREATED, KINESIS_ARN, STREAM_ARN

NOW = CREATED + 30.1234
PLACE = Place(FUNCTION_ARN, "11111111-2222-5333-8444-555555555555", STREAM_ARN, SHARD, "")


def document(batch_info: str, stream_arn: str, error: bool) -> dict[str, Any]:
    place = Place(FUNCTION_ARN, PLACE.mapping_id, stream_arn, SHARD, batch_info)
    entries = [
        StreamEntry(record(number, created=CREATED + number), STREAM_ARN) for number in (1, 3)
    ]
    last = Invocation("abc", None if error else b"{}", Failure.RAISED if error else None)
    return on_failure(place, GivenUp(entries, Condition.RETRIES, 4, last), NOW)


def test_the_message_of_a_table_stream() -> None:
    assert document("DDBStreamBatchInfo", STREAM_ARN, error=True) == {
        "requestContext": {
            "requestId": "abc",
            "functionArn": FUNCTION_ARN,
            "condition": "RetryAttemptsExhausted",
            "approximateInvokeCount": 4,
        },
        "responseContext": {
            "statusCode": 200,
            "executedVersion": "$LATEST",
            "functionError": "Unhandled",
        },
        "version": "1.0",
        "timestamp": "2025-10-09T08:53:50.123Z",
        "DDBStreamBatchInfo": {
            "shardId": SHARD,
            "startSequenceNumber": sequence(1),
            "endSequenceNumber": sequence(3),
            # Whole seconds, without a fraction.
            "approximateArrivalOfFirstRecord": "2025-10-09T08:53:21Z",
            "approximateArrivalOfLastRecord": "2025-10-09T08:53:23Z",
            "batchSize": 2,
            "streamArn": STREAM_ARN,
        },
    }


def test_the_message_of_kinesis_has_milliseconds() -> None:
    message = document("KinesisBatchInfo", KINESIS_ARN, error=False)
    assert message["responseContext"]["functionError"] is None
    info = message["KinesisBatchInfo"]
    assert info["approximateArrivalOfFirstRecord"] == "2025-10-09T08:53:21.000Z"
    assert info["streamArn"] == KINESIS_ARN
    assert "DDBStreamBatchInfo" not in message


@pytest.mark.parametrize("error", [True, False])
def test_the_message_has_the_members_that_aws_recorded(shared_testdata: Path, error: bool) -> None:
    for kind, name in (("ddb", "dynamodb"), ("kin", "kinesis")):
        queue = "destination_queue_messages" if kind == "ddb" else "sqs_payload"
        path = f"{kind}_test_{name}_report_batch_item_failures__{queue}.json"
        recorded = json.loads((shared_testdata / "events/localstack_cases" / path).read_text())
        (message,) = recorded["content"]["Messages"]
        info = "DDBStreamBatchInfo" if kind == "ddb" else "KinesisBatchInfo"
        ours = document(info, STREAM_ARN, error)
        assert _members(ours) == _members(message["Body"])


def _members(value: Any) -> Any:
    return {name: _members(each) for name, each in value.items()} if isinstance(value, dict) else 0


def test_the_key_in_s3_is_lambdas() -> None:
    key = payload_key(PLACE, NOW)
    uuid = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
    pattern = f"aws/lambda/{PLACE.mapping_id}/{SHARD}/2025/10/09/2025-10-09T08\\.53\\.50-{uuid}"
    assert re.fullmatch(pattern, key)
    assert key != payload_key(PLACE, NOW)


def test_a_destination_that_is_away_keeps_the_records(tmp_path: Path) -> None:
    run = Rig(tmp_path, raises, retries=0)
    run.scripted.put(record(0), record(1))
    run.letters.down = 1_000
    run.run(20)
    assert run.consumer.status().numbers.discarded == 0
    run.letters.down = 0
    run.restart()  # killed while it waits: nothing was acknowledged, so all comes again
    run.run(60)
    assert len(run.letters.documents) == 1
    assert [entry["eventID"] for entry in (run.letters.payloads[0] or {})["Records"]] == [
        "event-0",
        "event-1",
    ]
    assert run.consumer.status().numbers.discarded == 2
    run.answer = lambda *_: None
    run.scripted.put(record(2))
    run.run(5)
    assert run.invocations[-1] == [2]


def test_a_destination_that_is_away_is_not_a_reason_to_invoke_again(tmp_path: Path) -> None:
    run = Rig(tmp_path, raises, retries=1)
    run.scripted.put(record(0))
    run.letters.down = 3
    run.run(60)
    assert run.invocations == [[0], [0]]
    assert run.letters.documents[0]["requestContext"]["approximateInvokeCount"] == 2


def test_what_the_stream_forgot_is_told_and_reading_goes_on(tmp_path: Path) -> None:
    run = Rig(tmp_path, batch_size=2)
    run.scripted.put(*(record(number) for number in range(6)))
    (reader,) = run.consumer.discover()
    while len(run.invocations) < 1:
        reader.step()
    reader.step()  # saves the checkpoint
    run.clock.now += 25 * 3600
    run.scripted.by_id[SHARD].trimmed = 4
    run.restart()
    run.run(10)
    assert run.invocations == [[0, 1], [4, 5]]
    (letter,) = run.letters.documents
    assert letter["fanout"] == "gap/1"
    assert letter["afterSequenceNumber"] == sequence(1)
    assert letter["error"]["type"] == "Trimmed"
    assert "verify" in letter["error"]["hint"]
    status = run.consumer.status()
    assert status.numbers.gaps == 1
    assert "forgotten" in status.last_error


def test_what_was_read_to_its_end_less_than_a_day_ago_cannot_be_lost(tmp_path: Path) -> None:
    run = Rig(tmp_path)
    run.scripted.put(record(0), record(1))
    run.run(100)  # long enough that the quiet checkpoint says so
    run.clock.now += 20 * 3600
    run.scripted.by_id[SHARD].trimmed = 2
    run.scripted.put(record(2))
    run.restart()
    run.run(10)
    assert run.invocations == [[0, 1], [2]]
    assert not run.letters.documents
