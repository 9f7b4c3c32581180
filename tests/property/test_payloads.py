"""A payload of which only a part is decoded is the same record, as far as anyone reads it."""

import json
from base64 import b64decode, b64encode
from binascii import a2b_base64
from importlib import import_module
from pathlib import Path
from random import Random
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.registry import REGISTRY
from shared.entities import READ_BY_ALL
from shared.envelopes import Unreadable, read_records
from shared.errors import Poison
from shared.payloads import payload_decoder
from shared.records import Record
from shared.spec import ConsumerSpec, Source
from tests.fuzz import material
from tests.support import records
from tests.support.strategies import damaged_records, sound_records

READS = ("status", "customer", "workflowContext.retryCount", "Score")
_partial = payload_decoder(READS)
_NOTHING = object()
GOOD = records.order()
GOLDEN = Path(__file__).parents[1] / "golden"

texts_of_json = st.binary(max_size=30) | st.sampled_from(
    [
        b'"\\ud800"',
        b'{"S":"\\ud800"}',
        b'{"S":"\xff"}',
        b"NaN",
        b"1e999",
        b"9" * 30,
        b"-" + b"9" * 5_000,
        b"[" * 3_000,
        b"[" * 3_000 + b"]" * 3_000,
        b'{"M":{"a":' * 700 + b"1" + b"}}" * 700,
        b'{"S":"a","S":"b"}',
        b'{"S":"a","N":"1"}',
        b'{"M":{"retryCount":{"N":"1"},"retryCount":{"N":"2"}}}',
        b'{"M":{"retryCount":1},"M":null}',
        b'{"M":[]}',
        b"null",
        b"{}",
        b"[]",
        b'"text"',
    ]
)
places = st.sampled_from(
    ["NewImage", "OldImage", "Keys", "status", "customer", "workflowContext", "note", "eventID"]
)


def read(entry: Any, decode: Any) -> Record | Unreadable:
    # Beside a good one: where nothing is a change, the whole event is refused.
    found, _ = read_records({"Records": [entry, records.stream_record(None, GOOD)]}, decode)
    return found


def seen(image: Any, path: str) -> Any:
    """What a reader of `path` finds in a raw image: a body under M, if the path has a member."""
    name, dot, member = path.partition(".")
    value = image.get(name, _NOTHING)
    if not dot:
        return value
    body = value.get("M") if isinstance(value, dict) else None
    return body.get(member, _NOTHING) if isinstance(body, dict) else None


def require_same(entry: Any) -> None:
    """Both ways give the same record; where they do not, the partial one reads no less."""
    wholly, partly = read(entry, None), read(entry, _partial)
    assert partly.raw is entry, "what may be parked is whole"
    assert partly.sequence_number == wholly.sequence_number
    if isinstance(wholly, Unreadable):
        if isinstance(partly, Unreadable):
            assert partly.error.reason == wholly.error.reason
            return
        # Damage in what nobody reads: no UTF-8, a number out of range, too deep.
        with pytest.raises(ValueError, match=r"UTF-8|infinity|surrogate|depth"):
            orjson.loads(b64decode(entry["kinesis"]["data"]))
        return
    assert isinstance(partly, Record), "what is sound stays so"
    assert partly.event_name == wholly.event_name
    for name in ("eventID", "userIdentity"):
        assert _alike(partly.payload.get(name), wholly.payload.get(name))
    for name in ("Keys", "ApproximateCreationDateTime"):
        assert _alike(partly.change.get(name, _NOTHING), wholly.change.get(name, _NOTHING))
    for name in ("OldImage", "NewImage"):
        ours, all_of_it = partly.change.get(name, _NOTHING), wholly.change.get(name, _NOTHING)
        if not isinstance(all_of_it, dict):
            assert ours == all_of_it
            continue
        for path in (*READS, *READ_BY_ALL):
            assert _alike(seen(ours, path), seen(all_of_it, path)), path


def _alike(ours: Any, theirs: Any) -> bool:
    """Equal, where an integer of over 64 bits may be the nearest double: neither can be stored."""
    if isinstance(ours, int) and isinstance(theirs, float):
        return float(ours) == theirs
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return ours.keys() == theirs.keys() and all(_alike(ours[k], theirs[k]) for k in ours)
    if isinstance(ours, list) and isinstance(theirs, list):
        return len(ours) == len(theirs) and all(map(_alike, ours, theirs))
    return bool(ours == theirs)


@given(sound_records(Source.KINESIS))
def test_a_sound_record_is_the_same(entry: Any) -> None:
    assert isinstance(read(entry, _partial), Record)
    require_same(entry)


@given(damaged_records(Source.KINESIS))
def test_a_damaged_record_is_the_same_or_as_well_read(entry: Any) -> None:
    require_same(entry)


@given(places, texts_of_json)
def test_a_damaged_value_is_the_same_or_as_well_read(place: str, value: bytes) -> None:
    require_same(with_value(place, value))


def with_value(place: str, value: bytes) -> Any:
    """A record in which the JSON at one place is this, after what stood there before."""
    entry = records.kinesis_record(records.order(version=1), records.order(version=2))
    text = b64decode(entry["kinesis"]["data"])
    payload = json.loads(text)
    added = b'"%b":%b' % (place.encode(), value)
    if place == "eventID":
        text = text.rstrip()[:-1] + b"," + added + b"}"
    elif place in payload["dynamodb"]:
        head, tail = text.split(b'"dynamodb": {', 1)
        depth_end = tail.index(b'"ApproximateCreationDateTimePrecision"')
        text = head + b'"dynamodb": {' + tail[:depth_end] + added + b"," + tail[depth_end:]
    else:
        text = text.replace(b'"NewImage": {', b'"NewImage": {' + added + b",", 1)
    entry["kinesis"]["data"] = b64encode(text).decode()
    return entry


@given(st.text("ABCabc019+/=-_ \n\u00e9", max_size=12) | st.binary(max_size=9).map(b64encode))
def test_base64_is_as_strict_as_python_is(data: Any) -> None:
    """The decoder may refuse more, since the careful way decides then; it may not take more."""
    text = data.decode() if isinstance(data, bytes) else data
    from pybase64 import b64decode as quick

    try:
        ours = quick(text, None, True)
    except ValueError:
        return
    assert ours == a2b_base64(text, strict_mode=True)


declared = pytest.mark.parametrize(
    "spec", [spec for spec in REGISTRY if spec.reads is not None], ids=lambda spec: spec.name
)


@declared
@given(st.randoms(use_true_random=True), st.booleans())
def test_a_consumer_declares_all_that_its_projection_reads(
    spec: ConsumerSpec, rng: Random, damaged: bool
) -> None:
    """Of every kind of item, it makes the same of what it declares as of the whole."""
    project = import_module(f"consumers.{spec.name}.projection").project
    decode = payload_decoder(spec.reads, spec.reads_old)
    for serial in range(20):
        entry = material.entry(rng, Source.KINESIS, serial, 0.5 if damaged else 0.0)
        wholly, partly = read(entry, None), read(entry, decode)
        if isinstance(wholly, Record) and isinstance(partly, Record):
            assert outcome(project, partly) == outcome(project, wholly)


def outcome(project: Any, record: Record) -> tuple[str, Any]:
    """What becomes of a record: an operation, or an error and its reason."""
    try:
        return "operation", project(record)
    except Poison as error:
        return type(error).__name__, error.reason
    except Exception as error:  # noqa: BLE001 - parked by the type of the error alone
        return "fault", type(error)


def goldens(consumer: str) -> list[Any]:
    """What people reviewed: each rule of a projection is in there, whatever the rest is."""
    cases = [
        case["record"]
        for path in sorted(GOLDEN.glob(f"{consumer}/*.json"))
        for case in json.loads(path.read_text(encoding="utf-8"))["cases"]
    ]
    assert len(cases) > 10
    return [records.kinesis_entry(json.dumps(record).encode()) for record in cases]


@declared
def test_it_declares_what_its_goldens_need(spec: ConsumerSpec) -> None:
    project = import_module(f"consumers.{spec.name}.projection").project
    decode = payload_decoder(spec.reads, spec.reads_old)
    for entry in goldens(spec.name):
        wholly, partly = read(entry, None), read(entry, decode)
        if isinstance(wholly, Record):
            assert isinstance(partly, Record)
            assert outcome(project, partly) == outcome(project, wholly)


@declared
def test_each_declared_attribute_is_read(spec: ConsumerSpec) -> None:
    """What is declared and not read is decoded for nothing: with it gone, something changes."""
    project = import_module(f"consumers.{spec.name}.projection").project
    assert spec.reads is not None
    entries = [each for each in goldens(spec.name) if isinstance(read(each, None), Record)]
    wanted = [outcome(project, whole(each)) for each in entries]
    for path in {*spec.reads} - {*READ_BY_ALL}:
        decode = payload_decoder({*spec.reads} - {path}, spec.reads_old)
        found = [outcome(project, record) for record in (read(each, decode) for each in entries)]  # type: ignore[arg-type]
        assert found != wanted, f"{spec.name} declares {path} and does not read it"


def whole(entry: Any) -> Any:
    return read(entry, None)


def test_what_is_not_declared_is_not_there() -> None:
    record = read(records.kinesis_record(None, records.order()), payload_decoder(()))
    assert isinstance(record, Record)
    assert record.new is not None
    assert record.new.raw == {"metadata": {"M": {"version": {"N": "1"}}}}


def test_of_the_old_image_less_may_be_kept() -> None:
    decode = payload_decoder(("status",), ())
    record = read(records.kinesis_record(records.order(), records.order(version=2)), decode)
    assert isinstance(record, Record)
    assert record.require_images() == (
        {"metadata": {"M": {"version": {"N": "1"}}}},
        {"status": {"S": "PENDING_VALIDATION"}, "metadata": {"M": {"version": {"N": "2"}}}},
    )


def test_a_map_and_its_member_are_the_map() -> None:
    both = payload_decoder(("metadata", "metadata.version"))
    record = read(records.kinesis_record(None, records.order()), both)
    assert isinstance(record, Record)
    assert record.new is not None
    assert record.new["metadata"] == records.order()["metadata"]
