"""The pipeline's benchmark measures what it says, and refuses a run that lost something."""

from __future__ import annotations

from typing import Any

import pytest

from bench.pipeline import NotWhole, Size, measure_size, percentile, require_the_same, require_whole
from consumers.registry import REGISTRY

NAMES = [spec.name for spec in REGISTRY]


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_every_consumer_is_measured() -> None:
    figures = {
        figure.name: figure for figure in measure_size(Size(3.0, 300, ("search", "metrics")))
    }
    for name in NAMES:
        median = figures[f"{name}, freshness p50 at 100 changes/s"]
        high = figures[f"{name}, freshness p99 at 100 changes/s"]
        # The parts are of the same changes: none is longer than the whole.
        assert 0 < median.detail["invocation ms"] <= median.value <= high.value
        assert figures[f"{name}, all five at once"].value > 0
    for name in ("CPU at 100 changes/s", "search, alone", "totals, all five at once"):
        cpu = figures[name].detail
        assert cpu["mapping"] > 0
        assert cpu["aws"] > 0
        workers = {each for each in cpu if each.startswith("worker ")}
        alone = name == "search, alone"
        assert workers == {f"worker {each}" for each in (["search"] if alone else NAMES)}
    against = figures["search alone, against a plain bulk loader"]
    ratio = against.detail["documents/s"] / against.detail["loader documents/s"]
    assert against.value == pytest.approx(ratio)


def whole() -> dict[str, Any]:
    return {
        "written": 10,
        "findings": dict.fromkeys(NAMES, 0),
        "taken": {"audit": 10, "cache": 10, "metrics": 8, "search": 5, "totals": 5},
    }


def test_a_whole_run_counts() -> None:
    require_whole(whole(), NAMES)


@pytest.mark.parametrize(
    ("part", "consumer", "count"),
    [
        ("findings", "metrics", 1),
        ("taken", "audit", 9),
        ("taken", "cache", 9),
        ("taken", "search", 0),
    ],
)
def test_a_run_that_lost_something_does_not_count(part: str, consumer: str, count: int) -> None:
    found = whole()
    found[part][consumer] = count
    with pytest.raises(NotWhole, match=consumer):
        require_whole(found, NAMES)


def test_a_consumer_that_takes_less_alone_does_not_count() -> None:
    alone = {"metrics": {"taken": {"metrics": 8}}}
    require_the_same(whole(), alone)
    alone["metrics"]["taken"]["metrics"] = 7
    with pytest.raises(NotWhole, match="metrics"):
        require_the_same(whole(), alone)


def test_percentiles() -> None:
    values = [float(value) for value in range(100, 0, -1)]
    assert percentile(values, 0.5) == 51
    assert percentile(values, 0.99) == 100
    assert percentile([7.0], 0.99) == 7
