"""The data stack: table, ledger, Kinesis stream, archive bucket, and the key that they share.

Each can be given instead of made; what comes out is the same.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aws_cdk import Aws, CfnOutput, Duration, RemovalPolicy, Stack
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kinesis as kinesis
from aws_cdk import aws_kms as kms

from infra.aws import acknowledged, archive, sources
from infra.aws.names import Names
from infra.aws.permissions import Reach
from infra.aws.stage import Context
from shared import entities
from shared.spec import ConsumerSpec


@dataclass(frozen=True, slots=True)
class Data:
    """Where the data are.

    Attributes:
        reach: their ARNs.
        settings: what consumers are told of them, by the names of `Settings`.
        stream_name: of the Kinesis stream; empty without one.
    """

    reach: Reach
    settings: Mapping[str, str]
    stream_name: str = ""


def build(stack: Stack, context: Context, names: Names, specs: Sequence[ConsumerSpec]) -> Data:
    """Make what is not given; return where everything is."""
    keep = _keep(context)
    key = _key(stack, names, keep)
    stream, stream_key = context.kinesisStreamArn, context.kinesisKeyArn
    if not stream and sources.uses_kinesis(specs):
        stream, stream_key = _stream(stack, context, names, key).stream_arn, key.key_arn
    if context.tableArn:
        table, table_stream = context.tableArn, context.tableStreamArn
        table_key = context.tableKeyArn
        if stream and not context.kinesisStreamArn:
            _say_how_to_feed(stack, table, stream)
    else:
        made = _table(stack, context, names, key, stream)
        table, table_stream = _table_arn(names.of("table")), made.table_stream_arn or ""
        table_key = key.key_arn
    dynamodb.Table(
        stack,
        "Ledger",
        table_name=names.of("ledger"),
        partition_key=_attribute(entities.PARTITION_KEY),
        billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
        encryption=dynamodb.TableEncryption.CUSTOMER_MANAGED,
        encryption_key=key,
        point_in_time_recovery_specification=_RECOVERY,
        deletion_protection=context.sizes.keep,
        removal_policy=keep,
    )
    name, bucket_key = context.archiveBucket, context.archiveKeyArn
    if not name:
        # Named, not exported: a stack that imports nothing of another's can be changed by itself.
        name = names.archive(Aws.ACCOUNT_ID, Aws.REGION)
        archive.build(stack, name, key, keep)
        bucket_key = key.key_arn
    reach = Reach(
        table_arn=table,
        table_stream_arn=table_stream,
        table_key_arn=table_key,
        ledger_arn=_table_arn(names.of("ledger")),
        ledger_key_arn=key.key_arn,
        kinesis_arn=stream,
        kinesis_key_arn=stream_key,
        bucket_arn=f"arn:{Aws.PARTITION}:s3:::{name}",
        bucket_key_arn=bucket_key,
        search_arn=context.searchDomainArn,
        own_key_arn=key.key_arn,
    )
    settings = {
        "table": table.rpartition("/")[2] if context.tableArn else names.of("table"),
        "ledger_table": names.of("ledger"),
        "archive_bucket": name,
    }
    given = context.kinesisStreamArn.rpartition("/")[2]
    return Data(reach, settings, given or (names.of("changes") if stream else ""))


def _table_arn(name: str) -> str:
    return f"arn:{Aws.PARTITION}:dynamodb:{Aws.REGION}:{Aws.ACCOUNT_ID}:table/{name}"


def _keep(context: Context) -> RemovalPolicy:
    return RemovalPolicy.RETAIN if context.sizes.keep else RemovalPolicy.DESTROY


_RECOVERY = dynamodb.PointInTimeRecoverySpecification(point_in_time_recovery_enabled=True)


def _attribute(name: str, *, number: bool = False) -> dynamodb.Attribute:
    kind = dynamodb.AttributeType.NUMBER if number else dynamodb.AttributeType.STRING
    return dynamodb.Attribute(name=name, type=kind)


def _key(stack: Stack, names: Names, keep: RemovalPolicy) -> kms.Key:
    key = kms.Key(
        stack,
        "Key",
        alias=f"alias/{names.prefix}",
        description="Fanout: table, ledger, changes, archive, alarms",
        enable_key_rotation=True,
        removal_policy=keep,
    )
    # Alarms publish to an encrypted topic; so do budgets and others, which are not let in here.
    key.add_to_resource_policy(
        iam.PolicyStatement(
            sid="AlarmsPublish",
            principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
            actions=["kms:Decrypt", "kms:GenerateDataKey"],
            resources=["*"],
            conditions={"StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID}},
        )
    )
    return key


def _stream(stack: Stack, context: Context, names: Names, key: kms.IKey) -> kinesis.Stream:
    shards = context.sizes.kinesis_shards
    made = kinesis.Stream(
        stack,
        "Changes",
        stream_name=names.of("changes"),
        stream_mode=kinesis.StreamMode.PROVISIONED if shards else kinesis.StreamMode.ON_DEMAND,
        shard_count=shards or None,
        retention_period=Duration.hours(24),
        encryption=kinesis.StreamEncryption.KMS,
        encryption_key=key,
        removal_policy=RemovalPolicy.DESTROY,
    )
    acknowledged.stream_key(made)
    return made


def _table(
    stack: Stack, context: Context, names: Names, key: kms.IKey, stream: str
) -> dynamodb.Table:
    feeds = kinesis.Stream.from_stream_arn(stack, "Feeds", stream) if stream else None
    precise = dynamodb.ApproximateCreationDateTimePrecision.MICROSECOND
    table = dynamodb.Table(
        stack,
        "Table",
        table_name=names.of("table"),
        partition_key=_attribute(entities.PARTITION_KEY),
        sort_key=_attribute(entities.SORT_KEY),
        billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
        stream=dynamodb.StreamViewType.NEW_AND_OLD_IMAGES,
        kinesis_stream=feeds,
        kinesis_precision_timestamp=precise if feeds else None,
        encryption=dynamodb.TableEncryption.CUSTOMER_MANAGED,
        encryption_key=key,
        point_in_time_recovery_specification=_RECOVERY,
        deletion_protection=context.sizes.keep,
        removal_policy=_keep(context),
    )
    for name, partition, sort in (
        entities.CUSTOMER_INDEX,
        entities.STATUS_INDEX,
        entities.LEADERBOARD_INDEX,
    ):
        table.add_global_secondary_index(
            index_name=name,
            partition_key=_attribute(partition),
            sort_key=_attribute(sort, number=name == entities.LEADERBOARD_INDEX[0]),
        )
    return table


def _say_how_to_feed(stack: Stack, table_arn: str, stream_arn: str) -> None:
    """CloudFormation cannot touch a table that is not its own: one command does."""
    name = table_arn.rpartition("/")[2]
    CfnOutput(
        stack,
        "FeedTheStream",
        description="Run this once: it makes the given table write its changes into Kinesis",
        value=(
            f"aws dynamodb enable-kinesis-streaming-destination --table-name {name} "
            f"--stream-arn {stream_arn} --enable-kinesis-streaming-configuration "
            "ApproximateCreationDateTimePrecision=MICROSECOND"
        ),
    )
