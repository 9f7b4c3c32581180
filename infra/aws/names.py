"""What things are called in AWS: each name once, for stacks, dashboards and docs alike."""

from dataclasses import dataclass

from shared.errors import InvalidSpec

# S3's limit for a bucket's name, less the account and the longest name of a region.
_BUCKET_ROOM = 63 - len("-123456789012-ap-southeast-2")
RUNBOOK = "docs/runbook.md"


@dataclass(frozen=True, slots=True)
class Names:
    """The names of one stage's resources."""

    stage: str

    @property
    def prefix(self) -> str:
        """What every name starts with."""
        return f"fanout-{self.stage}"

    def of(self, part: str) -> str:
        """The name of something that there is once: `table`, `ledger`, `changes`, `alarms`."""
        return f"{self.prefix}-{part}"

    def function(self, consumer: str) -> str:
        """The Lambda function of a consumer."""
        return f"{self.prefix}-{consumer}"

    def queue(self, consumer: str) -> str:
        """The dead-letter queue of a consumer."""
        return f"{self.prefix}-{consumer}-dlq"

    def log_group(self, consumer: str) -> str:
        """The log group of a consumer's function."""
        return f"/aws/lambda/{self.function(consumer)}"

    def failure_bucket(self, consumer: str) -> str:
        """The start of the name of the bucket for batches that Lambda gave up on.

        Account and region follow. Raises InvalidSpec if S3 would find it too long.
        """
        name = f"{self.prefix}-{consumer}"
        if len(name) > _BUCKET_ROOM:
            raise InvalidSpec(
                f"consumer {consumer!r}: its bucket's name would be too long for S3",
                hint=f"take at most {_BUCKET_ROOM - len(self.prefix) - 1} letters",
            )
        return name

    def archive(self, account: str, region: str) -> str:
        """The archive's bucket."""
        return f"{self.prefix}-archive-{account}-{region}"

    def alarm(self, consumer: str, alarm: str) -> str:
        """An alarm of a consumer."""
        return f"{self.prefix}-{consumer}-{alarm}"

    def dashboard(self, subject: str) -> str:
        """A dashboard."""
        return f"{self.prefix}-{subject}"


def runbook_link(base: str, alarm: str) -> str:
    """Where the runbook speaks of an alarm; `base` is the repository's address, or empty."""
    path = f"{RUNBOOK}#{alarm}"
    return f"{base.rstrip('/')}/{path}" if base else path
