"""The verified pipeline is one: every projection has something to compare, and damage shows."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import verify
from bench.filled import filled
from bench.side import SideFailed
from tests.support import search

ITEMS = 300


@pytest.mark.slow
def test_all_projections_are_compared_and_none_is_empty(tmp_path: Path) -> None:
    with filled(ITEMS, tmp_path) as deployment:
        found = verify.verified(tmp_path)
        checked = found["checked"]
        orders = scores = ITEMS // 2
        totals = -(-scores // 50)
        assert checked["audit"] == orders + scores + totals
        assert checked["search"] == orders
        assert checked["cache"] == orders // 10
        assert checked["totals"] == scores + totals
        assert checked["metrics"] > orders + scores
        assert found["peak_mb"] > 10
        stages = found["stages"]
        assert set(stages) == {"reading the table", *checked}
        assert sum(each["seconds"] for each in stages.values()) == pytest.approx(
            found["seconds"], rel=0.05
        )
        figures = [verify._whole(ITEMS, found), *verify._shares(found)]
        assert figures[0].value == pytest.approx(ITEMS / found["seconds"])
        assert sum(each.value for each in figures[1:]) == pytest.approx(1, rel=0.05)
        search.wipe(deployment.search_url)
        with pytest.raises(SideFailed):
            verify.verified(tmp_path)
