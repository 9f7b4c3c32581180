"""What analysts look at: orders by status, revenue, durations of steps, scores.

The dimensions are those of `consumers.metrics.series`; a new payment method or difficulty shows
up by itself.
"""

from typing import Any

from consumers.metrics import series
from consumers.metrics.series import Series
from consumers.metrics.workflow import STEPS
from dashboards import widgets
from dashboards.deployed import Deployed
from dashboards.widgets import Metric, bars, graph, metric, search
from shared import metric_names
from shared.metric_names import MetricName

# Any value gives the series' dimensions: only their names are used.
_ORDERS = series.orders_paid_by("-")
_SCORES = series.scores_at("-")
_PERIOD = 300


def business(at: Deployed) -> dict[str, Any]:
    """The dashboard's body."""
    region = at.region
    return widgets.body(
        [
            widgets.text("# Orders"),
            graph("Orders created, by payment", region, [_all(_ORDERS, "Sum")], period=_PERIOD),
            graph(
                "Revenue of new orders, by payment",
                region,
                [_all(_ORDERS, "Sum", value=True)],
                period=_PERIOD,
                stacked=True,
            ),
            graph(
                "Order value, median", region, [_all(_ORDERS, "p50", value=True)], period=_PERIOD
            ),
            bars("Orders by status reached", region, _by_status()),
            graph("Workflows started and ended", region, _workflows(), period=_PERIOD),
            bars("Steps that failed", region, _steps(success=False)),
            widgets.text("# How long it takes"),
            graph("Steps, median", region, _durations("p50"), unit="ms", width=12, period=_PERIOD),
            graph("Steps, p90", region, _durations("p90"), unit="ms", width=12, period=_PERIOD),
            graph(
                "From creation to the end",
                region,
                [
                    _value(series.ended_series(success=success), stat, f"{label}, {stat}")
                    for success, label in ((True, "completed"), (False, "failed"))
                    for stat in ("p50", "p90")
                ],
                unit="ms",
                width=24,
                period=_PERIOD,
            ),
            widgets.text("# Scores"),
            graph("Scores submitted, by difficulty", region, [_all(_SCORES, "Sum")], width=12),
            graph("Score, median", region, [_all(_SCORES, "p50", value=True)], width=12),
        ]
    )


def _all(kind: Series, statistic: str, *, value: bool = False) -> Metric:
    """Every value that the series' dimensions take."""
    name = kind.value if value else kind.count
    assert name is not None
    return search(metric_names.BUSINESS, kind.dimensions, name.name, statistic, _PERIOD)


def _of(name: MetricName, kind: Series, statistic: str, label: str) -> Metric:
    return metric(metric_names.BUSINESS, name.name, kind.dimensions, statistic, label)


def _count(kind: Series, label: str) -> Metric:
    return _of(kind.count, kind, "Sum", label)


def _value(kind: Series, statistic: str, label: str) -> Metric:
    assert kind.value is not None
    return _of(kind.value, kind, statistic, label)


def _by_status() -> list[Metric]:
    """How many orders came through each step; what came last is where they stand now."""
    return [_count(series.STARTED, "started"), *_steps(success=True)]


def _workflows() -> list[Metric]:
    return [
        _count(series.STARTED, "started"),
        _count(series.ended_series(success=True), "completed"),
        _count(series.ended_series(success=False), "failed"),
    ]


def _steps(*, success: bool) -> list[Metric]:
    return [_count(series.step_series(step, success=success), step.lower()) for step in STEPS]


def _durations(statistic: str) -> list[Metric]:
    return [
        _value(series.step_series(step, success=True), statistic, step.lower()) for step in STEPS
    ]
