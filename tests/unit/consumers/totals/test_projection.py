"""From records to contributions: `tests/golden/totals` shows the usual ones, here is the rest."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumers.totals import projection
from consumers.totals.projection import Contribution, project
from shared.envelopes import read_records
from shared.errors import Malformed, NotAStream
from shared.records import Record
from tests.support.records import (
    Raw,
    heartbeat,
    kinesis_record,
    order,
    score,
    stream_record,
    to_raw,
)
from tests.support.strategies import damaged_records, sound_records, sources
from tests.support.totals import records_of


def projected(raw: Raw) -> Contribution | None:
    (record,) = records_of(raw)
    return project(record)


def refused(raw: Raw) -> Malformed:
    with pytest.raises(Malformed) as caught:
        projected(raw)
    assert caught.value.hint
    return caught.value


def with_score(raw: Raw, image: str, value: Any) -> Raw:
    raw["dynamodb"][image]["Score"] = value
    return raw


@pytest.mark.parametrize("item", [order(), heartbeat(), {"PK": "TOTAL#u-1", "SK": "TOTAL"}])
def test_other_kinds_are_none_of_its_business(item: Raw) -> None:
    assert projected(stream_record(None, item)) is None


def test_both_envelopes_say_the_same() -> None:
    changes = score(value=3), score(value=4, version=2)
    assert projected(stream_record(*changes)) == projected(kinesis_record(*changes))


@pytest.mark.parametrize(
    "value",
    [
        {"S": "12"},
        {"NULL": True},
        {"BOOL": True},
        {"NS": ["1"]},
        {"N": "twelve"},
        {"N": "NaN"},
        {"N": "1" * 39},
        {"N": 12},
        {"Q": "1"},
        12,
        {},
    ],
)
def test_a_score_that_is_no_number_is_malformed(value: Any) -> None:
    raw = with_score(stream_record(None, score()), "NewImage", value)
    refused(raw)
    changed = with_score(stream_record(score(), score(version=2)), "NewImage", value)
    refused(changed)


def test_a_score_without_its_number_is_malformed() -> None:
    raw = stream_record(None, score())
    del raw["dynamodb"]["NewImage"]["Score"]
    assert "Score" in refused(raw).reason


@pytest.mark.parametrize("value", [{"S": "12"}, {"N": "1" * 39}, None])
def test_a_damaged_old_score_spoils_only_the_guess(value: Any) -> None:
    mended = projected(with_score(stream_record(score(), score(version=2)), "OldImage", value))
    assert mended is not None
    assert (mended.value, mended.replaced) == (Decimal(100), None)
    removed = projected(with_score(stream_record(score(), None), "OldImage", value))
    assert removed is not None
    assert (removed.value, removed.replaced) == (Decimal(0), None)
    assert (removed.version, removed.live) == (2, False)


def test_damage_elsewhere_does_not_disturb() -> None:
    raw = stream_record(score(), score(version=2))
    for image in ("OldImage", "NewImage"):
        raw["dynamodb"][image]["difficulty"] = {"Q": object()}
        raw["dynamodb"][image]["createdAt"] = "no attribute value at all"
    assert projected(raw) is not None


@pytest.mark.parametrize("part", ["OldImage", "NewImage"])
def test_a_change_without_its_images_is_malformed(part: str) -> None:
    raw = stream_record(score(), score(version=2))
    del raw["dynamodb"][part]
    refused(raw)


@pytest.mark.parametrize(
    ("partition", "sort"),
    [
        ("SCORE#", "USER#u-1"),
        ("SCORE#s-1", "USER#"),
        ("SCORE#s-1", "PLAYER#u-1"),
        ("SCORE#s-\ud800", "USER#u-1"),
        ("SCORE#s-1", "USER#\udfff"),
    ],
)
def test_a_key_without_ids_is_malformed(partition: str, sort: str) -> None:
    refused(stream_record(None, score() | {"PK": partition, "SK": sort}))


@pytest.mark.parametrize("version", [0, -1, Decimal("1.5"), "1"])
def test_a_damaged_version_is_malformed(version: Any) -> None:
    refused(stream_record(None, score() | {"version": version}))


def test_a_score_without_a_version_goes_by_its_time() -> None:
    raw = stream_record(None, score(), created=1_760_000_000)
    del raw["dynamodb"]["NewImage"]["version"]
    made = projected(raw)
    assert made is not None
    assert made.version == 1_760_000_000_000_000


def test_numbers_stay_exact() -> None:
    value = "0.12345678901234567890123456789012345678"
    made = projected(with_score(stream_record(None, score()), "NewImage", {"N": value}))
    assert made is not None
    assert made.value == Decimal(value)


def test_the_records_are_not_changed() -> None:
    raw = stream_record(score(), score(value=7, version=2))
    projected(raw)
    assert raw == stream_record(score(), score(value=7, version=2))
    assert raw["dynamodb"]["NewImage"]["Score"] == to_raw(7)


def outcome(find: Callable[[Record], Contribution | None], record: Record) -> Any:
    try:
        return find(record)
    except Malformed as error:
        return error.reason, error.hint


@settings(max_examples=1000)
@given(st.data())
def test_the_quick_way_never_differs_from_the_careful_one(data: st.DataObject) -> None:
    source = data.draw(sources())
    raw = data.draw(damaged_records(source) | sound_records(source))
    entries = [raw] if isinstance(raw, dict) else []
    try:
        found = list(read_records({"Records": entries}))
    except NotAStream:
        return
    for record in found:
        if isinstance(record, Record):
            assert outcome(project, record) == outcome(projection._project_any, record)


@pytest.mark.parametrize("name", ["INSERT", "MODIFY", "REMOVE"])
@pytest.mark.parametrize("old", [None, [], {}, "x", score(), score(value="x")])
@pytest.mark.parametrize("new", [None, [], {}, "x", score(), score(version=0), score(value="x")])
def test_neither_do_images_that_do_not_fit_the_change(name: str, old: Any, new: Any) -> None:
    for left_out in (set(), {"OldImage"}, {"NewImage"}):
        raw = stream_record(None, score())
        raw["eventName"] = name
        for image, value in (("OldImage", old), ("NewImage", new)):
            item = to_raw(value)["M"] if isinstance(value, dict) else value
            raw["dynamodb"][image] = item
            if image in left_out:
                del raw["dynamodb"][image]
        (record,) = records_of(raw)
        assert outcome(project, record) == outcome(projection._project_any, record)


@pytest.mark.parametrize("item", [score(), score(score_id="ab|c%", user="d|e"), score(user="é")])
def test_sound_scores_go_the_quick_way(item: Raw, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(projection, "_project_any", lambda _: pytest.fail("the careful way"))
    for images in ((None, item), (item, item), (item, None)):
        assert projected(stream_record(*images)) is not None
