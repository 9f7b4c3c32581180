"""The archive's bucket, and the one for its access logs."""

from aws_cdk import Duration, RemovalPolicy, Stack
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3

from infra.aws import acknowledged
from shared import archive_format
from shared.letters import PARKED_PREFIX

ATHENA_PREFIX = "athena-results"
_PARKED_DAYS = 90
_COLD_DAYS = 90
_ATHENA_DAYS = 7
_LOG_DAYS = 90


def build(stack: Stack, name: str, key: kms.IKey, keep: RemovalPolicy) -> s3.Bucket:
    """The archive. What is locked, and for how long, the audit consumer says object by object."""
    logs = s3.Bucket(
        stack,
        "AccessLogs",
        encryption=s3.BucketEncryption.S3_MANAGED,
        block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
        enforce_ssl=True,
        object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
        lifecycle_rules=[s3.LifecycleRule(expiration=Duration.days(_LOG_DAYS))],
        removal_policy=keep,
    )
    acknowledged.access_logs(logs)
    return s3.Bucket(
        stack,
        "Archive",
        bucket_name=name,
        encryption=s3.BucketEncryption.KMS,
        encryption_key=key,
        bucket_key_enabled=True,
        block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
        enforce_ssl=True,
        object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
        object_lock_enabled=True,
        versioned=True,
        server_access_logs_bucket=logs,
        server_access_logs_prefix="archive/",
        removal_policy=RemovalPolicy.RETAIN,
        lifecycle_rules=[
            s3.LifecycleRule(
                prefix=f"{archive_format.PREFIX}/",
                transitions=[
                    s3.Transition(
                        storage_class=s3.StorageClass.GLACIER_INSTANT_RETRIEVAL,
                        transition_after=Duration.days(_COLD_DAYS),
                    )
                ],
            ),
            _expiry(f"{PARKED_PREFIX}/", _PARKED_DAYS),
            _expiry(f"{ATHENA_PREFIX}/", _ATHENA_DAYS),
            s3.LifecycleRule(abort_incomplete_multipart_upload_after=Duration.days(7)),
        ],
    )


def _expiry(prefix: str, days: int) -> s3.LifecycleRule:
    return s3.LifecycleRule(
        prefix=prefix,
        expiration=Duration.days(days),
        noncurrent_version_expiration=Duration.days(1),
    )
