"""Raw images: the same as the record's own, and the same refusals."""

from typing import Any

import pytest

from shared.envelopes import read_records
from shared.errors import Malformed
from shared.images import raw_images
from shared.records import Image, Record
from tests.support.records import event, order, stream_record

_ABSENT = object()


def record(name: str, old: Any, new: Any) -> Record:
    raw = stream_record(order(), order(version=2))
    raw["eventName"] = name
    for image, value in (("OldImage", old), ("NewImage", new)):
        raw["dynamodb"][image] = value
        if value is _ABSENT:
            del raw["dynamodb"][image]
    (read,) = read_records(event(raw))
    assert isinstance(read, Record)
    return read


def outcome(images: Any) -> Any:
    try:
        return [image.raw if isinstance(image, Image) else image for image in images()]
    except Malformed as error:
        return str(error)


@pytest.mark.parametrize("name", ["INSERT", "MODIFY", "REMOVE"])
@pytest.mark.parametrize("old", [_ABSENT, {}, {"a": {"S": "x"}}, None, [], "x"])
@pytest.mark.parametrize("new", [_ABSENT, {}, {"a": {"S": "y"}}, None, [], "x"])
def test_they_are_what_the_record_says(name: str, old: Any, new: Any) -> None:
    change = record(name, old, new)
    assert outcome(lambda: raw_images(change)) == outcome(change.require_images)
    if name == "MODIFY" and isinstance(old, dict) and isinstance(new, dict):
        assert raw_images(change) == (old, new)
