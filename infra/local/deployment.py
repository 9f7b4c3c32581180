"""What is running where: the names and addresses of one pipeline on this machine.

`fanout up` writes it into its state folder; every other command reads it from there, so that
nobody types an address.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from infra.local.endpoints import endpoint_variables
from shared.settings import variable_of

FILE = "deployment.json"


@dataclass(frozen=True, slots=True)
class Deployment:
    """One running pipeline.

    Attributes:
        region: AWS region, also of an emulator.
        aws_url: endpoint of the emulator; empty for AWS itself.
        dynamodb_url: endpoint of DynamoDB and its Streams where that is another server.
        cache_url, search_url: of the cache and the search server.
        table, ledger_table, bucket, topic_arn: names of what `resources` made.
        stream_arn: of the table's stream.
        queue_urls: each consumer's dead-letter queue.
        pid: of the process that runs the pipeline.
    """

    region: str
    aws_url: str
    cache_url: str
    search_url: str
    table: str
    ledger_table: str
    bucket: str
    topic_arn: str
    stream_arn: str
    queue_urls: Mapping[str, str] = field(default_factory=dict)
    pid: int = 0
    dynamodb_url: str = ""

    def environment(self, consumer: str) -> dict[str, str]:
        """The environment of a consumer's function, less what the Lambda runtime sets itself."""
        values = {
            "table": self.table,
            "ledger_table": self.ledger_table,
            "archive_bucket": self.bucket,
            "dlq_url": self.queue_urls[consumer],
            "cache_url": self.cache_url,
            "search_url": self.search_url,
        }
        return {**self.aws_environment(), **{variable_of(name): v for name, v in values.items()}}

    def aws_environment(self) -> dict[str, str]:
        """What boto needs to reach this pipeline's AWS, emulated or real."""
        if not self.aws_url:
            inherited = ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
            kept = {name: os.environ[name] for name in inherited if name in os.environ}
            return {"AWS_REGION": self.region, "AWS_DEFAULT_REGION": self.region, **kept}
        return emulator_environment(self.aws_url, self.region, self.dynamodb_url)

    def save(self, folder: Path) -> None:
        """Write it into a state folder, whole or not at all."""
        target = folder / FILE
        draft = target.with_suffix(".new")
        draft.write_text(json.dumps(asdict(self), indent=2) + "\n")
        draft.replace(target)

    @classmethod
    def load(cls, folder: Path) -> "Deployment":
        """Read it back. FileNotFoundError if no pipeline was ever started there."""
        return cls(**json.loads((folder / FILE).read_text()))


def emulator_environment(aws_url: str, region: str, dynamodb_url: str = "") -> dict[str, str]:
    """Boto's settings for an emulator; its credentials are no secret, it checks none."""
    return {
        **endpoint_variables(aws_url, dynamodb_url),
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
