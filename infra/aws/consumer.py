"""One consumer in AWS: function, role, log group, dead letters, mapping; all from its SPEC."""

from collections.abc import Mapping
from dataclasses import dataclass

from aws_cdk import Aws, Duration, RemovalPolicy, Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_kinesis as kinesis
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sqs as sqs

from infra.aws import acknowledged, sources
from infra.aws.function import Function, function
from infra.aws.names import Names
from infra.aws.packages import Packages
from infra.aws.permissions import Own, consumer_statements
from infra.aws.sinks import Network, Sinks
from infra.aws.stage import Context
from shared.errors import InvalidSpec
from shared.letters import FAILED_SCHEMA
from shared.settings import COMMON_SETTINGS, variable_of
from shared.spec import ConsumerSpec, Grant, Source

# The most that SQS keeps: time to mend and redrive.
_QUEUE_DAYS = 14
_FAILURE_DAYS = 30
# Settings that a consumer gets along with one that it asks for.
_ALONG = {"cache_url": ("cache_cluster",), "search_url": ("search_sigv4",)}


@dataclass(frozen=True, slots=True)
class Consumer:
    """What others must know of a consumer in AWS."""

    spec: ConsumerSpec
    mapping_id: str


def build(
    stack: Stack,
    spec: ConsumerSpec,
    context: Context,
    packages: Packages,
    *,
    sinks: Sinks,
    settings: Mapping[str, str],
) -> Consumer:
    """Make everything that belongs to one consumer. `settings`: values by field of `Settings`."""
    names, part = Names(context.stage), spec.name.title()
    reach = sinks.reach
    queue = _queue(stack, spec, names)
    failures = _failure_bucket(stack, spec, names, queue, reach.own_key_arn)
    network = _network(spec, sinks)
    source_arn, reader_arn = reach.table_stream_arn, ""
    if spec.source is Source.KINESIS:
        source_arn = reach.kinesis_arn
    elif spec.source is Source.KINESIS_FANOUT:
        reader = kinesis.CfnStreamConsumer(
            stack,
            f"{part}Reader",
            consumer_name=names.function(spec.name),
            stream_arn=reach.kinesis_arn,
        )
        source_arn = reader_arn = reader.attr_consumer_arn
    made = function(
        stack,
        Function(
            part=part,
            name=spec.name,
            module=f"consumers.{spec.name}.handler",
            purpose=spec.purpose,
            memory_mb=spec.memory_mb,
            timeout_seconds=spec.timeout_seconds,
            concurrency=spec.concurrency,
            environment=_environment(spec, context, {**settings, "dlq_url": queue.queue_url}),
            network=network,
        ),
        context,
        packages,
        lambda log_group_arn: consumer_statements(
            spec,
            reach,
            Own(
                queue_arn=queue.queue_arn,
                log_group_arn=log_group_arn,
                failure_bucket_arn=failures.bucket_arn,
                failure_key_arn=reach.own_key_arn,
                reader_arn=reader_arn,
                in_vpc=network is not None,
                tracing=context.tracing,
            ),
        ),
    )
    mapping = lambda_.CfnEventSourceMapping(
        stack,
        f"{part}Mapping",
        function_name=made.function_name,
        event_source_arn=source_arn,
        starting_position="TRIM_HORIZON",
        batch_size=spec.batch_size,
        maximum_batching_window_in_seconds=spec.window_seconds,
        maximum_retry_attempts=spec.retries,
        maximum_record_age_in_seconds=spec.record_age_seconds,
        parallelization_factor=spec.parallelization,
        tumbling_window_in_seconds=spec.tumbling_window_seconds or None,
        # As on one machine: the bad record of a batch that fails whole is found by halving.
        bisect_batch_on_function_error=True,
        function_response_types=["ReportBatchItemFailures"],
        filter_criteria=_filter_criteria(spec),
        destination_config=lambda_.CfnEventSourceMapping.DestinationConfigProperty(
            on_failure=lambda_.CfnEventSourceMapping.OnFailureProperty(
                destination=failures.bucket_arn
            )
        ),
        metrics_config=lambda_.CfnEventSourceMapping.MetricsConfigProperty(metrics=["EventCount"]),
    )
    return Consumer(spec, mapping.ref)


def _filter_criteria(
    spec: ConsumerSpec,
) -> lambda_.CfnEventSourceMapping.FilterCriteriaProperty | None:
    patterns = [
        lambda_.CfnEventSourceMapping.FilterProperty(pattern=pattern)
        for pattern in sources.filters(spec)
    ]
    if not patterns:
        return None
    return lambda_.CfnEventSourceMapping.FilterCriteriaProperty(filters=patterns)


def _environment(
    spec: ConsumerSpec, context: Context, values: Mapping[str, str]
) -> Mapping[str, str]:
    """Exactly the variables that this consumer reads."""
    wanted = dict.fromkeys((*COMMON_SETTINGS, *spec.settings))
    along = [name for asked in spec.settings for name in _ALONG.get(asked, ())]
    if missing := [name for name in wanted if not values.get(name)]:
        raise InvalidSpec(
            f"consumer {spec.name!r} asks for settings that no stack can give: "
            f"{', '.join(missing)}",
            hint="make the resource in infra/aws/data.py or sinks.py, and say its setting there",
        )
    optional = {name: values[name] for name in along if values.get(name)}
    if Grant.ARCHIVE_WRITE in spec.grants:
        optional["archive_lock_days"] = str(context.sizes.archive_lock_days)
    if context.tracing:
        optional["tracing"] = "1"
    chosen = {**{name: values[name] for name in wanted}, **optional}
    return {variable_of(name): value for name, value in chosen.items()}


def _network(spec: ConsumerSpec, sinks: Sinks) -> Network | None:
    return next((sinks.networks[grant] for grant in spec.grants if grant in sinks.networks), None)


def _queue(stack: Stack, spec: ConsumerSpec, names: Names) -> sqs.Queue:
    queue = sqs.Queue(
        stack,
        f"{spec.name.title()}Letters",
        queue_name=names.queue(spec.name),
        retention_period=Duration.days(_QUEUE_DAYS),
        # Redriving a message may take as long as the function does.
        visibility_timeout=Duration.seconds(6 * spec.timeout_seconds),
        # SQS's own keys: S3 could not announce failures in a queue with AWS's key for SQS.
        encryption=sqs.QueueEncryption.SQS_MANAGED,
        enforce_ssl=True,
    )
    acknowledged.dead_letters(queue)
    return queue


def _failure_bucket(
    stack: Stack, spec: ConsumerSpec, names: Names, queue: sqs.Queue, key_arn: str
) -> s3.Bucket:
    """Takes batches that Lambda gave up on, whole; each is announced in the consumer's queue."""
    part = spec.name.title()
    bucket = s3.Bucket(
        stack,
        f"{part}Failures",
        bucket_name=f"{names.failure_bucket(spec.name)}-{Aws.ACCOUNT_ID}-{Aws.REGION}",
        encryption=s3.BucketEncryption.KMS,
        encryption_key=kms.Key.from_key_arn(stack, f"{part}FailuresKey", key_arn),
        bucket_key_enabled=True,
        block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
        enforce_ssl=True,
        object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
        lifecycle_rules=[s3.LifecycleRule(expiration=Duration.days(_FAILURE_DAYS))],
        removal_policy=RemovalPolicy.RETAIN,
    )
    acknowledged.failures(bucket)
    raw = bucket.node.default_child
    assert isinstance(raw, s3.CfnBucket)
    # Through EventBridge: S3 itself would greet the queue with a test message, and so set off the
    # alarm on dead letters. Said here, not by the construct, which would add a function with
    # rights on every bucket.
    raw.notification_configuration = s3.CfnBucket.NotificationConfigurationProperty(
        event_bridge_configuration=s3.CfnBucket.EventBridgeConfigurationProperty(
            event_bridge_enabled=True
        )
    )
    _announce(stack, spec, bucket, queue)
    return bucket


def _announce(stack: Stack, spec: ConsumerSpec, bucket: s3.Bucket, queue: sqs.Queue) -> None:
    """A message that leads to the failed batch, as a parked record's leads to a large one."""
    message = {
        "fanout": FAILED_SCHEMA,
        "consumer": spec.name,
        "pointer": {
            "bucket": events.EventField.from_path("$.detail.bucket.name"),
            "key": events.EventField.from_path("$.detail.object.key"),
        },
    }
    rule = events.Rule(
        stack,
        f"{spec.name.title()}FailureRule",
        description=f"Fanout: a batch that Lambda gave up on, for {spec.name}",
        event_pattern=events.EventPattern(
            source=["aws.s3"],
            detail_type=["Object Created"],
            detail={"bucket": {"name": [bucket.bucket_name]}},
        ),
    )
    rule.add_target(targets.SqsQueue(queue, message=events.RuleTargetInput.from_object(message)))
