"""A stage, and what is given instead of made: all that the CDK context can say, checked.

```
make synth STAGE=prod CONTEXT="alarmEmail=oncall@example.org tableArn=arn:aws:dynamodb:..."
```
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from shared.errors import InvalidSettings


@dataclass(frozen=True, slots=True)
class Sizes:
    """What differs from stage to stage.

    Attributes:
        keep: resources with data outlive the stack, and deleting them is refused.
        log_days: for which function logs are kept.
        archive_lock_days: for which Object Lock keeps each archive object.
        kinesis_shards: of a provisioned stream; 0 for on-demand.
        search_instance, search_nodes, search_storage_gb: of the OpenSearch domain.
        search_masters: dedicated ones.
        heartbeats: items written each minute; spread over the stream's shards.
    """

    keep: bool
    log_days: int
    archive_lock_days: int
    kinesis_shards: int
    search_instance: str
    search_nodes: int
    search_storage_gb: int
    search_masters: int
    heartbeats: int


STAGES: Mapping[str, Sizes] = {
    "dev": Sizes(
        keep=False,
        log_days=14,
        archive_lock_days=1,
        kinesis_shards=1,
        search_instance="t3.small.search",
        search_nodes=1,
        search_storage_gb=10,
        search_masters=0,
        heartbeats=1,
    ),
    "prod": Sizes(
        keep=True,
        log_days=90,
        archive_lock_days=365,
        kinesis_shards=0,
        search_instance="r7g.large.search",
        search_nodes=2,
        search_storage_gb=100,
        search_masters=3,
        heartbeats=8,
    ),
}


def _given(doc: str, default: Any = "") -> Any:
    return field(default=default, metadata={"doc": doc})


@dataclass(frozen=True, slots=True)
class Context:
    """Every key of the CDK context that Fanout reads. A field's name is the key."""

    stage: str = _given("dev or prod: sizes, retention, removal", "dev")
    consumers: tuple[str, ...] = _given("Deploy these alone, separated by commas", ())
    alarmEmail: str = _given("Gets an e-mail for every alarm, once it has confirmed")  # noqa: N815
    repository: str = _given("Address of the repository's files, for the runbook's links")
    tracing: bool = _given("1 to send X-Ray segments", default=False)
    tableArn: str = _given("A table that is there: see docs/aws.md")  # noqa: N815
    tableStreamArn: str = _given("Its stream, NEW_AND_OLD_IMAGES")  # noqa: N815
    tableKeyArn: str = _given("Its KMS key, if it has one of its own")  # noqa: N815
    kinesisStreamArn: str = _given("A Kinesis stream that is there")  # noqa: N815
    kinesisKeyArn: str = _given("Its KMS key, if it has one of its own")  # noqa: N815
    archiveBucket: str = _given("A bucket that is there, with Object Lock")  # noqa: N815
    archiveKeyArn: str = _given("Its KMS key, if it has one of its own")  # noqa: N815
    searchUrl: str = _given("An OpenSearch that is there")  # noqa: N815
    searchDomainArn: str = _given("Its ARN: requests are then signed")  # noqa: N815
    cacheUrl: str = _given("A Redis or Valkey that is there")  # noqa: N815
    cacheCluster: bool = _given("1 if it runs in cluster mode", default=False)  # noqa: N815
    vpcId: str = _given("The VPC in which given endpoints are reached")  # noqa: N815
    subnetIds: tuple[str, ...] = _given("Its private subnets", ())  # noqa: N815
    securityGroupId: str = _given("The functions' security group in it")  # noqa: N815
    topicArn: str = _given("An SNS topic that is there, for the alarms")  # noqa: N815

    def __post_init__(self) -> None:
        """Raise InvalidSettings that lists every fault."""
        if faults := list(_faults(self)):
            raise InvalidSettings(
                "context: " + "; ".join(faults), hint="see the table of context in docs/aws.md"
            )

    @property
    def sizes(self) -> Sizes:
        """What the stage says."""
        return STAGES[self.stage]

    @classmethod
    def read(cls, values: Mapping[str, str]) -> "Context":
        """From texts, as `-c key=value` gives them. Raises InvalidSettings."""
        known = {each.name: each for each in fields(cls)}
        if unknown := sorted(set(values) - set(known)):
            raise InvalidSettings(
                f"context: no such key: {', '.join(unknown)}",
                hint=f"there are: {', '.join(known)}",
            )
        return cls(**{name: _read(known[name].default, text) for name, text in values.items()})


def _read(default: Any, text: str) -> Any:
    if isinstance(default, bool):
        return text == "1"
    if isinstance(default, tuple):
        return tuple(part for part in text.split(",") if part)
    return text


def _faults(context: Context) -> Any:
    if context.stage not in STAGES:
        yield f"stage is {' or '.join(STAGES)}, not {context.stage!r}"
    if bool(context.tableArn) != bool(context.tableStreamArn):
        yield "tableArn and tableStreamArn come together"
    vpc = (context.vpcId, context.subnetIds, context.securityGroupId)
    if any(vpc) and not all(vpc):
        yield "vpcId, subnetIds and securityGroupId come together"
    if context.searchDomainArn and not context.searchUrl:
        yield "searchDomainArn needs searchUrl"
    for name in ("tableArn", "tableStreamArn", "kinesisStreamArn", "searchDomainArn", "topicArn"):
        value = getattr(context, name)
        if value and not value.startswith("arn:"):
            yield f"{name} is no ARN"
