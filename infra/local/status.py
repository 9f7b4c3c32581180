"""What a running pipeline says of itself, several times a second, in its state folder.

A file, so that asking costs the pipeline nothing and works while it is busy.
"""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

FILE = "status.json"


@dataclass(frozen=True, slots=True)
class ConsumerStatus:
    """One consumer at one moment.

    Attributes:
        name: of the consumer.
        lag_records: records in the stream that it has not yet dealt with.
        lag_ms: age of the oldest of them, in milliseconds; 0 if there is none.
        delivered: records delivered and dealt with since the start, after its filter.
        per_second: of them, over the last seconds.
        batches, retries, errors: invocations; of them those that left records to be delivered
            again; of them those that failed as a whole.
        given_up: records in the on-failure destination.
        parked: messages in its dead-letter queue.
        freshness_ms: of the latest heartbeat, median and 99th percentile of the last minute.
        alarms: names of its alarms that fire.
        last_error: of its last failure, empty if there was none.
    """

    name: str
    lag_records: int = 0
    lag_ms: int = 0
    delivered: int = 0
    per_second: float = 0.0
    batches: int = 0
    retries: int = 0
    errors: int = 0
    given_up: int = 0
    parked: int = 0
    freshness_ms: tuple[float, float] | None = None
    alarms: tuple[str, ...] = ()
    last_error: str = ""


@dataclass(frozen=True, slots=True)
class ServerState:
    """One embedded server: its address and how often it had to be started again."""

    name: str
    url: str
    pid: int
    restarts: int


@dataclass(frozen=True, slots=True)
class PipelineStatus:
    """All consumers and servers at one moment. `at_ms` is the wall clock."""

    at_ms: int
    consumers: tuple[ConsumerStatus, ...] = ()
    servers: tuple[ServerState, ...] = field(default_factory=tuple)

    def save(self, folder: Path) -> None:
        """Write it into the state folder, whole or not at all."""
        draft = folder / f"{FILE}.new"
        draft.write_text(json.dumps(asdict(self)))
        draft.replace(folder / FILE)

    @classmethod
    def load(cls, folder: Path) -> "PipelineStatus":
        """Read it back. FileNotFoundError if there is none yet."""
        document = json.loads((folder / FILE).read_text())
        return cls(
            at_ms=document["at_ms"],
            consumers=tuple(_consumer(entry) for entry in document["consumers"]),
            servers=tuple(ServerState(**entry) for entry in document["servers"]),
        )


def _consumer(entry: dict[str, object]) -> ConsumerStatus:
    status = ConsumerStatus(**entry)  # type: ignore[arg-type]
    freshness = tuple(status.freshness_ms) if status.freshness_ms else None
    return ConsumerStatus(
        **{**asdict(status), "freshness_ms": freshness, "alarms": tuple(status.alarms)}
    )
