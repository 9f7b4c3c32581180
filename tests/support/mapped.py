"""Five tiny consumers on a real table's stream, in real worker processes: for tests, and to be
killed, run as `python -m tests.support.mapped FOLDER STREAM_ARN QUEUE_URL BUCKET`.

Environment leads boto to the servers. It says `up` once it delivers, and runs until killed.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from infra.local.lambda_runtime import Function
from infra.local.mapping.checkpoint import CheckpointFolder
from infra.local.mapping.config import MappingConfig
from infra.local.mapping.destination import DeadLetters
from infra.local.mapping.kinesis import Disorder, KinesisStream
from infra.local.mapping.mapping import Mappings
from infra.local.mapping.shared_stream import SharedStream
from infra.local.mapping.streams import DynamoStream
from infra.local.mapping.wiring import Wiring
from shared.spec import ConsumerSpec, Source

SOURCES = {
    "one": Source.STREAM,
    "two": Source.STREAM,
    "three": Source.KINESIS,
    "four": Source.KINESIS,
    "five": Source.KINESIS_FANOUT,
}
ORDERS = '{"dynamodb": {"Keys": {"PK": {"S": [{"prefix": "ORDER#"}]}}}}'
_INHERITED = ("AWS_REGION", "RECORD_AFTER")


class Five:
    """The five consumers; what each was given is in `FOLDER/<name>.out`."""

    def __init__(
        self, folder: Path, stream_arn: str, queue_url: str, bucket: str, **spec: Any
    ) -> None:
        self.folder = folder
        inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        self.functions = {
            name: Function(
                f"fanout-{name}",
                "tests.support.handlers.recording.handler",
                {**inherited, "RECORD_TO": str(folder / f"{name}.out")},
                folder / f"{name}.log",
                30,
            )
            for name in SOURCES
        }
        settings = {"batch_size": 25, "retries": 2, **spec}
        table_stream = SharedStream(DynamoStream(stream_arn))
        kinesis = KinesisStream(table_stream, disorder=Disorder(repeats=0.1, reorders=0.1))
        self.mappings = Mappings(
            [
                Wiring(
                    MappingConfig.of(
                        ConsumerSpec(
                            name=name,
                            purpose="a test's",
                            destination="a file",
                            source=source,
                            filters=(ORDERS,),
                            **settings,
                        ),
                        self.functions[name].arn,
                    ),
                    table_stream if source is Source.STREAM else kinesis,
                    self.functions[name].invoke,
                    DeadLetters(queue_url, bucket),
                    CheckpointFolder(folder / "checkpoints", name, stream_arn),
                )
                for name, source in SOURCES.items()
            ]
        )

    def stop(self) -> None:
        assert self.mappings.stop(30)
        for function in self.functions.values():
            function.stop()

    def took(self, name: str) -> list[list[dict[str, Any]]]:
        """The batches that a consumer took, in order."""
        return took(self.folder, name)


def took(folder: Path, name: str) -> list[list[dict[str, Any]]]:
    """The batches that a consumer took, in order; a line that a kill cut off is none."""
    path = folder / f"{name}.out"
    lines = path.read_text().split("\n")[:-1] if path.exists() else []
    return [json.loads(line) for line in lines]


def main(folder: str, stream_arn: str, queue_url: str, bucket: str) -> None:
    five = Five(Path(folder), stream_arn, queue_url, bucket)
    five.mappings.start()
    print("up", flush=True)
    time.sleep(600)


if __name__ == "__main__":
    main(*sys.argv[1:])
