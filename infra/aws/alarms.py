"""Alarms from their declarations (shared/alarms.py), as CloudWatch takes them.

Two things want explaining:

- **the share of late heartbeats** is CloudWatch's own percentile rank: `PR(:5000)` of the metric
  Freshness is the percentage of its values up to 5,000 ms (user guide, "Percentile rank"). A burn
  rate of 14.4 on an objective of 99 % is a share of 14.4 % late ones: PR under 85.6.
- **who speaks**: each alarm sends its own message, since one that stays on for days (dead letters
  that wait) must not hide another. Of a burn rate's two windows neither speaks, only both
  together. The composite over all of a consumer's alarms is silent: it is its one light on the
  overview, and what a pager of your own can be tied to.
"""

from dataclasses import dataclass

from aws_cdk import Stack
from aws_cdk import aws_cloudwatch as cloudwatch

from infra.aws.names import Names, runbook_link
from shared import metric_names
from shared.alarms import Alarm, BurnRate, Missing, Signal
from shared.errors import InvalidSpec
from shared.spec import ConsumerSpec

ALL = "all"
_Dimension = cloudwatch.CfnAlarm.DimensionProperty


@dataclass(frozen=True, slots=True)
class Audience:
    """Who hears of alarms, and where they read on.

    Attributes:
        topic_arn: gets every message.
        repository: address of the runbook's repository; may be empty.
        names: of the stage.
    """

    topic_arn: str
    repository: str
    names: Names


def build(stack: Stack, spec: ConsumerSpec, mapping_id: str, audience: Audience) -> list[str]:
    """Make a consumer's alarms and the composite over them; return their names.

    Raises InvalidSpec for a burn rate that no share of late heartbeats could reach.
    """
    parts: list[cloudwatch.CfnAlarm | cloudwatch.CfnCompositeAlarm] = [
        _metric_alarm(stack, spec, alarm, mapping_id, audience) for alarm in spec.alarms
    ]
    parts += [_burn_rate(stack, spec, burn, audience) for burn in spec.burn_rates]
    names = [str(part.alarm_name) for part in parts]
    composite = cloudwatch.CfnCompositeAlarm(
        stack,
        _logical(spec, ALL),
        alarm_name=audience.names.alarm(spec.name, ALL),
        alarm_description=(
            f"{spec.name}: at least one of its alarms is on; that one says which, and what to do. "
            f"Start here: {runbook_link(audience.repository, 'runbook')}"
        ),
        alarm_rule=" OR ".join(f'ALARM("{name}")' for name in names),
        actions_enabled=False,
    )
    for part in parts:
        composite.add_resource_dependency(part)
    return [*names, str(composite.alarm_name)]


def late_share(spec: ConsumerSpec, burn: BurnRate) -> float:
    """The share of late heartbeats, 0 to 1, over which a budget burns `burn.rate` too fast."""
    share = burn.rate * (1 - spec.freshness.target)
    if share >= 1:
        raise InvalidSpec(
            f"consumer {spec.name!r}: {burn.name} could never fire, since a budget of "
            f"{1 - spec.freshness.target:.0%} burns {1 / (1 - spec.freshness.target):.1f} times "
            f"too fast at most",
            hint="lower its rate, or raise the freshness target",
        )
    return share


def _metric_alarm(
    stack: Stack, spec: ConsumerSpec, alarm: Alarm, mapping_id: str, audience: Audience
) -> cloudwatch.CfnAlarm:
    namespace, metric, dimensions = _metric(spec, alarm, mapping_id, audience.names)
    return cloudwatch.CfnAlarm(
        stack,
        _logical(spec, alarm.name),
        alarm_name=audience.names.alarm(spec.name, alarm.name),
        alarm_description=_description(spec, alarm.name, alarm.meaning, audience),
        namespace=namespace,
        metric_name=metric,
        dimensions=[_Dimension(name=name, value=value) for name, value in dimensions.items()],
        statistic=alarm.statistic,
        period=alarm.period_seconds,
        evaluation_periods=alarm.periods,
        datapoints_to_alarm=alarm.breaching,
        threshold=alarm.threshold,
        comparison_operator="LessThanThreshold" if alarm.below else "GreaterThanThreshold",
        treat_missing_data=alarm.missing.value,
        alarm_actions=[audience.topic_arn],
        ok_actions=[audience.topic_arn],
    )


def _metric(
    spec: ConsumerSpec, alarm: Alarm, mapping_id: str, names: Names
) -> tuple[str, str, dict[str, str]]:
    """Namespace, name and dimensions of what an alarm looks at."""
    function = {"FunctionName": names.function(spec.name)}
    match alarm.signal:
        case Signal.PIPELINE_METRIC:
            return metric_names.PIPELINE, alarm.metric, {metric_names.CONSUMER: spec.name}
        case Signal.FUNCTION_ERRORS:
            return "AWS/Lambda", "Errors", function
        case Signal.FUNCTION_THROTTLES:
            return "AWS/Lambda", "Throttles", function
        case Signal.ITERATOR_AGE:
            return "AWS/Lambda", "IteratorAge", function
        case Signal.RECORDS_DROPPED:
            mapping = {"EventSourceMappingUUID": mapping_id}
            return "AWS/Lambda", "DroppedEventCount", mapping
        case Signal.QUEUE_DEPTH:
            queue = {"QueueName": names.queue(spec.name)}
            return "AWS/SQS", "ApproximateNumberOfMessagesVisible", queue


def _burn_rate(
    stack: Stack, spec: ConsumerSpec, burn: BurnRate, audience: Audience
) -> cloudwatch.CfnCompositeAlarm:
    in_time = round(100 * (1 - late_share(spec, burn)), 6)
    windows = [
        cloudwatch.CfnAlarm(
            stack,
            _logical(spec, f"{burn.name}-{label}"),
            alarm_name=audience.names.alarm(spec.name, f"{burn.name}-{label}"),
            alarm_description=(
                f"{spec.name}: one window of {burn.name}; says nothing alone. "
                f"Under {in_time:g} % of heartbeats within {spec.freshness.within_ms} ms."
            ),
            namespace=metric_names.PIPELINE,
            metric_name=metric_names.FRESHNESS.name,
            dimensions=[_Dimension(name=metric_names.CONSUMER, value=spec.name)],
            extended_statistic=f"PR(:{spec.freshness.within_ms})",
            period=seconds,
            evaluation_periods=1,
            datapoints_to_alarm=1,
            threshold=in_time,
            comparison_operator="LessThanThreshold",
            # No heartbeat at all is what heartbeat-missing is for.
            treat_missing_data=Missing.NOT_BREACHING.value,
        )
        for label, seconds in (("long", burn.long_seconds), ("short", burn.short_seconds))
    ]
    both = cloudwatch.CfnCompositeAlarm(
        stack,
        _logical(spec, burn.name),
        alarm_name=audience.names.alarm(spec.name, burn.name),
        alarm_description=_description(spec, burn.name, burn.meaning, audience),
        alarm_rule=" AND ".join(f'ALARM("{window.alarm_name}")' for window in windows),
        alarm_actions=[audience.topic_arn],
        ok_actions=[audience.topic_arn],
    )
    for window in windows:
        both.add_resource_dependency(window)
    return both


def _description(spec: ConsumerSpec, name: str, meaning: str, audience: Audience) -> str:
    return f"{spec.name}: {meaning} What to do: {runbook_link(audience.repository, name)}"


def _logical(spec: ConsumerSpec, name: str) -> str:
    return spec.name.title() + name.title().replace("-", "")
