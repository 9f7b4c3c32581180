"""Widgets of CloudWatch dashboards (API reference, "Dashboard body structure"), as dictionaries."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Widget = dict[str, Any]
Metric = list[Any]

WIDTH = 24
HEIGHT = 6


def metric(
    namespace: str, name: str, dimensions: Mapping[str, str], statistic: str, label: str = ""
) -> Metric:
    """One line of a graph."""
    options = {"stat": statistic, **({"label": label} if label else {})}
    flat = [part for pair in dimensions.items() for part in pair]
    return [namespace, name, *flat, options]


def search(
    namespace: str, dimensions: Iterable[str], name: str, statistic: str, period: int = 300
) -> Metric:
    """A line for every value that the dimensions have by then."""
    schema = ",".join((f'"{namespace}"', *dimensions))
    expression = f"SEARCH('{{{schema}}} MetricName=\"{name}\"', '{statistic}', {period})"
    return [{"expression": expression}]


def graph(
    title: str,
    region: str,
    metrics: Sequence[Metric],
    *,
    width: int = 8,
    period: int = 60,
    unit: str = "",
    limit: tuple[str, float] | None = None,
    stacked: bool = False,
) -> Widget:
    """A graph over time. `limit`: a line across it, with its label."""
    properties: dict[str, Any] = {
        "title": title,
        "region": region,
        "view": "timeSeries",
        "stacked": stacked,
        "period": period,
        "metrics": [*metrics],
        "yAxis": {"left": {"min": 0, **({"label": unit, "showUnits": False} if unit else {})}},
    }
    if limit:
        properties["annotations"] = {"horizontal": [{"label": limit[0], "value": limit[1]}]}
    return _widget("metric", width, HEIGHT, properties)


def bars(title: str, region: str, metrics: Sequence[Metric], *, width: int = 8) -> Widget:
    """One bar a line, over the whole time that is shown."""
    properties = {
        "title": title,
        "region": region,
        "view": "bar",
        "metrics": [*metrics],
        "setPeriodToTimeRange": True,
    }
    return _widget("metric", width, HEIGHT, properties)


def alarms(title: str, arns: Sequence[str], *, width: int = WIDTH) -> Widget:
    """The state of alarms, one field each."""
    height = 2 + (len(arns) + 5) // 6
    return _widget("alarm", width, height, {"title": title, "alarms": [*arns]})


def logs(
    title: str, region: str, groups: Sequence[str], query: str, *, width: int = WIDTH
) -> Widget:
    """A table with what a Logs Insights query finds."""
    source = " | ".join(f"SOURCE '{group}'" for group in groups)
    properties = {
        "title": title,
        "region": region,
        "view": "table",
        "query": f"{source} | {query}",
    }
    return _widget("log", width, HEIGHT, properties)


def text(markdown: str, *, height: int = 2) -> Widget:
    """Words, over the whole width."""
    return _widget("text", WIDTH, height, {"markdown": markdown})


def body(widgets: Iterable[Widget]) -> dict[str, Any]:
    """A dashboard: the widgets from left to right, in rows as high as their highest."""
    placed = []
    x = y = row = 0
    for widget in widgets:
        if x + widget["width"] > WIDTH:
            x, y, row = 0, y + row, 0
        placed.append({**widget, "x": x, "y": y})
        x += widget["width"]
        row = max(row, widget["height"])
    return {"start": "-PT6H", "periodOverride": "inherit", "widgets": placed}


def _widget(kind: str, width: int, height: int, properties: dict[str, Any]) -> Widget:
    return {"type": kind, "width": width, "height": height, "properties": properties}
