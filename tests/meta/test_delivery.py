"""Every promise in the delivery guarantees names a test that exists."""

import re
from pathlib import Path

import pytest

from consumers.registry import REGISTRY

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "delivery.md").read_text()
NAMED = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", PAGE)


@pytest.mark.parametrize(("path", "name"), NAMED)
def test_the_named_test_exists(path: str, name: str) -> None:
    assert (ROOT / path).is_file(), f"no file {path}"
    if name:
        assert re.search(rf"def {name}\(", (ROOT / path).read_text()), f"no {name} in {path}"


def test_every_row_names_a_test() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("|")]
    promises = [row for row in rows if not row.startswith(("| fault", "|---"))]
    assert len(promises) > 30
    for row in promises:
        assert "`tests/" in row, row


def test_every_consumer_has_its_section() -> None:
    for spec in REGISTRY:
        assert f"\n## {spec.name}\n" in PAGE
