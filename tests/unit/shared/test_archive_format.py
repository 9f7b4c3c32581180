"""Names of archive objects, and lines."""

from typing import Any

import pytest

from shared.archive_format import (
    HOUR_US,
    from_line,
    object_key,
    partition,
    read_name,
    to_line,
)
from shared.errors import Malformed

DIGEST = "0123456789abcdef" * 4
HOUR = 488888  # 2025-10-09T08:00Z


def test_a_name_says_where_and_what() -> None:
    key = object_key(HOUR, "100000000000000000001", "100000000000000000009", DIGEST)
    assert key == (
        "audit/date=2025-10-09/hour=08/"
        "0000000000000000000100000000000000000001-0000000000000000000100000000000000000009-"
        "0123456789abcdef0123456789abcdef.ndjson.zst"
    )
    name = read_name(key)
    assert name is not None
    assert (name.key, name.hour, name.digest) == (key, HOUR, DIGEST[:32])


@pytest.mark.parametrize(
    ("hour", "folder"),
    [
        (0, "date=1970-01-01/hour=00"),
        (HOUR + 15, "date=2025-10-09/hour=23"),
        (HOUR + 16, "date=2025-10-10/hour=00"),
        (10**17 // HOUR_US, "date=5138-11-16/hour=09"),
    ],
)
def test_folders_are_hours_in_utc(hour: int, folder: str) -> None:
    assert partition(hour) == folder


def test_names_sort_as_their_sequence_numbers_do() -> None:
    numbers = ["9", "10", "99" * 10, "1" + "0" * 39, "49" + "5" * 54]
    keys = [object_key(HOUR, number, number, DIGEST) for number in numbers]
    assert keys == sorted(keys)


@pytest.mark.parametrize("odd", ["", "../../etc", "a/b", "٣", "9" * 65, "\ud800", "-5", "1e9"])
def test_an_odd_sequence_number_makes_no_odd_name(odd: str) -> None:
    key = object_key(HOUR, odd, "5", DIGEST)
    assert f"/{'0' * 40}-" in key
    assert read_name(key) is not None


@pytest.mark.parametrize(
    "key",
    [
        "audit/date=2025-10-09/hour=08/",
        "audit/readme.txt",
        f"parked/date=2025-10-09/hour=08/{'1' * 40}-{'1' * 40}-{DIGEST[:32]}.ndjson.zst",
        f"audit/date=2025-13-09/hour=08/{'1' * 40}-{'1' * 40}-{DIGEST[:32]}.ndjson.zst",
        f"audit/date=2025-10-09/hour=24/{'1' * 40}-{'1' * 40}-{DIGEST[:32]}.ndjson.zst",
        f"audit/date=2025-10-09/hour=08/{'1' * 40}-{'1' * 40}-{DIGEST[:31]}G.ndjson.zst",
        f"audit/date=2025-10-09/hour=08/{'1' * 40}-{'1' * 40}-{DIGEST[:32]}.ndjson.gz",
        f"audit/date=2025-10-09/hour=08/{'1' * 40}-{'1' * 40}-{DIGEST[:32]}.ndjson.zst.tmp",
    ],
)
def test_other_names_are_no_objects_of_the_archive(key: str) -> None:
    assert read_name(key) is None


@pytest.mark.parametrize(
    "document",
    [
        {"a": "Zoë \u2028 \n \r"},
        {"half a pair": "\udc00", "with": "ü"},
        {"big": 10**30, "surrogate": "\ud800"},
        [1, None, True, {"S": ""}],
    ],
)
def test_lines_come_back_as_they_were(document: Any) -> None:
    line = to_line(document)
    assert line.endswith(b"\n")
    assert len(line.splitlines()) == 1
    assert from_line(line) == document


@pytest.mark.parametrize("levels", [300, 900, 100_000])
@pytest.mark.parametrize("leaf", ["plain", "\ud800"])
def test_too_deep_a_document_is_refused(levels: int, leaf: str) -> None:
    document: Any = leaf
    for _ in range(levels):
        document = [document]
    with pytest.raises(Malformed, match="too deep"):
        to_line(document)


@pytest.mark.parametrize(
    "line", [b"", b"\n", b"{", b"\xff\n", b'{"a": 1}{"b": 2}', b"[" * 100_000, b"nonsense\n"]
)
def test_what_is_no_json_is_a_value_error(line: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  whatever the parser says
        from_line(line)
