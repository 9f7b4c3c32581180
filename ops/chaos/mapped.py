"""The pipeline as a process of its own, to be killed: it delivers, and says how far it is.

`python -m ops.chaos.mapped FOLDER` runs it on servers that others own, until SIGTERM. What it says
is a file in its folder, so that asking costs it nothing and needs no answer of it.
"""

import signal
import sys
import threading
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import FrameType
from typing import Self

import orjson

from consumers.registry import REGISTRY
from infra.local.deployment import Deployment
from infra.local.mapping.numbers import MappingStatus, Numbers
from infra.local.pipeline import Options, Pipeline
from infra.local.servers.stack import Given

_ORDER, _SAID = "order.json", "mappings.json"
_SAY_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class PipelineOrder:
    """What it is to run on.

    Attributes:
        given: the servers.
        seen: fields of the deployment that look otherwise to the functions.
    """

    given: Given
    seen: dict[str, str]

    @classmethod
    def of(cls, deployment: Deployment, seen: Deployment) -> Self:
        """Run on the servers of `deployment`, which the functions know as `seen`."""
        given = Given(
            aws=deployment.aws_url,
            cache=deployment.cache_url,
            search=deployment.search_url,
            dynamodb=deployment.dynamodb_url or None,
        )
        before, after = asdict(deployment), asdict(seen)
        return cls(given, {name: after[name] for name in after if after[name] != before[name]})

    def save(self, folder: Path) -> None:
        """Write it where the process looks for it."""
        (folder / _ORDER).write_bytes(orjson.dumps(asdict(self)))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read it back."""
        document = orjson.loads((folder / _ORDER).read_bytes())
        return cls(Given(**document["given"]), document["seen"])


@dataclass(frozen=True, slots=True)
class Said:
    """What the process says of itself.

    Attributes:
        pid: whose words these are.
        mappings: each consumer's mapping, counted since this process began.
        workers: for each consumer, how many workers it has started.
    """

    pid: int
    mappings: tuple[MappingStatus, ...]
    workers: dict[str, int]

    def save(self, folder: Path) -> None:
        """Write it, whole or not at all."""
        draft = folder / f"{_SAID}.new"
        draft.write_bytes(orjson.dumps(asdict(self)))
        draft.replace(folder / _SAID)

    @classmethod
    def load(cls, folder: Path) -> Self | None:
        """Read it back; None if nothing was said yet."""
        try:
            document = orjson.loads((folder / _SAID).read_bytes())
        except FileNotFoundError:
            return None
        return cls(document["pid"], tuple(map(_status, document["mappings"])), document["workers"])


def _status(entry: dict[str, object]) -> MappingStatus:
    numbers = entry.pop("numbers")
    assert isinstance(numbers, dict)
    return MappingStatus(numbers=Numbers(**numbers), **entry)  # type: ignore[arg-type]


def main(folder: Path) -> None:
    """Run it until SIGTERM. Raises whatever keeps it from starting."""
    stop = threading.Event()

    def end(_signal: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, end)
    order = PipelineOrder.load(folder)
    options = Options(
        given=order.given,
        seen_by_workers=lambda deployment: replace(deployment, **order.seen),  # type: ignore[arg-type]
    )
    with Pipeline(REGISTRY, folder, options) as pipeline:
        while True:
            mappings = pipeline.mapping_status()
            workers = {
                each.consumer: pipeline.function(each.consumer).workers_started for each in mappings
            }
            Said(pipeline.deployment.pid, mappings, workers).save(folder)
            if stop.wait(_SAY_SECONDS):
                return


if __name__ == "__main__":
    main(Path(sys.argv[1]))
