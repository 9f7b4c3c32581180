"""One line of the archive, read back."""

from typing import Any

import pytest

from consumers.audit.projection import project
from shared.archive_change import Change, read_change
from shared.archive_format import ObjectName, to_line
from shared.envelopes import read_records
from shared.errors import Malformed
from shared.records import Record
from tests.support import records as make

NAME = ObjectName("audit/some/object", make.CREATED // 3600, "0" * 32)
IDENTITY = {"principalId": "dynamodb.amazonaws.com", "type": "Service"}

GOOD = {
    "eventID": "e-1",
    "eventName": "INSERT",
    "sequenceNumber": "100000000000000000001",
    "createdUs": make.CREATED * 1_000_000,
    "version": 1,
    "keys": {"PK": {"S": "SCORE#s-1"}, "SK": {"S": "USER#u-1"}},
    "new": make.raw_image(make.score()),
}


def record(entry: dict[str, Any]) -> Record:
    (made,) = read_records(make.event(entry))
    assert isinstance(made, Record)
    return made


def archived(entry: dict[str, Any]) -> Change:
    return read_change(project(record(entry)).line, NAME, 3)


def test_says_what_was_archived() -> None:
    change = archived(make.stream_record(make.score(), make.score(version=2, value=7), sequence=5))
    assert change.event_id == "event-5"
    assert change.event_name == "MODIFY"
    assert change.item_key == ("SCORE#s-1", "USER#u-1")
    assert change.created_ms == make.CREATED * 1000
    assert change.sequence == 100_000_000_000_000_000_005
    assert change.version == 2
    assert change.old is not None
    assert change.new is not None
    assert (change.old["Score"], change.new["Score"]) == (100, 7)
    assert (change.object_key, change.line) == (NAME.key, 3)


def test_absent_images_are_none() -> None:
    assert archived(make.stream_record(None, make.score())).old is None
    assert archived(make.stream_record(make.score(), None)).new is None


def test_kinesis_gives_no_sequence() -> None:
    assert archived(make.kinesis_record(None, make.score())).sequence is None


@pytest.mark.parametrize("odd", ["9" * 10_000, "٣", "-1", "1e9", "", 5, None])
def test_an_odd_sequence_number_is_none(odd: Any) -> None:
    assert read_change(to_line({**GOOD, "sequenceNumber": odd}), NAME, 1).sequence is None


@pytest.mark.parametrize(
    "entry",
    [
        make.stream_record(None, make.order()),
        make.stream_record(make.order(), make.order(version=2)),
        make.stream_record(make.score(), None) | {"userIdentity": IDENTITY},
        make.stream_record(None, make.order(customerId="half \ud83d a pair")),
        make.stream_record(None, {"PK": "no", "SK": "version"}, created=make.CREATED + 0.25),
    ],
)
def test_it_can_be_processed_again_as_if_it_came_from_the_stream(entry: dict[str, Any]) -> None:
    again = record(archived(entry).stream_entry())
    assert project(again) == project(record(entry))
    assert again.version == record(entry).version


def test_what_came_through_kinesis_can_be_processed_again_too() -> None:
    entry = make.kinesis_record(make.order(), make.order(version=2), created=make.CREATED + 0.5)
    original = record(entry)
    again = record(archived(entry).stream_entry())
    assert again.sequence_number == "event-1"
    assert again.created_us == original.created_us
    assert (again.event_id, again.version) == (original.event_id, original.version)
    assert (again.old, again.new) != (None, None)
    assert again.change["NewImage"] == original.change["NewImage"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"", "no JSON"),
        (b'{"eventID": "e', "no JSON"),
        (b"\xff\xfe\n", "no JSON"),
        (b"[]\n", "no JSON object"),
        (to_line({**GOOD, "eventID": 1}), "no eventID"),
        (to_line({**GOOD, "createdUs": "now"}), "creation time"),
        (to_line({**GOOD, "createdUs": 10**30}), "creation time"),
        (to_line({**GOOD, "eventName": None}), "kind of change"),
        (to_line({**GOOD, "keys": None}), "no keys"),
        (to_line({**GOOD, "keys": {"PK": {"S": "x"}}}), "SK"),
        (to_line({**GOOD, "createdUs": GOOD["createdUs"] + 3_600_000_000}), "another hour"),  # type: ignore[operator]
    ],
)
def test_what_the_archive_did_not_write_is_refused(line: bytes, reason: str) -> None:
    with pytest.raises(Malformed, match=reason):
        read_change(line, NAME, 1)


def test_the_good_line_is_read() -> None:
    assert read_change(to_line(GOOD), NAME, 1).version == 1


@pytest.mark.parametrize("image", ["text", [], 5])
def test_an_image_that_is_no_map_is_shown_raw_alone(image: Any) -> None:
    change = read_change(to_line({**GOOD, "new": image}), NAME, 1)
    assert change.new_raw == image
    with pytest.raises(Malformed, match="no map"):
        _ = change.new
