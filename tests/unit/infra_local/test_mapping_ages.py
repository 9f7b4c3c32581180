"""Ages, windows, filters and order: cases 14 to 24 of event source mappings, on a fake clock."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from infra.local.lambda_runtime.invocation import NotRun
from infra.local.mapping.config import MappingConfig
from infra.local.mapping.delivery import MAX_PAYLOAD_BYTES
from infra.local.mapping.kinesis import Disorder
from shared.errors import InvalidFilter, InvalidSpec
from shared.filter_kinesis import compile_kinesis_filters
from shared.filters import compile_filter, compile_filters
from shared.spec import ConsumerSpec, Source
from tests.support.mapping import (
    FUNCTION_ARN,
    SHARD,
    START,
    Rig,
    ScriptedShard,
    delivered,
    raises,
    record,
    sequence,
)
from tests.support.records import CREATED, KINESIS_ARN, kinesis_entry, score, stream_record

IN_ORDER = Disorder(repeats=0, reorders=0)


def test_14_a_record_that_expires_while_it_is_retried(tmp_path: Path) -> None:
    # recorded: RecordAgeExceeded, the number of tries so far, no responseContext.
    run = Rig(tmp_path, raises, kinesis=IN_ORDER, record_age_seconds=60)
    run.scripted.put(record(0))
    run.run(200)
    (document,) = run.letters.documents
    context = document["requestContext"]
    assert context["condition"] == "RecordAgeExceeded"
    assert context["approximateInvokeCount"] == len(run.invocations) > 1
    assert "responseContext" not in document
    assert run.times[-1] - CREATED <= 60


def test_15_a_record_that_is_too_old_before_the_first_try(tmp_path: Path) -> None:
    run = Rig(tmp_path, record_age_seconds=60)
    run.scripted.put(record(0, created=CREATED - 61))
    run.run(10)
    assert not run.invocations
    (document,) = run.letters.documents
    assert document["requestContext"]["condition"] == "RecordAgeExceeded"
    assert document["requestContext"]["approximateInvokeCount"] == 1
    assert "responseContext" not in document


def test_16_fresh_records_behind_an_expired_one_are_delivered(tmp_path: Path) -> None:
    run = Rig(tmp_path, record_age_seconds=60, batch_size=10, retries=0)
    run.scripted.put(record(0, created=CREATED - 61), *(record(number) for number in range(1, 6)))
    run.run(10)
    assert run.invocations == [[1, 2, 3, 4, 5]]
    (document,) = run.letters.documents
    info = document["DDBStreamBatchInfo"]
    assert info["batchSize"] == 1
    assert info["startSequenceNumber"] == info["endSequenceNumber"] == sequence(0)


def test_without_a_limit_no_age_is_too_high(tmp_path: Path) -> None:
    run = Rig(tmp_path)
    run.scripted.put(record(0, created=CREATED - 80_000))
    run.run(1)
    assert run.invocations == [[0]]


def test_17_a_filtered_record_is_passed_and_does_not_fill_a_batch(tmp_path: Path) -> None:
    pattern = '{"dynamodb": {"NewImage": {"difficulty": {"S": ["HARD"]}}}}'
    run = Rig(tmp_path, filters=[pattern], batch_size=2)
    run.scripted.put(
        *(record(number, difficulty="HARD" if number % 3 == 0 else "EASY") for number in range(9))
    )
    run.run(30)
    assert delivered(run.invocations) == [0, 3, 6]
    assert not run.letters.documents
    assert run.consumer.status().numbers.filtered == 6
    run.restart()
    run.scripted.put(record(9, difficulty="HARD"))
    run.run(10)
    # The iterator had moved behind the filtered ones, too.
    assert delivered(run.invocations) == [0, 3, 6, 9]
    assert run.consumer.status().numbers.filtered == 0


# Case 18, that an identical put writes no stream record, is the table's:
# tests/contract/test_mapping_stream.py.


def kinesis_record(data: bytes) -> dict[str, Any]:
    return {**kinesis_entry(data), "eventSourceARN": KINESIS_ARN}


def test_19_kinesis_data_that_is_no_json_is_dropped_where_the_pattern_names_data() -> None:
    named = compile_kinesis_filters(['{"data": {"eventName": ["INSERT"]}}'])
    assert not named.matches(kinesis_record(b"no json"))
    assert named.matches(kinesis_record(b'{"eventName": "INSERT"}'))


def test_20_and_is_filtered_by_its_metadata_otherwise() -> None:
    metadata = compile_kinesis_filters(['{"partitionKey": ["p"]}'])
    assert metadata.matches(kinesis_record(b"no json"))
    assert not compile_kinesis_filters(['{"partitionKey": ["q"]}']).matches(kinesis_record(b"x"))


@pytest.mark.parametrize(
    ("pattern", "passes"),
    [
        ('{"data": {"eventName": ["INSERT"]}}', True),
        ('{"data": {"eventName": ["REMOVE"]}}', False),
        ('{"data": {"dynamodb": {"Keys": {"PK": {"S": [{"prefix": "SCORE#"}]}}}}}', True),
        ('{"data": {"dynamodb": {"SequenceNumber": [{"exists": true}]}}}', False),
        ('{"partitionKey": [{"exists": true}]}', True),
        ('{"eventName": ["INSERT"]}', False),
    ],
)
def test_kinesis_records_are_filtered_as_aws_filters_them(
    tmp_path: Path, pattern: str, passes: bool
) -> None:
    run = Rig(tmp_path, kinesis=IN_ORDER, filters=[pattern])
    run.scripted.put(record(0))
    run.run(1)
    assert run.invocations == ([[0]] if passes else [])
    # What we match is prepared, without parsing the payload; AWS starts from the record itself.
    entry = run.stream.open(f"{SHARD}.0of1", "TRIM_HORIZON").read(1).entries[0]
    assert compile_kinesis_filters([pattern]).matches(json.loads(entry.encoded)) == passes


@pytest.mark.parametrize(
    "pattern",
    [
        "single-string",
        '[{"eventName": ["INSERT"=123}]',
        "null",
        '{"eventSource":"aws:sqs"}',
        '{"eventSource":[]}',
    ],
)
def test_21_an_invalid_pattern_makes_no_mapping(pattern: str) -> None:
    with pytest.raises(InvalidFilter):
        compile_filter(pattern)
    with pytest.raises(InvalidSpec):
        spec(filters=(pattern,))


def test_22_more_than_five_filters_make_no_mapping() -> None:
    with pytest.raises(InvalidFilter):
        compile_filters(['{"eventName": ["INSERT"]}'] * 6)


def spec(**changes: Any) -> ConsumerSpec:
    settings = {"purpose": "p", "destination": "d", "source": Source.STREAM, **changes}
    return ConsumerSpec(name="toy", **settings)


def test_a_mapping_is_what_the_spec_declares() -> None:
    declared = spec(
        source=Source.KINESIS,
        filters=('{"eventName": ["INSERT"]}',),
        batch_size=7,
        window_seconds=3,
        retries=4,
        record_age_seconds=90,
    )
    config = MappingConfig.of(declared, FUNCTION_ARN)
    assert (config.batch_size, config.window_seconds) == (7, 3)
    assert (config.retries, config.record_age_seconds) == (4, 90)
    assert (config.bisect, config.report_failures) == (True, True)
    # Wrapped, since records from Kinesis carry the change under `data`.
    assert config.filter.matches({"data": {"eventName": "INSERT"}})
    assert not config.filter.matches({"eventName": "INSERT"})
    assert config.mapping_id == MappingConfig.of(declared, FUNCTION_ARN).mapping_id


def test_a_tumbling_window_is_refused() -> None:
    with pytest.raises(InvalidSpec, match="tumbling"):
        MappingConfig.of(spec(tumbling_window_seconds=10), FUNCTION_ARN)


def slowly(run: Rig, count: int, every: float) -> None:
    for number in range(count):
        created = int(run.clock.now + number * every)
        run.at(number * every, lambda n=number, c=created: run.scripted.put(record(n, c)))  # type: ignore[misc]


def test_23_without_a_window_whatever_is_there_is_delivered(tmp_path: Path) -> None:
    run = Rig(tmp_path, batch_size=10)
    slowly(run, 3, every=1)
    run.run(10)
    assert run.invocations == [[0], [1], [2]]


def test_23_a_window_gathers_until_it_is_over(tmp_path: Path) -> None:
    run = Rig(tmp_path, batch_size=10, window_seconds=4.5)
    slowly(run, 8, every=1)
    run.run(20)
    assert run.invocations == [[0, 1, 2, 3, 4], [5, 6, 7]]
    assert [round(moment - START, 1) for moment in run.times] == [4.5, 9.5]


def test_23_what_waits_for_a_window_is_not_done(tmp_path: Path) -> None:
    run = Rig(tmp_path, batch_size=10, window_seconds=60)
    run.scripted.put(record(0))
    run.run(30)
    status = run.consumer.status()
    assert (status.caught_up_at_ms, status.lag_records) == (0, 1)
    run.run(60)
    assert run.consumer.status().caught_up_at_ms / 1000 > START + 60


def test_23_a_full_batch_does_not_wait_for_its_window(tmp_path: Path) -> None:
    run = Rig(tmp_path, batch_size=3, window_seconds=300)
    slowly(run, 7, every=1)
    run.run(30)
    assert run.invocations == [[0, 1, 2], [3, 4, 5]]
    run.run(300)
    assert run.invocations[2:] == [[6]]


def test_23_a_payload_of_6_mb_does_not_wait_either_and_is_never_more(tmp_path: Path) -> None:
    run = Rig(tmp_path, batch_size=1_000, window_seconds=300)
    run.scripted.put(*(record(number, padding="x" * 399_000) for number in range(40)))
    run.run(30)
    assert [len(batch) for batch in run.invocations] == [15, 15]
    run.run(300)
    assert delivered(run.invocations) == list(range(40))
    assert MAX_PAYLOAD_BYTES - 400_000 < max(run.sizes) <= MAX_PAYLOAD_BYTES


def test_24_a_batch_that_keeps_failing_holds_up_its_shard_alone(tmp_path: Path) -> None:
    def answer(numbers: list[int], event: Any) -> Any:
        return raises(numbers, event) if 0 in numbers else None

    run = Rig(tmp_path, answer)
    run.scripted.by_id["other"] = ScriptedShard()
    run.scripted.put(record(0), record(1))
    run.scripted.put(record(100), shard_id="other")
    run.at(10, lambda: run.scripted.put(record(101), shard_id="other"))
    run.run(60)
    assert [batch for batch in run.invocations if batch != [0, 1]] == [[100], [101]]
    status = run.consumer.status()
    assert status.retrying
    assert status.lag_records == 2
    assert status.lag_ms >= 59_000


def test_25_a_throttled_record_expires(tmp_path: Path) -> None:
    def answer(numbers: list[int], event: Any) -> Any:
        raise NotRun("no room")

    run = Rig(tmp_path, answer, record_age_seconds=60, retries=1)
    run.scripted.put(record(0))
    run.run(120)
    (document,) = run.letters.documents
    assert document["requestContext"]["condition"] == "RecordAgeExceeded"


def test_a_record_arrives_as_lambda_delivers_it(tmp_path: Path) -> None:
    run = Rig(tmp_path)
    run.scripted.put(record(0, data=b"\x00\xff", exact=12345678901234567890123456789012345678))
    run.run(1)
    (entry,) = run.events[0]["Records"]
    item = score("s-0", data=b"\x00\xff", exact=12345678901234567890123456789012345678)
    assert entry == stream_record(None, item, sequence=0)
    assert entry["dynamodb"]["NewImage"]["data"] == {"B": "AP8="}


def test_a_record_that_no_utf8_can_hold_reaches_the_handler(tmp_path: Path) -> None:
    run = Rig(tmp_path)
    run.scripted.put(record(0), record(1, taskType="\ud800"), record(2))
    run.run(1)
    assert run.invocations == [[0, 1, 2]]
    assert run.events[0]["Records"][1]["dynamodb"]["NewImage"]["taskType"] == {"S": "\ud800"}
