"""The observability stack: who is told, alarms, dashboards, saved queries, the archive's table."""

import json
from collections.abc import Sequence

from aws_cdk import Aws, CfnOutput, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions

from dashboards.deployed import Deployed
from dashboards.generate import dashboards
from infra.aws import alarms, catalogue
from infra.aws.alarms import Audience
from infra.aws.consumer import Consumer
from infra.aws.data import Data
from infra.aws.names import Names
from infra.aws.stage import Context

# Saved in Logs Insights. Batches are EMF lines (shared/telemetry.py), failures Powertools'.
QUERIES = {
    "failures-by-reason": (
        "filter level = 'ERROR' | stats count(*) as records by service, outcome, error, reason, "
        "hint, cause | sort records desc"
    ),
    "slowest-batches": (
        "filter ispresent(BatchDuration) | sort BatchDuration desc | limit 50 "
        "| display @timestamp, Consumer, BatchDuration, Records, Operations, requestId"
    ),
    "trail-of-a-sequence-number": (
        "filter sequenceNumber = '...' or (firstSequenceNumber <= '...' and "
        "lastSequenceNumber >= '...') | sort @timestamp | display @timestamp, @logStream, @message"
    ),
    "cold-starts": (
        "filter @type = 'REPORT' and ispresent(@initDuration) | stats count(*) as starts, "
        "pct(@initDuration, 50) as p50, pct(@initDuration, 99) as p99 by @log"
    ),
    "memory-used": (
        "filter @type = 'REPORT' | stats max(@maxMemoryUsed) / 1e6 as used, "
        "max(@memorySize) / 1e6 as given by @log"
    ),
}


def build(
    stack: Stack, context: Context, names: Names, consumers: Sequence[Consumer], data: Data
) -> None:
    """Make all of it."""
    topic_arn = context.topicArn or _topic(stack, context, names, data)
    audience = Audience(topic_arn, context.repository, names)
    for each in consumers:
        alarms.build(stack, each.spec, each.mapping_id, audience)
    _dashboards(stack, context, names, consumers, data)
    groups = [names.log_group(each.spec.name) for each in consumers]
    for title, query in QUERIES.items():
        logs.CfnQueryDefinition(
            stack,
            f"Logs{title.title().replace('-', '')}",
            name=f"{names.prefix}/{title}",
            query_string=query,
            log_group_names=groups,
        )
    catalogue.build(stack, names, data)


def _topic(stack: Stack, context: Context, names: Names, data: Data) -> str:
    key = kms.Key.from_key_arn(stack, "Key", data.reach.own_key_arn)
    topic = sns.Topic(
        stack,
        "Alarms",
        topic_name=names.of("alarms"),
        display_name=f"Fanout {names.stage}",
        master_key=key,
        enforce_ssl=True,
    )
    if context.alarmEmail:
        topic.add_subscription(subscriptions.EmailSubscription(context.alarmEmail))
    CfnOutput(stack, "AlarmTopic", value=topic.topic_arn, description="Subscribe your pager here")
    return str(topic.topic_arn)


def _dashboards(
    stack: Stack, context: Context, names: Names, consumers: Sequence[Consumer], data: Data
) -> None:
    at = Deployed(
        names=names,
        region=Aws.REGION,
        alarm_arn_start=(f"arn:{Aws.PARTITION}:cloudwatch:{Aws.REGION}:{Aws.ACCOUNT_ID}:alarm:"),
        table=data.settings["table"],
        ledger=data.settings["ledger_table"],
        stream=data.stream_name,
        bucket=data.settings["archive_bucket"],
        mapping_ids={each.spec.name: each.mapping_id for each in consumers},
        repository=context.repository,
    )
    for subject, body in dashboards([each.spec for each in consumers], at).items():
        cloudwatch.CfnDashboard(
            stack,
            f"Dashboard{subject.title()}",
            dashboard_name=names.dashboard(subject),
            dashboard_body=json.dumps(body, separators=(",", ":")),
        )
