"""A Lambda function with its own role and log group: the same for every one of ours."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from aws_cdk import Duration, RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs

from infra.aws import acknowledged
from infra.aws.bundle.build import PYTHON
from infra.aws.names import Names
from infra.aws.packages import Packages
from infra.aws.permissions import Statement
from infra.aws.sinks import Network
from infra.aws.stage import Context

_RETENTION = {14: logs.RetentionDays.TWO_WEEKS, 90: logs.RetentionDays.THREE_MONTHS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """One function.

    Attributes:
        part: start of its constructs' names.
        name: the last part of its own name.
        module: that holds `handler`.
        purpose: one line for people.
        concurrency: reserved; 0 for none.
        environment: its variables.
        network: where it must be; None for anywhere.
    """

    part: str
    name: str
    module: str
    purpose: str
    memory_mb: int
    timeout_seconds: int
    concurrency: int = 0
    environment: Mapping[str, str] = field(default_factory=dict)
    network: Network | None = None


def function(
    stack: Stack,
    wanted: Function,
    context: Context,
    packages: Packages,
    statements: Callable[[str], Sequence[Statement]],
) -> lambda_.Function:
    """Make it. `statements` gets the ARN of its log streams and says what its role may do."""
    names = Names(context.stage)
    log_group = logs.LogGroup(
        stack,
        f"{wanted.part}Log",
        log_group_name=names.log_group(wanted.name),
        retention=_RETENTION[context.sizes.log_days],
        removal_policy=RemovalPolicy.DESTROY,
    )
    allowed = statements(log_group.log_group_arn)
    role = iam.Role(
        stack,
        f"{wanted.part}Role",
        description=f"Fanout {context.stage}: {wanted.name}",
        assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
        inline_policies={
            "own": iam.PolicyDocument(
                statements=[iam.PolicyStatement.from_json(each) for each in allowed]
            )
        },
    )
    acknowledged.wildcards(stack, role, allowed)
    network = wanted.network
    made = lambda_.Function(
        stack,
        f"{wanted.part}Function",
        function_name=names.function(wanted.name),
        description=wanted.purpose,
        runtime=lambda_.Runtime(f"python{PYTHON}", lambda_.RuntimeFamily.PYTHON),
        architecture=lambda_.Architecture.ARM_64,
        handler=f"{wanted.module}.handler",
        code=packages.code(wanted.module),
        memory_size=wanted.memory_mb,
        timeout=Duration.seconds(wanted.timeout_seconds),
        reserved_concurrent_executions=wanted.concurrency or None,
        environment={**wanted.environment},
        role=role.without_policy_updates(),
        log_group=log_group,
        tracing=lambda_.Tracing.ACTIVE if context.tracing else lambda_.Tracing.DISABLED,
        vpc=network.vpc if network else None,
        vpc_subnets=network.subnets if network else None,
        security_groups=[network.security_group] if network else None,
    )
    acknowledged.runtime(made)
    return made
