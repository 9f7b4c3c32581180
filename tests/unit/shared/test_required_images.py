"""Required images: there exactly as the change's name demands, or refused."""

from typing import Any

import pytest

from shared.envelopes import read_records
from shared.errors import Malformed
from shared.records import Record
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


def required(name: str, old: Any, new: Any) -> Any:
    """What must come of it: both images, or a reason."""
    for image, value in (("OldImage", old), ("NewImage", new)):
        if value is not _ABSENT and not isinstance(value, dict):
            return f"the record has a {image} that is no map"
    if (old is _ABSENT) is not (name == "INSERT") or (new is _ABSENT) is not (name == "REMOVE"):
        return f"the record is a {name} without the images it must carry"
    return (None if old is _ABSENT else old), (None if new is _ABSENT else new)


@pytest.mark.parametrize("name", ["INSERT", "MODIFY", "REMOVE"])
@pytest.mark.parametrize("old", [_ABSENT, {}, {"a": {"S": "x"}}, None, [], "x"])
@pytest.mark.parametrize("new", [_ABSENT, {}, {"a": {"S": "y"}}, None, [], "x"])
def test_each_is_there_or_refused(name: str, old: Any, new: Any) -> None:
    change, wanted = record(name, old, new), required(name, old, new)
    if isinstance(wanted, str):
        with pytest.raises(Malformed) as caught:
            change.require_images()
        assert caught.value.reason == wanted
    else:
        assert change.require_images() == wanted
