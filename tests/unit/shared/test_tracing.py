"""Tracing: a segment in the writer's own trace for each sampled record; nothing unless it is on."""

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shared.envelopes import read_records
from shared.records import Record
from shared.tracing import batch_span, link_records, sampled_header
from tests.support.records import event, order, stream_record

ROOT = Path(__file__).resolve().parents[3]
HEADER = "Root=1-67891233-abcdef012345678912345678;Parent=463ac35c9f6413ad;Sampled=1"


def record(**attributes: Any) -> Record:
    (made,) = read_records(event(stream_record(None, order(**attributes))))
    assert isinstance(made, Record)
    return made


@pytest.fixture
def daemon(monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """A socket in the place of the X-Ray daemon."""
    from aws_xray_sdk.core import xray_recorder

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.settimeout(5)
        xray_recorder.emitter.set_daemon_address(f"127.0.0.1:{listening.getsockname()[1]}")
        yield listening


def received(daemon: socket.socket) -> dict[str, Any]:
    _, _, body = daemon.recv(65_536).partition(b"\n")
    return json.loads(body)


def test_reads_the_header_of_the_writing_request() -> None:
    expected = ("1-67891233-abcdef012345678912345678", "463ac35c9f6413ad")
    assert sampled_header(record(trace=HEADER)) == expected


@pytest.mark.parametrize(
    "header", [None, "", "nonsense", "Root=1-2", HEADER.replace("Sampled=1", "Sampled=0"), 5]
)
def test_no_header_or_a_damaged_one_is_none(header: Any) -> None:
    assert sampled_header(record() if header is None else record(trace=header)) is None


def test_a_sampled_record_gets_a_segment_in_its_writers_trace(daemon: socket.socket) -> None:
    sent = link_records("search", [record(), record(trace=HEADER)], 1000.0, 1000.5)
    assert sent == 1
    segment = received(daemon)
    assert segment["trace_id"] == "1-67891233-abcdef012345678912345678"
    assert segment["parent_id"] == "463ac35c9f6413ad"
    assert segment["name"] == "fanout.search"
    assert (segment["start_time"], segment["end_time"]) == (1000.0, 1000.5)
    assert segment["annotations"] == {"event_id": "event-1"}
    assert "ada" not in json.dumps(segment)


def test_a_batch_is_a_subsegment_of_the_functions_trace(daemon: socket.socket) -> None:
    from aws_xray_sdk.core import xray_recorder

    with xray_recorder.in_segment("function"), batch_span("search", enabled=True):
        pass
    segment = received(daemon)
    assert [part["name"] for part in segment["subsegments"]] == ["fanout.search"]


def test_with_tracing_off_nothing_is_imported() -> None:
    code = (
        "import sys; from shared.tracing import batch_span\n"
        "with batch_span('x', enabled=False): pass\n"
        "print('aws_xray_sdk' in sys.modules)"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert shown.stdout.strip() == "False"
