"""The sinks stack: OpenSearch and the cache, where they are not given, in a VPC of their own.

No subnet has a way to the internet: functions there reach S3 and SQS through endpoints.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from aws_cdk import Aws, RemovalPolicy, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_elasticache as elasticache
from aws_cdk import aws_logs as logs

from infra.aws import domain
from infra.aws.names import Names
from infra.aws.permissions import Reach
from infra.aws.stage import Context
from shared.spec import ConsumerSpec, Grant

HTTPS = 443
CACHE_PORT = 6379
# Of ElastiCache Serverless: reads go to a port of their own.
CACHE_READ_PORT = 6380
_MOST_CACHE_GB = 10
_MOST_CACHE_UNITS = 50_000


@dataclass(frozen=True, slots=True)
class Network:
    """Where functions must be to reach a sink."""

    vpc: ec2.IVpc
    subnets: ec2.SubnetSelection
    security_group: ec2.ISecurityGroup


@dataclass(frozen=True, slots=True)
class Sinks:
    """Where search and cache are.

    Attributes:
        reach: with the search domain's ARN, if its requests are signed.
        settings: what consumers are told of them, by the names of `Settings`.
        networks: for each grant, where its function must be; absent for what is reached anywhere.
    """

    reach: Reach
    settings: Mapping[str, str]
    networks: Mapping[Grant, Network]


def makes_any(context: Context, specs: Sequence[ConsumerSpec]) -> bool:
    """Whether a stack for sinks is needed."""
    return _makes(Grant.SEARCH_WRITE, context, specs) or _makes(Grant.CACHE_CONNECT, context, specs)


def _makes(grant: Grant, context: Context, specs: Sequence[ConsumerSpec]) -> bool:
    given = context.searchUrl if grant is Grant.SEARCH_WRITE else context.cacheUrl
    return not given and any(grant in spec.grants for spec in specs)


def given(stack: Stack, context: Context, reach: Reach) -> Sinks:
    """Both are given, or nobody asks for them. `stack` is where their functions will be."""
    network = _given_network(stack, context)
    grants = (Grant.SEARCH_WRITE, Grant.CACHE_CONNECT)
    return Sinks(reach, _given_settings(context), dict.fromkeys(grants, network) if network else {})


def build(
    stack: Stack, context: Context, names: Names, specs: Sequence[ConsumerSpec], reach: Reach
) -> Sinks:
    """Make what is not given."""
    settings = dict(_given_settings(context))
    network = _given_network(stack, context) or _made_network(stack, names)
    networks = {}
    if context.vpcId:
        networks = dict.fromkeys((Grant.SEARCH_WRITE, Grant.CACHE_CONNECT), network)
    if _makes(Grant.SEARCH_WRITE, context, specs):
        group = _letting_in(stack, "SearchIn", network, (HTTPS,))
        made = domain.build(
            stack,
            context,
            names,
            vpc=network.vpc,
            subnets=network.subnets,
            group=group,
            key_arn=reach.own_key_arn,
        )
        reach = replace(reach, search_arn=domain.arn(names.of("orders")))
        settings |= {"search_url": f"https://{made.attr_domain_endpoint}", "search_sigv4": "1"}
        networks[Grant.SEARCH_WRITE] = network
    if _makes(Grant.CACHE_CONNECT, context, specs):
        cache = _cache(stack, names, network, reach.own_key_arn)
        address = f"{cache.attr_endpoint_address}:{CACHE_PORT}"
        settings |= {"cache_url": f"rediss://{address}", "cache_cluster": "1"}
        networks[Grant.CACHE_CONNECT] = network
    return Sinks(reach, settings, networks)


def _given_settings(context: Context) -> Mapping[str, str]:
    flags = {
        "search_url": context.searchUrl,
        "search_sigv4": "1" if context.searchDomainArn else "",
        "cache_url": context.cacheUrl,
        "cache_cluster": "1" if context.cacheCluster else "",
    }
    return {name: value for name, value in flags.items() if value}


def _given_network(stack: Stack, context: Context) -> Network | None:
    if not context.vpcId:
        return None
    zones = [f"{Aws.REGION}-zone-{number}" for number, _ in enumerate(context.subnetIds)]
    vpc = ec2.Vpc.from_vpc_attributes(
        stack,
        "GivenVpc",
        vpc_id=context.vpcId,
        # Which zone a subnet is in is known to AWS; CDK wants only as many as there are subnets.
        availability_zones=zones,
        private_subnet_ids=[*context.subnetIds],
    )
    subnets = [
        ec2.Subnet.from_subnet_id(stack, f"GivenSubnet{number}", subnet)
        for number, subnet in enumerate(context.subnetIds)
    ]
    group = ec2.SecurityGroup.from_security_group_id(stack, "GivenGroup", context.securityGroupId)
    return Network(vpc, ec2.SubnetSelection(subnets=subnets), group)


def _made_network(stack: Stack, names: Names) -> Network:
    flow = logs.LogGroup(
        stack,
        "FlowLog",
        log_group_name=f"/fanout/{names.stage}/flow",
        retention=logs.RetentionDays.ONE_MONTH,
        removal_policy=RemovalPolicy.DESTROY,
    )
    vpc = ec2.Vpc(
        stack,
        "Vpc",
        max_azs=2,
        nat_gateways=0,
        subnet_configuration=[
            ec2.SubnetConfiguration(
                name="sinks", subnet_type=ec2.SubnetType.PRIVATE_ISOLATED, cidr_mask=24
            )
        ],
        flow_logs={
            "Refused": ec2.FlowLogOptions(
                destination=ec2.FlowLogDestination.to_cloud_watch_logs(flow),
                traffic_type=ec2.FlowLogTrafficType.REJECT,
            )
        },
    )
    subnets = ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_ISOLATED)
    functions = ec2.SecurityGroup(
        stack, "Functions", vpc=vpc, description="Fanout: functions that reach the sinks"
    )
    network = Network(vpc, subnets, functions)
    vpc.add_gateway_endpoint("S3", service=ec2.GatewayVpcEndpointAwsService.S3)
    vpc.add_interface_endpoint(
        "Sqs",
        service=ec2.InterfaceVpcEndpointAwsService.SQS,
        subnets=subnets,
        security_groups=[_letting_in(stack, "SqsIn", network, (HTTPS,))],
        open=False,
    )
    return network


def _letting_in(
    stack: Stack, name: str, network: Network, ports: Sequence[int]
) -> ec2.SecurityGroup:
    """A security group that lets the functions in and nobody else, and nothing out."""
    group = ec2.SecurityGroup(
        stack,
        name,
        vpc=network.vpc,
        description=f"Fanout: {name}",
        allow_all_outbound=False,
    )
    for port in ports:
        group.add_ingress_rule(network.security_group, ec2.Port.tcp(port), "from the functions")
    return group


def _cache(
    stack: Stack, names: Names, network: Network, key_arn: str
) -> elasticache.CfnServerlessCache:
    group = _letting_in(stack, "CacheIn", network, (CACHE_PORT, CACHE_READ_PORT))
    return elasticache.CfnServerlessCache(
        stack,
        "Cache",
        engine="valkey",
        major_engine_version="8",
        serverless_cache_name=names.of("cache-store"),
        description="Fanout: the application's cache",
        kms_key_id=key_arn,
        security_group_ids=[group.security_group_id],
        subnet_ids=network.vpc.select_subnets(
            subnets=network.subnets.subnets, subnet_type=network.subnets.subnet_type
        ).subnet_ids,
        # Bounds what a mistake can cost.
        cache_usage_limits=elasticache.CfnServerlessCache.CacheUsageLimitsProperty(
            data_storage=elasticache.CfnServerlessCache.DataStorageProperty(
                unit="GB", maximum=_MOST_CACHE_GB
            ),
            ecpu_per_second=elasticache.CfnServerlessCache.ECPUPerSecondProperty(
                maximum=_MOST_CACHE_UNITS
            ),
        ),
    )
