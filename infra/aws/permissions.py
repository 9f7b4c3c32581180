"""What each role may do, as IAM statements: made from a SPEC's grants, and nothing beyond.

Pure: plain dictionaries with ARNs in, so that every rule can be tested without a stack.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from consumers.search import index
from shared import archive_format
from shared.entities import Kind
from shared.letters import PARKED_PREFIX
from shared.spec import ConsumerSpec, Grant, Source

Statement = dict[str, Any]

# Actions that IAM lets nobody narrow to a resource (service authorization reference), and who
# needs them. The checks over the templates accept `*` for these and for nothing else.
UNNARROWABLE = {
    "ec2:DescribeNetworkInterfaces": "Lambda's own check of its network interfaces",
    "ec2:DescribeSecurityGroups": "Lambda's own check of its network interfaces",
    "ec2:DescribeSubnets": "Lambda's own check of its network interfaces",
    "ec2:DescribeVpcs": "Lambda's own check of its network interfaces",
    "xray:PutTelemetryRecords": "segments belong to no resource",
    "xray:PutTraceSegments": "segments belong to no resource",
}
_KMS_READ = ("kms:Decrypt", "kms:DescribeKey")
_KMS_WRITE = (
    *_KMS_READ,
    "kms:Encrypt",
    "kms:GenerateDataKey",
    "kms:GenerateDataKeyWithoutPlaintext",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """ARNs of what consumers read and write; a key's is empty where AWS's own is used.

    Attributes:
        search_arn: of a domain whose requests are signed; empty for any other OpenSearch.
        own_key_arn: of the key that this deployment made, for what it makes besides.
    """

    table_arn: str
    table_stream_arn: str
    table_key_arn: str
    ledger_arn: str
    ledger_key_arn: str
    kinesis_arn: str
    kinesis_key_arn: str
    bucket_arn: str
    bucket_key_arn: str
    search_arn: str = ""
    own_key_arn: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Own:
    """ARNs of what belongs to one consumer alone.

    Attributes:
        reader_arn: of its registration with the Kinesis stream, for enhanced fan-out.
        in_vpc: its function has network interfaces.
        tracing: it sends X-Ray segments.
    """

    queue_arn: str
    log_group_arn: str
    failure_bucket_arn: str
    failure_key_arn: str
    reader_arn: str = ""
    in_vpc: bool = False
    tracing: bool = False


def allow(
    actions: Sequence[str], resources: Sequence[str], condition: Statement | None = None
) -> Statement:
    """One statement."""
    made: Statement = {"Effect": "Allow", "Action": [*actions], "Resource": [*resources]}
    return {**made, "Condition": condition} if condition else made


def consumer_statements(spec: ConsumerSpec, reach: Reach, own: Own) -> list[Statement]:
    """All that the role of a consumer's function may do."""
    return [
        *log_statements(own.log_group_arn),
        *_source(spec, reach, own.reader_arn),
        *_parking(spec, reach, own),
        *(statement for grant in spec.grants for statement in _grant(grant, reach)),
        *(network_statements() if own.in_vpc else ()),
        *(trace_statements() if own.tracing else ()),
    ]


def log_statements(log_group_arn: str) -> Iterator[Statement]:
    """Write into a log group that is there."""
    yield allow(("logs:CreateLogStream", "logs:PutLogEvents"), [log_group_arn])


def trace_statements() -> Iterator[Statement]:
    """Send segments."""
    yield allow(("xray:PutTraceSegments", "xray:PutTelemetryRecords"), ["*"])


def network_statements() -> Iterator[Statement]:
    """What Lambda needs of a role to put its function into a VPC."""
    interfaces = (
        "ec2:CreateNetworkInterface",
        "ec2:DeleteNetworkInterface",
        "ec2:AssignPrivateIpAddresses",
        "ec2:UnassignPrivateIpAddresses",
    )
    # A shared subnet belongs to another account.
    kinds = ("network-interface", "security-group", "subnet")
    yield allow(interfaces, [f"arn:aws:ec2:*:*:{kind}/*" for kind in kinds])
    yield allow([name for name in UNNARROWABLE if name.startswith("ec2:")], ["*"])


def heartbeat_statements(reach: Reach, log_group_arn: str) -> list[Statement]:
    """Write heartbeats and nothing else into the table."""
    return [
        *log_statements(log_group_arn),
        _write_items(reach, Kind.HEARTBEAT),
        *_key(reach.table_key_arn, _KMS_WRITE),
    ]


def search_setup_statements(reach: Reach, log_group_arn: str, *, in_vpc: bool) -> list[Statement]:
    """Create the order index, its template and its aliases."""
    paths = {
        "es:ESHttpGet": (f"_alias/{index.WRITE_ALIAS}",),
        "es:ESHttpPost": ("_aliases",),
        "es:ESHttpPut": (
            f"_index_template/{index.TEMPLATE}",
            f"{index.READ_ALIAS}-*",
            f"{index.READ_ALIAS}-*/_mapping",
        ),
    }
    arn = reach.search_arn
    domain = [allow([do], [f"{arn}/{at}" for at in where]) for do, where in paths.items()]
    return [
        *log_statements(log_group_arn),
        *(domain if arn else ()),
        *(network_statements() if in_vpc else ()),
    ]


def _source(spec: ConsumerSpec, reach: Reach, reader_arn: str) -> Iterator[Statement]:
    if spec.source is Source.STREAM:
        reads = ("dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator")
        yield allow(reads, [reach.table_stream_arn])
        yield allow(["dynamodb:ListStreams"], [f"{reach.table_arn}/stream/*"])
        yield from _key(reach.table_key_arn, _KMS_READ)
        return
    reads = ("kinesis:DescribeStream", "kinesis:DescribeStreamSummary", "kinesis:ListShards")
    polls = ("kinesis:GetRecords", "kinesis:GetShardIterator")
    yield allow((*reads, *polls), [reach.kinesis_arn])
    if spec.source is Source.KINESIS_FANOUT:
        yield allow(("kinesis:DescribeStreamConsumer", "kinesis:SubscribeToShard"), [reader_arn])
    yield from _key(reach.kinesis_key_arn, _KMS_READ)


def _parking(spec: ConsumerSpec, reach: Reach, own: Own) -> Iterator[Statement]:
    yield allow(["sqs:SendMessage"], [own.queue_arn])
    yield allow(["s3:PutObject"], [f"{reach.bucket_arn}/{PARKED_PREFIX}/{spec.name}/*"])
    # Lambda puts given-up batches there with this role, and asks for both rights.
    yield allow(["s3:PutObject"], [f"{own.failure_bucket_arn}/*"])
    yield allow(["s3:ListBucket"], [own.failure_bucket_arn])
    for key in sorted({reach.bucket_key_arn, own.failure_key_arn} - {""}):
        yield from _key(key, ("kms:Decrypt", "kms:GenerateDataKey"))


def _grant(grant: Grant, reach: Reach) -> Iterator[Statement]:
    match grant:
        case Grant.ARCHIVE_WRITE:
            # GetObject and ListBucket are for HeadObject and HeadBucket alone; no list is read.
            objects = f"{reach.bucket_arn}/{archive_format.PREFIX}/*"
            yield allow(("s3:GetObject", "s3:PutObject", "s3:PutObjectRetention"), [objects])
            yield allow(["s3:ListBucket"], [reach.bucket_arn])
        case Grant.TOTALS_WRITE:
            yield _write_items(reach, Kind.TOTAL)
            yield allow(["dynamodb:PutItem"], [reach.ledger_arn])
            for key in sorted({reach.table_key_arn, reach.ledger_key_arn} - {""}):
                yield from _key(key, _KMS_WRITE)
        case Grant.SEARCH_WRITE:
            if reach.search_arn:
                yield allow(["es:ESHttpPost"], [f"{reach.search_arn}/{index.WRITE_ALIAS}/_bulk"])
        case Grant.CACHE_CONNECT:
            # The cache asks for no role: its security group lets the function in.
            return


def _write_items(reach: Reach, kind: Kind) -> Statement:
    """Update items of one kind in the table."""
    keys = {
        "ForAllValues:StringLike": {"dynamodb:LeadingKeys": [f"{kind.value}*"]},
        # Without this a request that names no key would pass: all of none match.
        "Null": {"dynamodb:LeadingKeys": "false"},
    }
    return allow(["dynamodb:UpdateItem"], [reach.table_arn], keys)


def _key(arn: str, actions: Sequence[str]) -> Iterator[Statement]:
    if arn:
        yield allow(actions, [arn])
