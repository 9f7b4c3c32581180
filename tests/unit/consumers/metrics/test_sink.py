"""What is printed for a batch: valid, complete, once."""

import os
import sys
from collections.abc import Iterable
from typing import Any

import pytest

from consumers.metrics import SPEC
from consumers.metrics.projection import Counted, project
from consumers.metrics.series import STARTED, orders_paid_by, scores_at
from consumers.metrics.sink import MetricsSink, Recent, open_sink
from shared.clock import Deadline
from shared.errors import DeadlineNear, Unavailable
from shared.parking import DeadLetterQueue
from shared.runtime import Consumer
from shared.settings import Settings
from tests.support.emf_rules import checked_documents
from tests.support.records import event, kinesis_record, order, score

Capture = pytest.CaptureFixture[bytes]
LONG = 60.0


def created(number: int, amount: float = 1.5, method: str = "CARD") -> Counted:
    samples = ((STARTED, 1.0), (orders_paid_by(method), amount))
    return Counted(f"event-{number}", f"ORDER#{number}", samples)


def printed(capture: Capture) -> list[dict[str, Any]]:
    return checked_documents(capture.readouterr().out)


def write(sink: MetricsSink, operations: Iterable[Counted]) -> int:
    result = sink.write(list(operations), Deadline(LONG))
    assert (result.rejected, result.unavailable) == ({}, {})
    return result.conflicts


def test_one_document_per_dimension_set(capsysbinary: Capture) -> None:
    write(open_sink(Settings()), [created(1, 10.5), created(2, 20, "VOUCHER"), created(3, 30)])
    documents = printed(capsysbinary)
    for document in documents:
        assert document.pop("_aws")["CloudWatchMetrics"][0]["Namespace"] == "Fanout/Business"
    assert documents == [
        {
            "eventIds": ["event-1", "event-2", "event-3"],
            "items": ["ORDER#1", "ORDER#2", "ORDER#3"],
            "WorkflowType": "ORDER",
            "WorkflowStarted": 3,
        },
        {
            "eventIds": ["event-1", "event-3"],
            "items": ["ORDER#1", "ORDER#3"],
            "PaymentMethod": "CARD",
            "OrdersCreated": 2,
            "OrderValue": [10.5, 30.0],
        },
        {
            "eventIds": ["event-2"],
            "items": ["ORDER#2"],
            "PaymentMethod": "VOUCHER",
            "OrdersCreated": 1,
            "OrderValue": 20.0,
        },
    ]


def test_no_dimension_names_an_item(capsysbinary: Capture) -> None:
    write(MetricsSink(), [created(1), Counted("e", "SCORE#1", ((scores_at("HARD"), 7.0),))])
    names = {
        name
        for document in printed(capsysbinary)
        for names in document["_aws"]["CloudWatchMetrics"][0]["Dimensions"]
        for name in names
    }
    assert names == {"WorkflowType", "PaymentMethod", "Difficulty"}


@pytest.mark.parametrize("count", [100, 101, 1_000])
def test_over_a_hundred_values_are_several_documents(count: int, capsysbinary: Capture) -> None:
    write(MetricsSink(), [created(number, number / 4) for number in range(count)])
    documents = [document for document in printed(capsysbinary) if "OrderValue" in document]
    assert len(documents) == -(-count // 100)
    assert sum(document["OrdersCreated"] for document in documents) == count
    values = [
        value
        for document in documents
        for value in (
            document["OrderValue"]
            if isinstance(document["OrderValue"], list)
            else [document["OrderValue"]]
        )
    ]
    assert values == [number / 4 for number in range(count)]


def test_a_repeat_counts_once_within_a_batch_and_across_batches(capsysbinary: Capture) -> None:
    sink = MetricsSink()
    assert write(sink, [created(1), created(2), created(1)]) == 1
    assert printed(capsysbinary)[0]["WorkflowStarted"] == 2
    assert write(sink, [created(2), created(3)]) == 1
    assert printed(capsysbinary)[0]["WorkflowStarted"] == 1
    assert write(sink, [created(1), created(2), created(3)]) == 3
    assert printed(capsysbinary) == []


def test_all_is_one_write(monkeypatch: pytest.MonkeyPatch, capsysbinary: Capture) -> None:
    pieces: list[bytes] = []
    monkeypatch.setattr(sys.stdout.buffer, "write", pieces.append)
    write(MetricsSink(), [created(number) for number in range(250)])
    (piece,) = pieces
    assert len(checked_documents(piece)) == 6


def test_what_could_not_be_printed_is_not_counted(
    monkeypatch: pytest.MonkeyPatch, capsysbinary: Capture
) -> None:
    sink = MetricsSink()
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as broken:
        monkeypatch.setattr(sys, "stdout", broken)
        with pytest.raises(Unavailable, match="BrokenPipeError") as caught:
            sink.write([created(1)], Deadline(LONG))
        assert caught.value.hint
        monkeypatch.undo()
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, writer)  # what stuck in the buffer can leave, and the file be closed
        os.close(nowhere)
    assert write(sink, [created(1)]) == 0
    assert printed(capsysbinary)[0]["WorkflowStarted"] == 1


def test_without_stdout_the_probe_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    MetricsSink().probe(Deadline(LONG))
    with open(os.devnull, "w", encoding="utf-8") as closed:  # noqa: PTH123
        pass
    monkeypatch.setattr(sys, "stdout", closed)
    with pytest.raises(Unavailable, match="ValueError"):
        MetricsSink().probe(Deadline(LONG))


def test_nothing_is_begun_without_time(capsysbinary: Capture) -> None:
    sink = MetricsSink()
    with pytest.raises(DeadlineNear):
        sink.write([created(1)], Deadline(0))
    assert printed(capsysbinary) == []
    assert write(sink, [created(1)]) == 0


def test_the_memory_is_bounded_and_keeps_the_newest_half() -> None:
    recent = Recent(100)
    for number in range(1_000):
        recent.update({str(number)})
        known = recent.among({str(each) for each in range(number + 1)})
        assert known >= {str(each) for each in range(max(0, number - 49), number + 1)}
        assert len(known) <= 100


def test_a_whole_batch_from_kinesis(capsysbinary: Capture) -> None:
    """Through the runtime: repeats of Kinesis, and a batch that is delivered twice."""
    steps = ["PENDING_VALIDATION", "VALIDATED", "PAYMENT_COMPLETED"]
    changes = [
        kinesis_record(None, order(status=steps[0]), event_id="a", sequence=1),
        kinesis_record(order(status=steps[0]), order(status=steps[1]), event_id="b", sequence=2),
        kinesis_record(None, order(status=steps[0]), event_id="a", sequence=3),
        kinesis_record(order(status=steps[1]), order(status=steps[2]), event_id="c", sequence=4),
        kinesis_record(None, score(value=7), event_id="d", sequence=5),
    ]
    queue = DeadLetterQueue("metrics", "http://127.0.0.1:1/queue", "bucket")
    consumer = Consumer(SPEC, project, MetricsSink(), queue)
    first = consumer.consume(event(*changes))
    documents = printed(capsysbinary)
    again = consumer.consume(event(*changes))
    repeated = printed(capsysbinary)
    assert first == again == {"batchItemFailures": []}
    sums: dict[str, float] = {}
    for document in documents:
        if document["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "Fanout/Business":
            for metric in document["_aws"]["CloudWatchMetrics"][0]["Metrics"]:
                name = metric["Name"]
                sums[name] = sums.get(name, 0) + document[name]
    assert sums == {
        "WorkflowStarted": 1,
        "OrdersCreated": 1,
        "OrderValue": 328.9,
        "WorkflowStepCompleted": 2,
        "WorkflowStepDuration": 0.0,
        "ScoresSubmitted": 1,
        "ScoreValue": 7.0,
    }
    assert [document["Conflicts"] for document in documents if "Conflicts" in document] == [1]
    assert [document["Conflicts"] for document in repeated] == [5]
