"""The archive's line for one record: everything in it, nothing altered, and who is refused."""

import copy
import json
import subprocess
import sys
from decimal import Decimal
from typing import Any

import orjson
import pytest

from consumers.audit import SPEC
from consumers.audit.projection import ArchiveLine, project
from shared.envelopes import read_records
from shared.errors import Malformed
from shared.filters import compile_filters
from shared.records import Record
from shared.spec import Source
from tests.support import records as make

HOUR = make.CREATED // 3600


def record(entry: dict[str, Any]) -> Record:
    (made,) = read_records(make.event(entry))
    assert isinstance(made, Record)
    return made


def archived(entry: dict[str, Any]) -> ArchiveLine:
    return project(record(entry))


def fields(entry: dict[str, Any]) -> dict[str, Any]:
    return json.loads(archived(entry).line)


def test_a_line_says_all_of_a_change() -> None:
    old, new = make.order(version=1), make.order(version=2, status="VALIDATED")
    line = archived(make.stream_record(old, new, sequence=7, event_id="e-7"))
    assert json.loads(line.line) == {
        "eventID": "e-7",
        "eventName": "MODIFY",
        "sequenceNumber": "100000000000000000007",
        "createdUs": make.CREATED * 1_000_000,
        "version": 2,
        "keys": {"PK": {"S": "ORDER#o-1"}, "SK": {"S": "ORDER"}},
        "old": make.raw_image(old),
        "new": make.raw_image(new),
    }
    assert (line.hour, line.sequence_number) == (HOUR, "100000000000000000007")
    assert line.line.endswith(b"}\n")
    assert line.line.count(b"\n") == 1


def test_an_absent_image_is_absent() -> None:
    assert "old" not in fields(make.stream_record(None, make.score()))
    assert "new" not in fields(make.stream_record(make.score(), None))


def test_kinesis_gives_the_same_line_but_for_the_sequence_number() -> None:
    images = (make.score(version=1), make.score(version=2, value=7))
    through_kinesis = fields(make.kinesis_record(*images, event_id="e", created=make.CREATED))
    assert "sequenceNumber" not in through_kinesis
    direct = fields(make.stream_record(*images, event_id="e"))
    assert through_kinesis == {k: v for k, v in direct.items() if k != "sequenceNumber"}


def test_kinesis_microseconds_are_kept() -> None:
    created = make.CREATED + Decimal("0.123456")
    line = fields(make.kinesis_record(None, make.score(), created=created))  # type: ignore[arg-type]
    assert line["createdUs"] == make.CREATED * 1_000_000 + 123_456


def test_every_type_survives_byte_for_byte() -> None:
    item = make.score(
        digits=Decimal("1234567890.1234567890123456789012345678"),
        least=Decimal("1E-130"),
        binary=bytes(range(256)),
        texts={"a", "é", "\u2028"},
        numbers={Decimal(1), Decimal("0.1")},
        binaries={b"\x00", b"\xff"},
        nested={"list": [None, True, {"deep": [b"x"]}]},
        empty="",
    )
    entry = make.stream_record(None, item)
    raw = entry["dynamodb"]["NewImage"]
    assert orjson.dumps(raw) in archived(entry).line
    assert b'"1234567890.1234567890123456789012345678"' in archived(entry).line


DAMAGED_IMAGES: list[Any] = [
    {**make.raw_image(make.order()), "totalAmount": {"S": "a lot"}},
    {**make.raw_image(make.order()), "odd": {"XX": "no such type"}},
    {**make.raw_image(make.order()), "binary": {"B": "%%% no base64 %%%"}},
    {**make.raw_image(make.order()), "metadata": {"M": {"version": {"N": "minus one"}}}},
    {**make.raw_image(make.order()), "number": {"N": 10**40}},
    {},
    "no map at all",
    None,
]


@pytest.mark.parametrize("image", DAMAGED_IMAGES)
def test_a_damaged_image_is_archived_as_it_is(image: Any) -> None:
    entry = make.stream_record(None, make.order())
    entry["dynamodb"]["NewImage"] = image
    assert fields(entry)["new"] == image


def test_a_change_without_images_is_archived() -> None:
    entry = make.stream_record(make.order(), make.order(version=2))
    del entry["dynamodb"]["NewImage"], entry["dynamodb"]["OldImage"]
    line = fields(entry)
    assert line["eventName"] == "MODIFY"
    assert line["version"] is None
    assert not {"old", "new"} & set(line)


@pytest.mark.parametrize(
    ("old", "new", "version"),
    [
        (None, make.order(version=1), 1),
        (make.order(version=4), make.order(version=5), 5),
        (make.order(version=5), None, 6),
        (make.score(version=2), None, 3),
        (None, {"PK": "X#1", "SK": "X"}, make.CREATED * 1_000_000),
        (None, make.score(version=0), None),
    ],
)
def test_the_version_is_told_where_there_is_one(old: Any, new: Any, version: int | None) -> None:
    assert fields(make.stream_record(old, new))["version"] == version


def test_who_deleted_an_expired_item_is_kept() -> None:
    identity = {"principalId": "dynamodb.amazonaws.com", "type": "Service"}
    entry = make.stream_record(make.score(), None) | {"userIdentity": identity}
    assert fields(entry)["userIdentity"] == identity


def test_what_utf_8_cannot_hold_is_kept_as_escapes() -> None:
    entry = make.stream_record(None, make.order(customerId="half \ud83d a pair", note="naïve"))
    line = archived(entry).line
    assert line.isascii()
    assert json.loads(line)["new"] == entry["dynamodb"]["NewImage"]


@pytest.mark.parametrize(
    "item",
    [
        make.order(),
        make.score(),
        make.heartbeat(),
        {"PK": "TOTAL#u-1", "SK": "TOTAL", "total": 5, "version": 1},
        {"PK": "something else", "SK": "entirely"},
    ],
)
def test_every_kind_of_item_is_archived(item: dict[str, Any]) -> None:
    entry = make.stream_record(None, item)
    assert compile_filters(SPEC.filters).matches(entry)
    assert fields(entry)["new"] == make.raw_image(item)


def spoiled(**changes: Any) -> dict[str, Any]:
    entry = make.stream_record(None, make.order())
    entry["dynamodb"] |= changes
    return entry


@pytest.mark.parametrize(
    "entry",
    [
        pytest.param(make.stream_record(None, make.order()) | {"eventID": None}, id="no eventID"),
        pytest.param(spoiled(Keys=None), id="no keys"),
        pytest.param(spoiled(Keys={}), id="empty keys"),
        pytest.param(spoiled(Keys={"PK": {"S": "ORDER#1"}}), id="no sort key"),
        pytest.param(spoiled(Keys={"PK": {"N": "1"}, "SK": {"S": "ORDER"}}), id="number as key"),
        pytest.param(spoiled(ApproximateCreationDateTime=None), id="no creation time"),
        pytest.param(spoiled(ApproximateCreationDateTime=-1), id="before the epoch"),
        pytest.param(spoiled(ApproximateCreationDateTime=float("nan")), id="no number"),
    ],
)
def test_a_change_that_nobody_could_find_again_is_refused(entry: dict[str, Any]) -> None:
    with pytest.raises(Malformed) as refused:
        archived(entry)
    assert refused.value.hint
    assert "Ada" not in str(refused.value)


def test_nesting_beyond_all_measure_is_refused() -> None:
    bottomless: dict[str, Any] = {"S": "down here"}
    for _ in range(400):
        bottomless = {"L": [bottomless]}
    with pytest.raises(Malformed, match="nested too deep"):
        archived(spoiled(NewImage={"deep": bottomless}))


def test_pure() -> None:
    entry = make.stream_record(make.order(), make.order(version=2))
    before = copy.deepcopy(entry)
    assert archived(entry) == archived(entry)
    assert entry == before


def test_it_reads_the_stream_without_a_filter() -> None:
    assert SPEC.source is Source.STREAM
    assert SPEC.filters == ()


def test_the_handler_loads_no_client_before_it_needs_one() -> None:
    program = (
        "import sys, consumers.audit.handler\n"
        "print(*sorted({'boto3', 'botocore', 'shared.archive', 'redis'} & set(sys.modules)))"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert run.stdout.split() == []
