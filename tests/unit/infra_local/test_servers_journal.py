"""The journal alone: torn ends, damage, compaction, and a disk that takes no more."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NoReturn

import pytest

from infra.local.servers.aws import journal as journal_module
from infra.local.servers.aws.journal import DamagedJournal, Journal, Operation

NOW = 1_800_000_000.0
HOURS = 3600.0


class Numbers:
    """A keeper of named numbers: `["put", name, number]`."""

    names = frozenset({"put"})

    def __init__(self) -> None:
        self.state: dict[str, Any] = {}
        self.applied: list[Operation] = []
        self.noticed: list[Operation] = []
        self.finished = False

    def apply(self, operation: Operation) -> None:
        self.applied.append(operation)
        self.state[operation[1]] = operation[2]

    def finish(self) -> None:
        self.finished = True

    def changes(self) -> Iterable[Operation]:
        noticed, self.noticed = self.noticed, []
        return noticed

    def dump(self) -> Iterable[Operation]:
        return [["put", name, number] for name, number in self.state.items()]


class GaveUp(Exception):
    pass


def give_up(reason: str) -> NoReturn:
    raise GaveUp(reason)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.ndjson"


def opened(path: Path, now: float = NOW) -> tuple[Journal, Numbers]:
    numbers = Numbers()
    journal = Journal(path, clock=lambda: now, give_up=give_up)
    journal.open([numbers])
    return journal, numbers


def write(path: Path, *puts: tuple[str, Any], now: float = NOW) -> None:
    """Each put as a request of its own; the file is left as SIGKILL leaves it."""
    journal, _ = opened(path, now)
    for put in puts:
        journal.append(["put", *put])
        journal.commit(look=False)


def test_one_commit_is_one_line_and_one_write(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal, numbers = opened(path)
    writes: list[int] = []
    real = os.write

    def counted(fd: int, data: memoryview) -> int:
        writes.append(fd)
        return real(fd, data)

    monkeypatch.setattr(os, "write", counted)
    journal.append(["put", "a", 1])
    journal.append(["put", "b", 2])
    numbers.noticed = [["put", "c", 3]]
    journal.commit(look=False)
    journal.commit(look=False)
    assert len(writes) == 1
    journal.commit(look=True)
    monkeypatch.undo()
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert lines == [
        [NOW * 1000, [["put", "a", 1], ["put", "b", 2]]],
        [NOW * 1000, [["put", "c", 3]]],
    ]
    _, again = opened(path)
    assert again.state == {"a": 1, "b": 2, "c": 3}
    assert again.finished


@pytest.mark.parametrize("cut", range(1, 32))
def test_a_torn_last_line_is_as_if_never_written(path: Path, cut: int) -> None:
    write(path, ("a", 1))
    whole = path.read_bytes()
    write(path, ("b", 2))
    path.write_bytes(path.read_bytes()[:-cut])
    assert path.stat().st_size > len(whole)
    _, numbers = opened(path)
    assert numbers.state == {"a": 1}
    assert path.read_bytes() == whole
    # What is written next must not join the torn piece.
    write(path, ("c", 3))
    _, numbers = opened(path)
    assert numbers.state == {"a": 1, "c": 3}


def test_damage_in_the_middle_is_not_guessed_over(path: Path) -> None:
    write(path, ("a", 1), ("b", 2), ("c", 3))
    lines = path.read_bytes().splitlines(keepends=True)
    damaged = b"".join([lines[0], lines[1][:-5] + b"\n", lines[2]])
    path.write_bytes(damaged)
    with pytest.raises(DamagedJournal, match=f"at byte {len(lines[0])}"):
        opened(path)
    assert path.read_bytes() == damaged


def test_an_operation_of_another_version_is_refused(path: Path) -> None:
    write(path, ("a", 1))
    path.write_text(path.read_text().replace('"put"', '"move"'))
    with pytest.raises(DamagedJournal, match="another version of Fanout"):
        opened(path)


def test_text_that_is_no_unicode_comes_back(path: Path) -> None:
    write(path, ("a", "\ud800"), ("b", "é\n\u2028"))
    _, numbers = opened(path)
    assert numbers.state == {"a": "\ud800", "b": "é\n\u2028"}


def test_old_lines_become_the_state_they_led_to(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_module, "COMPACT_FROM_BYTES", 1000)
    write(path, *(("a", number) for number in range(100)), now=NOW - 25 * HOURS)
    write(path, ("b", 1), ("b", 2), now=NOW - 23 * HOURS)
    before = path.stat().st_size
    _, numbers = opened(path)
    assert numbers.state == {"a": 99, "b": 2}
    assert path.stat().st_size < before / 10
    _, numbers = opened(path)
    assert numbers.applied == [["put", "a", 99], ["put", "b", 1], ["put", "b", 2]]
    write(path, ("c", 3))
    _, numbers = opened(path)
    assert numbers.state == {"a": 99, "b": 2, "c": 3}
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_a_journal_that_is_old_from_end_to_end_is_compacted_too(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_module, "COMPACT_FROM_BYTES", 1000)
    write(path, *(("a", number) for number in range(100)), now=NOW - 25 * HOURS)
    path.write_bytes(path.read_bytes() + b"[torn")
    opened(path)
    _, numbers = opened(path)
    assert numbers.applied == [["put", "a", 99]]


def test_little_to_gain_is_left_alone(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_module, "COMPACT_FROM_BYTES", 1000)
    write(path, *(("a", number) for number in range(100)), now=NOW - 25 * HOURS)
    write(path, *(("b", number) for number in range(200)))
    before = path.read_bytes()
    opened(path)
    assert path.read_bytes() == before


def test_a_disk_that_takes_no_more_ends_the_server(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal, _ = opened(path)

    def full(_fd: int, _data: memoryview) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    journal.append(["put", "a", 1])
    with pytest.raises(GaveUp, match="No space left"):
        journal.commit(look=False)


def test_a_write_that_the_kernel_takes_in_pieces_is_whole(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal, _ = opened(path)
    real = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: real(fd, data[:7]))
    journal.append(["put", "a", "long enough"])
    journal.commit(look=False)
    monkeypatch.undo()
    _, numbers = opened(path)
    assert numbers.state == {"a": "long enough"}
