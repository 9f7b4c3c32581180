"""What the simulations share."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.simulation.day import quick_folder


@pytest.fixture
def folder() -> Iterator[Path]:
    """For checkpoints; in memory where that is possible."""
    with tempfile.TemporaryDirectory(dir=quick_folder()) as name:
        yield Path(name)
