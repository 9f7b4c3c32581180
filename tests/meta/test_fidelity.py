"""Every difference in `docs/fidelity.md` names a test that exists, and none is missing there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "fidelity.md").read_text(encoding="utf-8")
NAMED = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE)
DIFFERENCES = "tests/real/test_differences.py"


def defined(path: str) -> set[str]:
    """The tests in a file."""
    return set(re.findall(r"^def (test_\w+)\(", (ROOT / path).read_text("utf-8"), re.MULTILINE))


def rows() -> list[str]:
    """The rows of all tables that have a column of tests."""
    found: list[str] = []
    tested = False
    for line in PAGE.splitlines():
        if not line.startswith("|"):
            tested = False
        elif line.rstrip().endswith("| test |"):
            tested = True
        elif tested and not line.startswith("|--"):
            found.append(line)
    return found


@pytest.mark.parametrize(("path", "name"), sorted(set(NAMED)))
def test_the_named_test_exists(path: str, name: str) -> None:
    assert (ROOT / path).is_file(), f"no file {path}"
    assert name in defined(path), f"no {name} in {path}"


def test_every_row_ends_with_its_test() -> None:
    assert len(rows()) > 20
    for row in rows():
        assert re.search(r"`tests/[\w/]+\.py::\w+` \|$", row), row


def test_every_difference_that_is_tested_is_told() -> None:
    assert {name for path, name in NAMED if path == DIFFERENCES} == defined(DIFFERENCES)


def cases() -> list[int]:
    """The numbers of the event source mapping's cases."""
    return [int(number) for number in re.findall(r"^\| (\d+) \|", PAGE, re.MULTILINE)]


def test_every_case_of_the_event_source_mapping_is_a_test() -> None:
    assert cases() == list(range(1, 27))


def test_no_recorded_case_is_missing(shared_testdata: Path) -> None:
    recorded = (shared_testdata / "esm_cases.md").read_text(encoding="utf-8")
    assert cases() == [int(n) for n in re.findall(r"^\| (\d+) \|", recorded, re.MULTILINE)]


def test_files_and_folders_that_are_named_exist() -> None:
    for path in re.findall(r"`((?:tests|infra)/[\w/.]+)`", PAGE):
        assert (ROOT / path).exists(), path
