"""Roles: no right that could be narrower, and no consumer writes but on its own targets."""

from collections.abc import Iterator, Sequence
from typing import Any

from infra.aws.checks.template import Templates, actions, of_type, role_name, statements, texts
from infra.aws.permissions import UNNARROWABLE
from shared import archive_format
from shared.entities import Kind
from shared.letters import PARKED_PREFIX
from shared.spec import ConsumerSpec, Grant

# What changes something, of the services that we use. An action that is in neither list is a
# fault too: whoever adds one says here what it is.
_WRITES = frozenset(
    {
        "dynamodb:PutItem",
        "dynamodb:UpdateItem",
        "es:ESHttpPost",
        "es:ESHttpPut",
        "s3:PutObject",
        "s3:PutObjectRetention",
        "sqs:SendMessage",
    }
)
_HARMLESS = frozenset(
    {
        "dynamodb:DescribeStream",
        "dynamodb:GetRecords",
        "dynamodb:GetShardIterator",
        "dynamodb:ListStreams",
        "es:ESHttpGet",
        "kinesis:DescribeStream",
        "kinesis:DescribeStreamConsumer",
        "kinesis:DescribeStreamSummary",
        "kinesis:GetRecords",
        "kinesis:GetShardIterator",
        "kinesis:ListShards",
        "kinesis:SubscribeToShard",
        "kms:Decrypt",
        "kms:DescribeKey",
        "kms:Encrypt",
        "kms:GenerateDataKey",
        "kms:GenerateDataKeyWithoutPlaintext",
        "kms:ReEncryptFrom",
        "kms:ReEncryptTo",
        "logs:CreateLogStream",
        "logs:DescribeLogStreams",
        "logs:PutLogEvents",
        "s3:GetObject",
        "s3:ListBucket",
    }
)
_INTERFACES = frozenset(
    {
        "ec2:AssignPrivateIpAddresses",
        "ec2:CreateNetworkInterface",
        "ec2:DeleteNetworkInterface",
        "ec2:UnassignPrivateIpAddresses",
    }
)
# What each grant may write, as a part of the resource's text.
_TARGETS = {
    Grant.ARCHIVE_WRITE: (f"/{archive_format.PREFIX}/*",),
    Grant.TOTALS_WRITE: ("table/",),
    Grant.SEARCH_WRITE: ("/_bulk",),
    Grant.CACHE_CONNECT: (),
}


def faults(templates: Templates, specs: Sequence[ConsumerSpec]) -> Iterator[str]:
    """Rights that are too wide, and functions in a network that lack the rights to be there."""
    for name, _ in of_type(templates, "AWS::IAM::Role"):
        for statement in statements(templates, name):
            yield from (f"{name}: {fault}" for fault in _too_wide(statement))
    by_handler = {f"consumers.{spec.name}.handler.handler": spec for spec in specs}
    for _, properties in of_type(templates, "AWS::Lambda::Function"):
        role = role_name(properties)
        allowed = statements(templates, role)
        if properties.get("VpcConfig"):
            missing = _INTERFACES - {action for each in allowed for action in actions(each)}
            if missing:
                yield f"{role}: its function is in a VPC, and may not {', '.join(sorted(missing))}"
        spec = by_handler.get(properties["Handler"])
        if spec is not None:
            for statement in allowed:
                yield from (f"{role}: {fault}" for fault in _foreign(statement, spec))


def _too_wide(statement: dict[str, Any]) -> Iterator[str]:
    if statement["Effect"] != "Allow":
        return
    for action in actions(statement):
        if "*" in action:
            yield f"allows {action}: name the actions"
        elif "*" in texts(statement["Resource"]) and action not in UNNARROWABLE:
            yield f"allows {action} on everything: name the resource"
        elif action not in _WRITES | _HARMLESS | _INTERFACES | set(UNNARROWABLE):
            yield f"allows {action}, of which infra/aws/checks/iam.py knows nothing"


def _foreign(statement: dict[str, Any], spec: ConsumerSpec) -> Iterator[str]:
    """Writes to what is neither the consumer's own nor granted to it."""
    writes = [action for action in actions(statement) if action in _WRITES]
    own = spec.name.title()
    targets = [
        f"/{PARKED_PREFIX}/{spec.name}/*",
        f"<{own}Failures",
        f"<{own}Letters",
        *(part for grant in spec.grants for part in _TARGETS[grant]),
    ]
    for resource in texts(statement["Resource"]):
        if writes and not any(target in resource for target in targets):
            yield f"{spec.name} may {', '.join(writes)} on {resource}, which is not its own"
    if "dynamodb:UpdateItem" in writes:
        keys = statement.get("Condition", {}).get("ForAllValues:StringLike", {})
        if keys.get("dynamodb:LeadingKeys") not in (f"{Kind.TOTAL}*", [f"{Kind.TOTAL}*"]):
            yield f"{spec.name} may update items that are no totals"
