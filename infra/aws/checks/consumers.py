"""Every consumer is whole: mapping, filters, dead letters, failures that are announced, alarms."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from infra.aws.checks.template import Resource, Templates, of_type, text, texts
from infra.aws.names import Names
from infra.aws.sources import MOST_READERS
from shared.alarms import Alarm, BurnRate
from shared.errors import InvalidFilter
from shared.filter_kinesis import compile_kinesis_filters
from shared.filters import compile_filters
from shared.spec import ConsumerSpec, Source

_FORTNIGHT = 1_209_600


def faults(templates: Templates, specs: Sequence[ConsumerSpec], names: Names) -> Iterator[str]:
    """What a consumer lacks, or would be refused."""
    mappings = dict(of_type(templates, "AWS::Lambda::EventSourceMapping"))
    yield from _crowds(mappings, templates)
    for spec in specs:
        mapping = mappings.get(f"{spec.name.title()}Mapping")
        if mapping is None:
            yield f"{spec.name}: no event source mapping"
            continue
        for fault in (
            *_mapping_faults(spec, mapping),
            *_letter_faults(spec, mapping, templates, names),
            *_alarm_faults(spec, templates, names),
        ):
            yield f"{spec.name}: {fault}"


def _crowds(mappings: dict[str, Resource], templates: Templates) -> Iterator[str]:
    """Sources with more readers than they bear. Readers with fan-out have a source each."""
    registered = {name for name, _ in of_type(templates, "AWS::Kinesis::StreamConsumer")}
    streams = Counter(
        source
        for source in (text(each["EventSourceArn"]) for each in mappings.values())
        if source.strip("<>").partition(".")[0] not in registered
    )
    for source, readers in streams.items():
        kind = Source.STREAM if _is_table_stream(source) else Source.KINESIS
        if readers > MOST_READERS[kind]:
            yield f"{source}: {readers} readers, and it serves {MOST_READERS[kind]}"


def _is_table_stream(source: str) -> bool:
    return "StreamArn" in source or "/stream/" in source


def _mapping_faults(spec: ConsumerSpec, mapping: Resource) -> Iterator[str]:
    age = mapping["MaximumRecordAgeInSeconds"]
    if age != -1 and age < 60:
        yield f"record age {age} s, and Lambda takes 60 or more"
    if mapping.get("FunctionResponseTypes") != ["ReportBatchItemFailures"]:
        yield "its mapping does not ask which records failed"
    if mapping.get("MetricsConfig") != {"Metrics": ["EventCount"]}:
        yield "its mapping counts no events, so its alarm on dropped records is blind"
    if (spec.source is Source.STREAM) != _is_table_stream(text(mapping["EventSourceArn"])):
        yield f"its mapping does not read from {spec.source.value}"
    patterns = [each["Pattern"] for each in mapping.get("FilterCriteria", {}).get("Filters", ())]
    if len(patterns) != len(spec.filters):
        yield f"{len(spec.filters)} filters declared, {len(patterns)} deployed"
    try:
        if spec.source is Source.STREAM:
            compile_filters(patterns)
            return
        compile_kinesis_filters(patterns)
    except InvalidFilter as error:
        yield f"its filter is refused by Lambda: {error}"
        return
    for pattern in patterns:
        if set(json.loads(pattern)) != {"data"}:
            yield "its filter is not wrapped in data, as a Kinesis source needs it"


def _letter_faults(
    spec: ConsumerSpec, mapping: Resource, templates: Templates, names: Names
) -> Iterator[str]:
    queues = {p.get("QueueName"): (name, p) for name, p in of_type(templates, "AWS::SQS::Queue")}
    name, queue = queues.get(names.queue(spec.name), ("", {}))
    if not name:
        yield "no dead-letter queue"
        return
    if queue.get("MessageRetentionPeriod") != _FORTNIGHT:
        yield "its dead letters are not kept for 14 days"
    on_failure = mapping.get("DestinationConfig", {}).get("OnFailure", {})
    bucket = text(on_failure.get("Destination", "")).strip("<>").partition(".")[0]
    properties = dict(of_type(templates, "AWS::S3::Bucket")).get(bucket)
    if properties is None:
        yield "what Lambda gives up on goes nowhere"
        return
    bridge = properties.get("NotificationConfiguration", {}).get("EventBridgeConfiguration", {})
    told = [
        rule
        for _, rule in of_type(templates, "AWS::Events::Rule")
        if f"<{bucket}>" in text(rule.get("EventPattern", {}))
        and f"<{name}.Arn>" in [text(target["Arn"]) for target in rule["Targets"]]
    ]
    if not told or not bridge.get("EventBridgeEnabled"):
        yield "what Lambda gives up on is not announced in its dead-letter queue"
    if not any(_lets_in(policy, name) for _, policy in of_type(templates, _QUEUE_POLICY)):
        yield "its dead-letter queue does not let anything be announced"


_QUEUE_POLICY = "AWS::SQS::QueuePolicy"


def _lets_in(policy: Resource, queue: str) -> bool:
    statements: list[dict[str, Any]] = policy["PolicyDocument"]["Statement"]
    return f"<{queue}>" in texts(policy["Queues"]) and any(
        each["Effect"] == "Allow" and each["Principal"] == {"Service": "events.amazonaws.com"}
        for each in statements
    )


def _alarm_faults(spec: ConsumerSpec, templates: Templates, names: Names) -> Iterator[str]:
    alarms = {
        p["AlarmName"]: p
        for kind in ("AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm")
        for _, p in of_type(templates, kind)
    }
    every: tuple[Alarm | BurnRate, ...] = (*spec.alarms, *spec.burn_rates)
    for declared in every:
        alarm = alarms.get(names.alarm(spec.name, declared.name))
        if alarm is None:
            yield f"no alarm {declared.name}"
        elif not alarm.get("AlarmActions"):
            yield f"nobody hears of its alarm {declared.name}"
        elif declared.meaning not in text(alarm["AlarmDescription"]):
            yield f"its alarm {declared.name} does not say what it means"
        elif f"#{declared.name}" not in text(alarm["AlarmDescription"]):
            yield f"its alarm {declared.name} does not lead to the runbook"
    if names.alarm(spec.name, "all") not in alarms:
        yield "no alarm over all its alarms"
