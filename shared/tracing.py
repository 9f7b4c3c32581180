"""Tracing: the one file that knows X-Ray.

One subsegment per batch, in the function's own trace. For each sampled record that carries
`trace`, the X-Ray header of the request that wrote it, a segment in *that* trace, so that one
trace shows the write and all its projections. With tracing off nothing is imported: the SDK
costs more than the rest of a cold start together.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache
from typing import Any

from shared.entities import TRACE_ATTRIBUTE
from shared.errors import Malformed, shown
from shared.records import Record

# X-Ray developer guide, "Tracing header" and "Trace IDs"; the writer may add fields of its own.
_TRACE_ID = r"1-[0-9a-f]{8}-[0-9a-f]{24}"
_SEGMENT_ID = r"[0-9a-f]{16}"
_MAX_HEADER = 1_024


@cache
def _is(pattern: str) -> Callable[[str], object]:
    # Compiled at the first use: without tracing there is none.
    import re

    return re.compile(pattern, re.ASCII | re.IGNORECASE).fullmatch


def batch_span(consumer: str, enabled: bool) -> AbstractContextManager[Any]:
    """A subsegment around one batch; does nothing unless enabled."""
    return _subsegment(consumer) if enabled else nullcontext()


@contextmanager
def _subsegment(consumer: str) -> Iterator[Any]:
    from aws_xray_sdk.core import xray_recorder

    with xray_recorder.in_subsegment(f"fanout.{consumer}") as subsegment:
        yield subsegment


def sampled_header(record: Record) -> tuple[str, str] | None:
    """(trace id, parent id) of the writing request, if the record carries a sampled one.

    A damaged header is no reason to disturb a record: it counts as none.
    """
    try:
        image = record.new or record.old
        header = image.get(TRACE_ATTRIBUTE) if image else None
    except Malformed:
        return None
    if not isinstance(header, str):
        return None
    parts = dict(part.strip().partition("=")[::2] for part in header[:_MAX_HEADER].split(";"))
    root, parent = parts.get("Root", ""), parts.get("Parent", "")
    if parts.get("Sampled") != "1" or not _is(_TRACE_ID)(root) or not _is(_SEGMENT_ID)(parent):
        return None
    return root, parent


def link_records(
    consumer: str, records: Iterable[Record], start_seconds: float, end_seconds: float
) -> int:
    """Send a segment into the writer's trace for each sampled record; return how many.

    Times are seconds since the epoch. Segments go to the daemon by UDP: nobody waits for them.
    """
    sent = 0
    for record in records:
        header = sampled_header(record)
        if header is None:
            continue
        from aws_xray_sdk.core import xray_recorder
        from aws_xray_sdk.core.models.segment import Segment

        trace_id, parent_id = header
        segment = Segment(f"fanout.{consumer}", traceid=trace_id, parent_id=parent_id)
        segment.start_time = start_seconds
        # Only shown: a record without an id was parked, or served by who needs none.
        segment.put_annotation("event_id", shown(str(record.payload.get("eventID"))))
        segment.close(end_seconds)
        xray_recorder.emitter.send_entity(segment)
        sent += 1
    return sent
