"""Everything at rest is encrypted, and nothing is spoken in the clear."""

from collections.abc import Iterator, Mapping
from typing import Any

from infra.aws.checks.template import Templates, of_type

# Type -> where its encryption is said. A property on the way may be absent: then it is not.
_AT_REST: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "AWS::DynamoDB::Table": (
        ("SSESpecification", "SSEEnabled"),
        ("SSESpecification", "KMSMasterKeyId"),
    ),
    "AWS::Kinesis::Stream": (("StreamEncryption", "KeyId"),),
    "AWS::S3::Bucket": (("BucketEncryption", "ServerSideEncryptionConfiguration"),),
    "AWS::SQS::Queue": (("SqsManagedSseEnabled",),),
    "AWS::SNS::Topic": (("KmsMasterKeyId",),),
    "AWS::OpenSearchService::Domain": (
        ("EncryptionAtRestOptions", "Enabled"),
        ("NodeToNodeEncryptionOptions", "Enabled"),
        ("DomainEndpointOptions", "EnforceHTTPS"),
    ),
    "AWS::ElastiCache::ServerlessCache": (("KmsKeyId",),),
    "AWS::Athena::WorkGroup": (
        ("WorkGroupConfiguration", "ResultConfiguration", "EncryptionConfiguration"),
    ),
}


def faults(templates: Templates) -> Iterator[str]:
    """What lies or travels unencrypted."""
    for kind, places in _AT_REST.items():
        for name, properties in of_type(templates, kind):
            for place in places:
                if not _at(properties, place):
                    yield f"{name}: no encryption, {'.'.join(place)} is not set"
    for kind, policy, owner in (
        ("AWS::S3::Bucket", "AWS::S3::BucketPolicy", "Bucket"),
        ("AWS::SQS::Queue", "AWS::SQS::QueuePolicy", "Queues"),
    ):
        told = {
            str(properties[owner])
            for _, properties in of_type(templates, policy)
            if _refuses_plain(properties["PolicyDocument"]["Statement"])
        }
        for name, _ in of_type(templates, kind):
            if not any(f"'{name}'" in each for each in told):
                yield f"{name}: takes requests without TLS"


def _at(properties: Mapping[str, Any], place: tuple[str, ...]) -> Any:
    value: Any = properties
    for step in place:
        value = value.get(step) if isinstance(value, dict) else None
    return value


def _refuses_plain(statements: list[dict[str, Any]]) -> bool:
    plain = {"Bool": {"aws:SecureTransport": "false"}}
    return any(each["Effect"] == "Deny" and each.get("Condition") == plain for each in statements)
