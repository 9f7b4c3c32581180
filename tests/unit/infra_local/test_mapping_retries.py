"""What is delivered again, and how often: as event source mappings of AWS do it.

Cases 1 to 13 of deliveries recorded on AWS (LocalStack's snapshots of November 2025) and of the
Lambda developer guide; `recorded` in a comment where AWS itself was seen doing it.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from infra.local.lambda_runtime.invocation import NotRun
from infra.local.mapping.kinesis import Disorder
from tests.support.mapping import Rig, delivered, raises, record, reports, sequence, took

IN_ORDER = Disorder(repeats=0, reorders=0)
SOURCES = pytest.mark.parametrize("kinesis", [None, IN_ORDER], ids=["stream", "kinesis"])


def rig(folder: Path, count: int, answer: Any = took, **config: Any) -> Rig:
    made = Rig(folder, answer, **config)
    made.scripted.put(*(record(number) for number in range(count)))
    return made


@SOURCES
def test_01_the_retry_budget_restarts_when_the_checkpoint_moves(
    tmp_path: Path, kinesis: Disorder | None
) -> None:
    # recorded: record 5 of six was delivered five times, its message counts four invocations.
    run = rig(tmp_path, 6, reports(5), batch_size=3, retries=3, kinesis=kinesis)
    run.run(120)
    assert run.invocations == [[0, 1, 2], [3, 4, 5], [5], [5], [5], [5]]
    (document,) = run.letters.documents
    assert document["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert document["requestContext"]["approximateInvokeCount"] == 4
    assert document["responseContext"] == {
        "statusCode": 200,
        "executedVersion": "$LATEST",
        "functionError": None,
    }
    info = document["KinesisBatchInfo" if kinesis else "DDBStreamBatchInfo"]
    assert info["batchSize"] == 1
    assert info["startSequenceNumber"] == info["endSequenceNumber"]
    assert info["startSequenceNumber"] in {
        sequence(5),
        f"49{sequence(5).zfill(40)}{0:014d}",
    }


def test_02_the_lowest_of_several_failures_is_where_delivery_resumes(tmp_path: Path) -> None:
    def answer(numbers: list[int], event: Any) -> Any:
        first = len(run.invocations) == 1
        return reports(4, 2, 3)(numbers, event) if first else {"batchItemFailures": []}

    run = rig(tmp_path, 6, answer, retries=3)
    run.run(60)
    # Those behind it that succeeded come again, too.
    assert run.invocations == [[0, 1, 2, 3, 4, 5], [2, 3, 4, 5]]
    assert not run.letters.documents


INVALID: list[Any] = [
    {"batchItemFailures": [{"itemIdentifier": ""}]},  # 3
    {"batchItemFailures": [{"itemIdentifier": None}]},  # 4
    {"batchItemFailures": [{"foo": 123}]},  # 5
    {"batchItemFailures": [{"foo": None}]},  # 5
    {"batchItemFailures": [{"itemIdentifier": 123}]},  # 6
    {"batchItemFailures": [{"itemIdentifier": "100000000000000000099"}]},  # 6
    # Not recorded; the safe reading of what is no partial response.
    {"batchItemFailures": ["100000000000000000000"]},
    {"batchItemFailures": "none"},
    {"batchItemFailures": 0},
    "fine",
    0,
    [1],
]


@pytest.mark.parametrize("response", INVALID, ids=str)
@pytest.mark.parametrize(("kinesis", "retries"), [(None, 3), (IN_ORDER, 2)], ids=["ddb", "kinesis"])
def test_03_to_06_an_invalid_response_fails_the_whole_batch(
    tmp_path: Path, response: Any, kinesis: Disorder | None, retries: int
) -> None:
    # recorded for one record: 4 invocations with 3 retries, 3 with 2.
    run = rig(tmp_path, 1, lambda *_: response, retries=retries, kinesis=kinesis)
    run.run(120)
    assert run.invocations == [[0]] * (retries + 1)
    (document,) = run.letters.documents
    assert document["requestContext"]["approximateInvokeCount"] == retries + 1
    assert document["responseContext"]["functionError"] is None


def test_06_one_unknown_name_among_valid_ones_fails_the_whole_batch(tmp_path: Path) -> None:
    def answer(numbers: list[int], event: Any) -> Any:
        if len(run.invocations) > 1:
            return None
        return {
            "batchItemFailures": [{"itemIdentifier": sequence(1)}, {"itemIdentifier": "elsewhere"}]
        }

    run = rig(tmp_path, 3, answer, retries=1)
    run.run(30)
    assert run.invocations == [[0, 1, 2], [0, 1, 2]]


@SOURCES
def test_07_a_handler_that_raises(tmp_path: Path, kinesis: Disorder | None) -> None:
    run = rig(tmp_path, 1, raises, retries=3, kinesis=kinesis)
    run.run(120)
    assert run.invocations == [[0]] * 4
    (document,) = run.letters.documents
    assert document["responseContext"] == {
        "statusCode": 200,
        "executedVersion": "$LATEST",
        "functionError": "Unhandled",
    }


@pytest.mark.parametrize(
    "response",
    [[], None, {}, {"batchItemFailures": []}, {"batchItemFailures": None}, "", {"other": 1}],
    ids=str,
)
@SOURCES
def test_08_an_empty_response_is_success(
    tmp_path: Path, response: Any, kinesis: Disorder | None
) -> None:
    run = rig(tmp_path, 2, lambda *_: response, retries=3, kinesis=kinesis)
    run.run(10)
    run.restart()
    run.run(10)
    assert run.invocations == [[0, 1]]
    assert not run.letters.documents


def test_09_without_report_batch_item_failures_a_response_says_nothing(tmp_path: Path) -> None:
    run = rig(tmp_path, 3, reports(1), report_failures=False)
    run.run(10)
    assert run.invocations == [[0, 1, 2]]


def test_10_without_it_a_raise_is_retried(tmp_path: Path) -> None:
    # recorded: batch 1, one retry: 2 invocations.
    run = rig(tmp_path, 1, raises, report_failures=False, batch_size=1, retries=1)
    run.run(30)
    assert run.invocations == [[0], [0]]
    (document,) = run.letters.documents
    assert document["requestContext"]["approximateInvokeCount"] == 2
    assert document["responseContext"]["functionError"] == "Unhandled"


def test_11_bisecting_finds_the_poison_and_a_split_costs_no_retry(tmp_path: Path) -> None:
    def answer(numbers: list[int], event: Any) -> Any:
        return raises(numbers, event) if 5 in numbers else None

    run = rig(tmp_path, 8, answer, bisect=True, report_failures=False, retries=2)
    run.run(120)
    assert run.invocations == [
        [0, 1, 2, 3, 4, 5, 6, 7],
        [0, 1, 2, 3],
        [4, 5, 6, 7],
        [4, 5],
        [4],
        *[[5]] * 3,
        [6, 7],
    ]
    (document,) = run.letters.documents
    assert document["DDBStreamBatchInfo"]["startSequenceNumber"] == sequence(5)
    assert document["DDBStreamBatchInfo"]["batchSize"] == 1
    assert [numbers_in(run)] == [[5]]


def numbers_in(run: Rig) -> list[int]:
    return [
        int(entry["dynamodb"]["SequenceNumber"]) % 10**12
        for payload in run.letters.payloads
        for entry in (payload or {})["Records"]
    ]


def test_12_with_bisect_and_a_partial_response_the_batch_is_cut_there(tmp_path: Path) -> None:
    run = rig(tmp_path, 6, reports(4), bisect=True, retries=1)
    run.run(60)
    assert run.invocations == [[0, 1, 2, 3, 4, 5], [4, 5], [4, 5]]
    # No half of [4, 5] was tried: the response says where it fails.
    assert run.letters.documents[0]["DDBStreamBatchInfo"]["batchSize"] == 2


@pytest.mark.parametrize("answer", [raises, lambda *_: {"batchItemFailures": [{"no": 1}]}])
def test_13_with_both_a_raise_or_an_invalid_response_bisects(tmp_path: Path, answer: Any) -> None:
    def only_at_first(numbers: list[int], event: Any) -> Any:
        return answer(numbers, event) if len(run.invocations) == 1 else None

    run = rig(tmp_path, 4, only_at_first, bisect=True, retries=0)
    run.run(60)
    assert run.invocations == [[0, 1, 2, 3], [0, 1], [2, 3]]
    assert not run.letters.documents


def test_25_a_throttle_is_no_attempt(tmp_path: Path) -> None:
    def answer(numbers: list[int], event: Any) -> Any:
        if len(run.invocations) <= 20:
            raise NotRun("no room")
        return None

    run = rig(tmp_path, 2, answer, retries=0)
    run.run(300)
    assert run.invocations == [[0, 1]] * 21
    assert not run.letters.documents
    status = run.consumer.status()
    assert (status.numbers.throttles, status.numbers.batches) == (20, 1)


def test_26_the_whole_failing_rest_is_given_up(tmp_path: Path) -> None:
    # Another emulator expects three invocations in all; the recording of case 1 says otherwise.
    run = rig(tmp_path, 3, reports(1), batch_size=10, retries=2)
    run.run(60)
    assert run.invocations == [[0, 1, 2], [1, 2], [1, 2], [1, 2]]
    (document,) = run.letters.documents
    assert document["requestContext"]["approximateInvokeCount"] == 3
    info = document["DDBStreamBatchInfo"]
    assert info["batchSize"] == 2
    assert (info["startSequenceNumber"], info["endSequenceNumber"]) == (sequence(1), sequence(2))
    assert numbers_in(run) == [1, 2]


def test_retries_wait_longer_and_longer_and_then_evenly(tmp_path: Path) -> None:
    run = rig(tmp_path, 1, raises)
    run.run(100)
    waits = [late - early for early, late in pairwise(run.times)]
    assert waits[0] <= 0.1
    assert all(wait <= 5 for wait in waits)
    assert min(waits[10:]) > 2
    assert len(set(waits)) == len(waits)  # spread, so that consumers do not come all at once


def test_a_batch_that_succeeds_after_failures_is_followed_at_once(tmp_path: Path) -> None:
    def answer(numbers: list[int], event: Any) -> Any:
        return raises(numbers, event) if len(run.invocations) <= 5 else None

    run = rig(tmp_path, 4, answer, batch_size=2)
    run.run(60)
    assert run.times[6] == run.times[5]
    assert delivered(run.invocations[5:]) == [0, 1, 2, 3]
