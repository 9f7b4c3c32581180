"""What a dashboard must know of a deployment: names, and ids that AWS gives out."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from infra.aws.names import Names


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployed:
    """One stage in one region; values may be CDK's tokens.

    Attributes:
        names: of the stage.
        region: such as eu-central-1.
        alarm_arn_start: what the ARN of an alarm starts with, up to its name.
        table, ledger: tables' names.
        stream: the Kinesis stream's name; empty without one.
        bucket: the archive's.
        mapping_ids: UUID of each consumer's event source mapping.
        repository: where the runbook is.
    """

    names: Names
    region: str
    alarm_arn_start: str
    table: str
    ledger: str
    stream: str
    bucket: str
    mapping_ids: Mapping[str, str] = field(default_factory=dict)
    repository: str = ""

    def alarm_arn(self, consumer: str, alarm: str) -> str:
        """The ARN of an alarm."""
        return f"{self.alarm_arn_start}{self.names.alarm(consumer, alarm)}"
