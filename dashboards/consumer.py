"""One consumer's page: is it fresh, is it working, what fails, and what to do."""

from typing import Any

from dashboards import widgets
from dashboards.deployed import Deployed
from dashboards.widgets import Metric, graph, metric
from infra.aws.names import runbook_link
from shared import metric_names
from shared.metric_names import MetricName
from shared.spec import ConsumerSpec

# Powertools' fields, and ours: see shared/failures.py.
FAILURES = (
    "filter level = 'ERROR' | stats count(*) as records by outcome, error, reason, hint "
    "| sort records desc | limit 20"
)


def consumer(spec: ConsumerSpec, at: Deployed) -> dict[str, Any]:
    """The dashboard's body."""
    name, region = spec.name, at.region

    def ours(which: MetricName, statistic: str, label: str = "") -> Metric:
        dimensions = {metric_names.CONSUMER: name}
        return metric(metric_names.PIPELINE, which.name, dimensions, statistic, label or which.name)

    def function(which: str, statistic: str, label: str = "") -> Metric:
        dimensions = {"FunctionName": at.names.function(name)}
        return metric("AWS/Lambda", which, dimensions, statistic, label or which)

    def mapping(which: str) -> Metric:
        dimensions = {"EventSourceMappingUUID": at.mapping_ids[name]}
        return metric("AWS/Lambda", which, dimensions, "Sum", which)

    freshness = [ours(metric_names.FRESHNESS, stat, stat) for stat in ("p50", "p90", "p99")]
    durations = [ours(metric_names.BATCH_DURATION, stat, stat) for stat in ("p50", "p99")]
    outcomes = (
        metric_names.PARKED,
        metric_names.RETRIED,
        metric_names.CONFLICTS,
    )
    queue = {"QueueName": at.names.queue(name)}
    depth = metric("AWS/SQS", "ApproximateNumberOfMessagesVisible", queue, "Maximum", "waiting")
    age = metric("AWS/SQS", "ApproximateAgeOfOldestMessage", queue, "Maximum", "oldest, seconds")
    all_names = [alarm.name for alarm in spec.alarms] + [burn.name for burn in spec.burn_rates]
    links = ", ".join(f"[{each}]({runbook_link(at.repository, each)})" for each in all_names)
    return widgets.body(
        [
            widgets.text(
                f"# {name}\n\n{spec.purpose} Writes to: {spec.destination}. "
                f"Reads from: {spec.source.value}. Runbook: {links}",
                height=3,
            ),
            widgets.alarms("Alarms", [at.alarm_arn(name, each) for each in all_names]),
            graph(
                "Freshness",
                region,
                freshness,
                unit="ms",
                limit=(f"{spec.freshness.target:.0%} within", spec.freshness.within_ms),
            ),
            graph(
                "Records and operations",
                region,
                [ours(metric_names.RECORDS, "Sum"), ours(metric_names.OPERATIONS, "Sum")],
            ),
            graph("Not written at once", region, [ours(which, "Sum") for which in outcomes]),
            graph("Time for a batch", region, durations, unit="ms"),
            graph(
                "Function",
                region,
                [function(which, "Sum") for which in ("Invocations", "Errors", "Throttles")],
            ),
            graph(
                "Concurrency and iterator age",
                region,
                [function("ConcurrentExecutions", "Maximum"), function("IteratorAge", "Maximum")],
            ),
            graph(
                "Event source mapping",
                region,
                [
                    mapping(f"{which}EventCount")
                    for which in ("Polled", "FilteredOut", "Invoked", "FailedInvoke", "Dropped")
                ],
                width=12,
            ),
            graph("Dead letters", region, [depth, age], width=12),
            widgets.logs("Failures", region, [at.names.log_group(name)], FAILURES),
        ]
    )
