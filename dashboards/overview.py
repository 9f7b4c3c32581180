"""The overview: every consumer on one page, then what the pipeline costs."""

from collections.abc import Sequence
from typing import Any

from dashboards import widgets
from dashboards.deployed import Deployed
from dashboards.widgets import Metric, graph, metric
from shared import metric_names
from shared.metric_names import MetricName
from shared.spec import ConsumerSpec

ALL = "all"


def overview(specs: Sequence[ConsumerSpec], at: Deployed) -> dict[str, Any]:
    """The dashboard's body."""
    names, region = at.names, at.region

    def each(name: MetricName, statistic: str) -> list[Metric]:
        return [
            metric(
                metric_names.PIPELINE,
                name.name,
                {metric_names.CONSUMER: spec.name},
                statistic,
                spec.name,
            )
            for spec in specs
        ]

    def of_functions(name: str, statistic: str) -> list[Metric]:
        return [
            metric("AWS/Lambda", name, {"FunctionName": names.function(s.name)}, statistic, s.name)
            for s in specs
        ]

    queues = [
        metric(
            "AWS/SQS",
            "ApproximateNumberOfMessagesVisible",
            {"QueueName": names.queue(spec.name)},
            "Maximum",
            spec.name,
        )
        for spec in specs
    ]
    return widgets.body(
        [
            widgets.alarms("Consumers", [at.alarm_arn(spec.name, ALL) for spec in specs]),
            graph("Freshness, p99", region, each(metric_names.FRESHNESS, "p99"), unit="ms"),
            graph("Records a minute", region, each(metric_names.RECORDS, "Sum")),
            graph("Iterator age", region, of_functions("IteratorAge", "Maximum"), unit="ms"),
            graph("Failed invocations", region, of_functions("Errors", "Sum")),
            graph("Records retried", region, each(metric_names.RETRIED, "Sum")),
            graph("Dead letters", region, queues),
            widgets.text(
                "## What it costs\n\n`fanout cost` gives prices; these are what drives them."
            ),
            graph(
                "Lambda: time billed, about",
                region,
                of_functions("Duration", "Sum"),
                unit="ms",
                stacked=True,
            ),
            graph("Table and ledger: write units", region, _writes(at), stacked=True),
            graph("Kinesis and archive", region, _volumes(at)),
        ]
    )


def _writes(at: Deployed) -> list[Metric]:
    unit = "ConsumedWriteCapacityUnits"
    return [
        metric("AWS/DynamoDB", unit, {"TableName": table}, "Sum", label)
        for label, table in (("table", at.table), ("ledger", at.ledger))
    ]


def _volumes(at: Deployed) -> list[Metric]:
    stream = {"StreamName": at.stream}
    kinesis = [
        metric("AWS/Kinesis", "IncomingBytes", stream, "Sum", "bytes into Kinesis"),
        metric("AWS/Kinesis", "GetRecords.Bytes", stream, "Sum", "bytes out of Kinesis"),
    ]
    stored = {"BucketName": at.bucket, "StorageType": "StandardStorage"}
    archive = metric("AWS/S3", "BucketSizeBytes", stored, "Average", "archive, bytes")
    return [*(kinesis if at.stream else ()), archive]
