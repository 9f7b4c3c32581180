"""What JSON parsing can deliver and nobody expects: each once held up a shard, or could have."""

import json
import time
from random import Random
from typing import Any
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.metrics.projection import project as count
from shared import entities, failures, tracing
from shared.codec import decode_number
from shared.envelopes import Unreadable, read_records
from shared.errors import MAX_SHOWN, Malformed, shown
from shared.json_text import _deep_text, json_text
from shared.parking import MAX_MESSAGE_BYTES, DeadLetterQueue, Letter
from shared.records import Record
from shared.runtime import Consumer
from shared.spec import ConsumerSpec, Source
from tests.fuzz import hostile
from tests.fuzz.ends import MemoryAws
from tests.support.records import event, heartbeat, order, stream_record

SPEC = ConsumerSpec(name="toy", purpose="test", destination="nothing", source=Source.STREAM)


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> MemoryAws:
    made = MemoryAws()
    monkeypatch.setattr("shared.parking.aws_client", lambda *_: made)
    return made


def park(raw: Any, sequence_number: str = "1", reason: str = "bad") -> Any:
    letter = Letter(raw, Malformed(reason, hint="mend it"), sequence_number)
    return DeadLetterQueue("toy", "queue", "bucket").park([letter])


@given(st.integers(0, 2**32))
def test_deep_text_is_what_the_standard_library_writes(seed: int) -> None:
    value = hostile.value(Random(seed))
    try:
        plain = json.dumps(value, separators=(",", ":"))
    except RecursionError:
        return
    assert _deep_text(value) == plain == json_text(value)


@pytest.mark.parametrize("tag", ["", "L", "M"])
def test_no_depth_is_too_deep_to_park(aws: MemoryAws, tag: str) -> None:
    raw = hostile.nested(20_000, tag)
    with pytest.raises(RecursionError):
        json.dumps(raw)
    assert not park({"dynamodb": raw})
    (message,) = aws.messages
    assert message.count("[") + message.count("{") >= 20_000
    assert message.endswith("}" * 2)


@pytest.mark.parametrize("number", ["../../secret", "\ud800", "é", "x" * 2_000, "", "1 2"])
def test_any_sequence_number_can_be_parked_large_or_small(aws: MemoryAws, number: str) -> None:
    for raw in ("small", "x" * MAX_MESSAGE_BYTES):
        assert not park(raw, number)
    assert len(aws.messages) == 2


def test_a_reason_of_any_length_fits_into_the_queue(aws: MemoryAws) -> None:
    assert not park("x" * MAX_MESSAGE_BYTES, "1" * MAX_MESSAGE_BYTES, "y" * MAX_MESSAGE_BYTES)
    assert len(aws.messages) == 1


def test_what_is_shown_is_short_and_utf_8() -> None:
    assert shown("größe") == "größe"
    assert shown("\ud800x").encode() == b"\\ud800x"
    assert len(shown("x" * 10**6)) < MAX_SHOWN + 40
    assert "1,000,000 characters" in shown("x" * 10**6)


@pytest.mark.parametrize("name", [[], {}, ["INSERT"], 1, None, True])
def test_an_event_name_of_any_type_disturbs_no_other(name: Any) -> None:
    bad, good = stream_record(None, order()), stream_record(None, order(), sequence=2)
    bad["eventName"] = name
    first, second = read_records(event(bad, good))
    assert isinstance(first, Unreadable)
    assert isinstance(second, Record)


@pytest.mark.parametrize("text", ["9" * 5_000, "9" * 19, "-1", "", "\u0661", "1.5"])
def test_a_heartbeat_may_say_any_time(text: str) -> None:
    record = stream_record(None, heartbeat())
    record["dynamodb"]["NewImage"]["writtenAt"] = {"N": text}
    assert entities.heartbeat_written_ms(record["dynamodb"]) is None


@pytest.mark.parametrize(
    "body", ["1" * 60_000 + "x", "1" * 60_000 + ".", "0" * 60_000, "1e99" * 999]
)
def test_a_long_number_is_refused_without_trying_every_way_to_read_it(body: str) -> None:
    # Read in every way, the first took minutes: pytest's own limit ends the test.
    with pytest.raises(Malformed):
        decode_number(body)


@pytest.mark.parametrize("body", ["1e99999999999999999999", "-1E-99999999999999999999"])
def test_an_exponent_beyond_python_is_malformed(body: str) -> None:
    with pytest.raises(Malformed, match="outside what DynamoDB stores"):
        decode_number(body)


@pytest.mark.parametrize("number", ["\ud800", "x" * 10**6])
def test_a_batch_whose_ends_have_odd_names_is_reported(
    number: str, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    record = stream_record(None, order())
    record["dynamodb"]["SequenceNumber"] = number
    sink = mock.Mock()
    consumer = Consumer[Any](SPEC, lambda _: None, sink, DeadLetterQueue("toy", "queue", "bucket"))
    assert consumer.consume(event(record)) == {"batchItemFailures": []}
    line = capfdbinary.readouterr().out
    assert json.loads(line)["Records"] == 1
    assert len(line) < 5_000


def test_a_failure_with_an_odd_name_is_logged(capsys: pytest.CaptureFixture[str]) -> None:
    with mock.patch("logging.raiseExceptions", new=True):
        failures.log_failure("odd", "parked", "\ud800", Malformed("\udfff", hint="mend it"))
    out, err = capsys.readouterr()
    assert json.loads(out)["reason"] == "\\udfff"
    assert not err, "logging could not write the line"


def test_ids_too_long_for_a_line_of_metrics_are_malformed() -> None:
    record = stream_record(None, order(), event_id="e" * 10_000)
    (read,) = read_records(event(record))
    assert isinstance(read, Record)
    with pytest.raises(Malformed, match="longer than any"):
        count(read)


ROOT, PARENT = "1-5759e988-bd862e3fe1be46a994272793", "53995c3f42cd8ad8"


@pytest.mark.parametrize(
    "header",
    [
        f"Root={ROOT};Parent=\ud800;Sampled=1",
        f"Root=x;Parent={PARENT};Sampled=1",
        f"Root={ROOT}{ROOT};Parent={PARENT};Sampled=1",
        f"Root={ROOT};Parent={PARENT};Sampled=0",
        ";=;" * 10**5,
    ],
)
def test_a_damaged_trace_is_none(header: str) -> None:
    (record,) = read_records(event(stream_record(None, order(trace=header))))
    assert isinstance(record, Record)
    assert tracing.sampled_header(record) is None


def test_a_traced_record_without_an_id_disturbs_no_batch() -> None:
    raw = stream_record(None, order(trace=f"Root={ROOT};Parent={PARENT};Sampled=1"))
    raw["eventID"] = {"not": "text"}
    with mock.patch("aws_xray_sdk.core.xray_recorder.emitter.send_entity") as sent:
        records = [record for record in read_records(event(raw)) if isinstance(record, Record)]
        assert tracing.link_records("toy", records, time.time(), time.time()) == 1
    assert sent.call_count == 1
