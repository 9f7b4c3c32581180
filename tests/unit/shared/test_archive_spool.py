"""Sorting outside of memory."""

import tempfile
from collections import defaultdict
from pathlib import Path

import pytest

from shared.archive_spool import BUCKETS, Spool


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("buffer_bytes", [1, 100, 1_000, 1_000_000])
def test_rows_of_a_key_come_together_in_their_order(folder: Path, buffer_bytes: int) -> None:
    expected = defaultdict(list)
    with Spool(buffer_bytes) as spool:
        for number in range(2_000):
            key = b"key-%d" % (number * 7919 % 600)
            row = b"%s %d" % (key, number)
            expected[key].append(row)
            spool.add(key, row + b"\n")
        groups = list(spool.groups())
    found: dict[bytes, list[bytes]] = {}
    for group in groups:
        in_group = defaultdict(list)
        for row in group:
            in_group[row.split()[0]].append(row)
        assert not in_group.keys() & found.keys(), "a key in two groups"
        found |= in_group
    assert found == expected


def test_groups_are_small() -> None:
    with Spool() as spool:
        for number in range(20_000):
            spool.add(b"key-%d" % number, b"%d\n" % number)
        sizes = [len(group) for group in spool.groups()]
    assert sum(sizes) == 20_000
    assert max(sizes) < 3 * 20_000 / BUCKETS


def test_nothing_lies_about_while_it_works(folder: Path) -> None:
    with Spool(buffer_bytes=10) as spool:
        spool.add(b"a", b"more than ten bytes\n")
        assert spool._file is not None
        assert list(folder.iterdir()) == []
        file = spool._file
    assert file.closed


def test_small_amounts_never_touch_the_disk() -> None:
    with Spool() as spool:
        spool.add(b"a", b"row\n")
        assert list(spool.groups()) == [[b"row"]]
        assert spool._file is None


def test_nothing_in_nothing_out() -> None:
    with Spool() as spool:
        assert list(spool.groups()) == []
