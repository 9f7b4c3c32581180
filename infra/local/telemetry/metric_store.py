"""Metric values by time, as much of them as the longest alarm looks back."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Document = Mapping[str, Any]
Key = tuple[str, str]  # metric name, consumer


@dataclass(slots=True)
class _Series:
    times: list[float] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    total: float = 0.0
    count: int = 0


class MetricStore:
    """Samples of metrics, each with the consumer as its one dimension.

    Times are seconds since the epoch. Holds `keep_seconds` of samples; totals are for ever.
    """

    def __init__(self, keep_seconds: float) -> None:
        """An empty store."""
        self._keep = keep_seconds
        self._series: dict[Key, _Series] = defaultdict(_Series)

    def put(self, metric: str, consumer: str, time: float, value: float) -> None:
        """Add one sample."""
        series = self._series[metric, consumer]
        # Batches end out of order now and then; the lists stay sorted by time.
        place = len(series.times)
        if series.times and time < series.times[-1]:
            place = bisect_left(series.times, time)
        series.times.insert(place, time)
        series.values.insert(place, value)
        series.total += value
        series.count += 1
        if series.times[0] < time - 2 * self._keep:
            cut = bisect_left(series.times, time - self._keep)
            del series.times[:cut], series.values[:cut]

    def put_document(self, document: Document) -> None:
        """Add all metrics of an EMF document whose dimension is a consumer."""
        header = document["_aws"]
        time = header["Timestamp"] / 1000
        for directive in header["CloudWatchMetrics"]:
            for dimensions in directive["Dimensions"]:
                if dimensions != ["Consumer"]:
                    continue
                for definition in directive["Metrics"]:
                    found = document[definition["Name"]]
                    for value in found if isinstance(found, list) else (found,):
                        self.put(definition["Name"], document["Consumer"], time, value)

    def window(self, metric: str, consumer: str, start: float, end: float) -> Sequence[float]:
        """The samples with start <= time < end, oldest first."""
        series = self._series.get((metric, consumer))
        if series is None:
            return ()
        return series.values[bisect_left(series.times, start) : bisect_left(series.times, end)]

    def total(self, metric: str, consumer: str) -> float:
        """The sum of all samples ever put."""
        series = self._series.get((metric, consumer))
        return series.total if series else 0.0

    def latest(self, metric: str, consumer: str) -> float | None:
        """The newest sample, or None."""
        series = self._series.get((metric, consumer))
        return series.values[-1] if series and series.values else None
