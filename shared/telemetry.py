"""One line per batch: its metrics in EMF, which is also its structured log line.

The properties beside the metrics (request, range of sequence numbers) are searchable in Logs
Insights and cost no metric, so a second log line for the same batch would say nothing new.
"""

from collections.abc import Sequence
from typing import NamedTuple

from shared import emf, metric_names
from shared.emf import Metric
from shared.errors import shown
from shared.metric_names import MetricName


class BatchReport(NamedTuple):
    """What is known of a batch once it has ended; times in milliseconds."""

    consumer: str
    timestamp_ms: int
    duration_ms: float
    records: int
    operations: int
    parked: int
    retried: int
    conflicts: int
    freshness_ms: Sequence[int] = ()
    request_id: str = ""
    first_sequence_number: str = ""
    last_sequence_number: str = ""


def write_report(report: BatchReport) -> None:
    """Print the batch's line to stdout."""
    metrics = [
        _metric(metric_names.RECORDS, report.records),
        _metric(metric_names.OPERATIONS, report.operations),
        _metric(metric_names.PARKED, report.parked),
        _metric(metric_names.RETRIED, report.retried),
        _metric(metric_names.CONFLICTS, report.conflicts),
        _metric(metric_names.BATCH_DURATION, round(report.duration_ms, 3)),
    ]
    if report.freshness_ms:
        metrics.append(_metric(metric_names.FRESHNESS, *report.freshness_ms))
    emf.write(
        emf.documents(
            metric_names.PIPELINE,
            report.timestamp_ms,
            {metric_names.CONSUMER: report.consumer},
            metrics,
            {
                "requestId": report.request_id,
                "firstSequenceNumber": shown(report.first_sequence_number),
                "lastSequenceNumber": shown(report.last_sequence_number),
            },
        )
    )


def _metric(metric: MetricName, *values: float) -> Metric:
    return Metric(metric.name, metric.unit, values)
