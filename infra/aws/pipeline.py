"""The pipeline stack: every consumer, the heartbeat's writer, and the setup of the order index."""

from collections.abc import Sequence

from aws_cdk import CustomResource, Duration, RemovalPolicy, Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_lambda as lambda_

from infra.aws import consumer
from infra.aws.consumer import Consumer
from infra.aws.data import Data
from infra.aws.function import Function, function
from infra.aws.packages import Packages
from infra.aws.permissions import heartbeat_statements, search_setup_statements
from infra.aws.sinks import Sinks
from infra.aws.stage import Context
from shared.settings import variable_of
from shared.spec import ConsumerSpec, Grant

_HEARTBEAT_MODULE = "infra.aws.functions.heartbeat"
_SETUP_MODULE = "infra.aws.functions.search_setup"
# The variable that infra.aws.functions.heartbeat reads.
_HEARTBEATS = "FANOUT_HEARTBEATS"
_SMALL_MB = 256
_SETUP_SECONDS = 120


def build(
    stack: Stack,
    context: Context,
    specs: Sequence[ConsumerSpec],
    packages: Packages,
    *,
    data: Data,
    sinks: Sinks,
) -> list[Consumer]:
    """Make all of it."""
    settings = {**data.settings, **sinks.settings}
    setup = None
    if any(Grant.SEARCH_WRITE in spec.grants for spec in specs):
        setup = _search_setup(stack, context, packages, sinks)
    made = []
    for spec in specs:
        each = consumer.build(stack, spec, context, packages, sinks=sinks, settings=settings)
        if setup is not None and Grant.SEARCH_WRITE in spec.grants:
            # No record comes before there is an index to write to.
            stack.node.find_child(f"{spec.name.title()}Mapping").node.add_dependency(setup)
        made.append(each)
    _heartbeat(stack, context, packages, data)
    return made


def _heartbeat(stack: Stack, context: Context, packages: Packages, data: Data) -> None:
    made = function(
        stack,
        Function(
            part="Heartbeat",
            name="heartbeat",
            module=_HEARTBEAT_MODULE,
            purpose="Writes the heartbeats by which freshness is measured",
            memory_mb=_SMALL_MB,
            timeout_seconds=30,
            environment={
                variable_of("table"): data.settings["table"],
                _HEARTBEATS: str(context.sizes.heartbeats),
            },
        ),
        context,
        packages,
        lambda log_group_arn: heartbeat_statements(data.reach, log_group_arn),
    )
    events.Rule(
        stack,
        "EveryMinute",
        description="Fanout: a heartbeat for every consumer",
        schedule=events.Schedule.rate(Duration.minutes(1)),
        # A heartbeat that comes late says nothing: the next one is on its way.
        targets=[targets.LambdaFunction(made, retry_attempts=0, max_event_age=Duration.minutes(1))],
    )


def _search_setup(
    stack: Stack, context: Context, packages: Packages, sinks: Sinks
) -> CustomResource:
    network = sinks.networks.get(Grant.SEARCH_WRITE)
    told = {name: sinks.settings.get(name, "") for name in ("search_url", "search_sigv4")}
    made: lambda_.Function = function(
        stack,
        Function(
            part="SearchSetup",
            name="search-setup",
            module=_SETUP_MODULE,
            purpose="Creates the order index and its aliases, at each deployment",
            memory_mb=_SMALL_MB,
            timeout_seconds=_SETUP_SECONDS,
            environment={variable_of(name): value for name, value in told.items() if value},
            network=network,
        ),
        context,
        packages,
        lambda log_group_arn: search_setup_statements(
            sinks.reach, log_group_arn, in_vpc=network is not None
        ),
    )
    return CustomResource(
        stack,
        "OrderIndex",
        service_token=made.function_arn,
        resource_type="Custom::FanoutOrderIndex",
        removal_policy=RemovalPolicy.RETAIN,
        properties={
            "Shards": str(max(1, context.sizes.search_nodes)),
            # Run again when what the index is made of has changed.
            "Code": packages.digest(_SETUP_MODULE),
        },
    )
