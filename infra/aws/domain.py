"""The OpenSearch domain of the order index."""

from aws_cdk import Aws, RemovalPolicy, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_logs as logs
from aws_cdk import aws_opensearchservice as opensearch

from infra.aws import acknowledged
from infra.aws.names import Names
from infra.aws.stage import Context

ENGINE = "OpenSearch_2.19"
# What the domain writes into CloudWatch Logs, and why.
_LOGS = {
    "ES_APPLICATION_LOGS": "errors",
    "INDEX_SLOW_LOGS": "slow writes",
    "SEARCH_SLOW_LOGS": "slow searches",
}
_Domain = opensearch.CfnDomain


def build(
    stack: Stack,
    context: Context,
    names: Names,
    *,
    vpc: ec2.IVpc,
    subnets: ec2.SubnetSelection,
    group: ec2.ISecurityGroup,
    key_arn: str,
) -> opensearch.CfnDomain:
    """Make the domain. Who may do what there is said by roles: the domain lets the account in."""
    sizes, name = context.sizes, names.of("orders")
    groups = {kind: _log_group(stack, names, kind) for kind in _LOGS}
    write_logs = logs.CfnResourcePolicy(
        stack,
        "SearchMayLog",
        policy_name=names.of("search-logs"),
        policy_document=stack.to_json_string(_may_log([g.log_group_arn for g in groups.values()])),
    )
    chosen = vpc.select_subnets(subnets=subnets.subnets, subnet_type=subnets.subnet_type)
    several = sizes.search_nodes > 1
    made = _Domain(
        stack,
        "Orders",
        domain_name=name,
        engine_version=ENGINE,
        cluster_config=_Domain.ClusterConfigProperty(
            instance_type=sizes.search_instance,
            instance_count=sizes.search_nodes,
            dedicated_master_enabled=sizes.search_masters > 0,
            dedicated_master_type="m7g.medium.search" if sizes.search_masters else None,
            dedicated_master_count=sizes.search_masters or None,
            zone_awareness_enabled=several,
            zone_awareness_config=_Domain.ZoneAwarenessConfigProperty(availability_zone_count=2)
            if several
            else None,
        ),
        ebs_options=_Domain.EBSOptionsProperty(
            ebs_enabled=True, volume_type="gp3", volume_size=sizes.search_storage_gb
        ),
        vpc_options=_Domain.VPCOptionsProperty(
            security_group_ids=[group.security_group_id],
            subnet_ids=chosen.subnet_ids[: 2 if several else 1],
        ),
        encryption_at_rest_options=_Domain.EncryptionAtRestOptionsProperty(
            enabled=True, kms_key_id=key_arn
        ),
        node_to_node_encryption_options=_Domain.NodeToNodeEncryptionOptionsProperty(enabled=True),
        domain_endpoint_options=_Domain.DomainEndpointOptionsProperty(
            enforce_https=True, tls_security_policy="Policy-Min-TLS-1-2-PFS-2023-10"
        ),
        access_policies=_roles_decide(name),
        log_publishing_options={
            kind: _Domain.LogPublishingOptionProperty(
                cloud_watch_logs_log_group_arn=log_group.log_group_arn, enabled=True
            )
            for kind, log_group in groups.items()
        },
    )
    made.apply_removal_policy(RemovalPolicy.RETAIN if context.sizes.keep else RemovalPolicy.DESTROY)
    made.add_resource_dependency(write_logs)
    acknowledged.domain(made, small=not several)
    return made


def arn(name: str) -> str:
    """The ARN of a domain of this account."""
    return f"arn:{Aws.PARTITION}:es:{Aws.REGION}:{Aws.ACCOUNT_ID}:domain/{name}"


def _log_group(stack: Stack, names: Names, kind: str) -> logs.LogGroup:
    return logs.LogGroup(
        stack,
        kind.title().replace("_", ""),
        log_group_name=f"/fanout/{names.stage}/search/{kind.lower()}",
        retention=logs.RetentionDays.ONE_MONTH,
        removal_policy=RemovalPolicy.DESTROY,
    )


def _may_log(arns: list[str]) -> dict[str, object]:
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "es.amazonaws.com"},
        "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
        "Resource": arns,
        "Condition": {"StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID}},
    }
    return {"Version": "2012-10-17", "Statement": [statement]}


def _roles_decide(name: str) -> dict[str, object]:
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:{Aws.PARTITION}:iam::{Aws.ACCOUNT_ID}:root"},
        "Action": [f"es:ESHttp{verb}" for verb in ("Delete", "Get", "Head", "Post", "Put")],
        "Resource": f"{arn(name)}/*",
    }
    return {"Version": "2012-10-17", "Statement": [statement]}
