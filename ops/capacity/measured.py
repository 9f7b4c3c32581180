"""What a record costs each consumer, as measured (`python -m ops.capacity.measure`)."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("measured.json")
# Lambda gives a whole CPU at this memory, and a share of one below it.
MB_PER_CPU = 1_769


@dataclass(frozen=True, slots=True)
class Costs:
    """Of one consumer, for items of about 2 kB.

    Attributes:
        batch_ms, record_ms: CPU time of the handler, on one core of the measuring machine.
        log_bytes_batch, log_bytes_record: what it prints.
        stored_bytes: what it stores for a record; 0 if nothing that grows.
    """

    batch_ms: float
    record_ms: float
    log_bytes_batch: float
    log_bytes_record: float
    stored_bytes: float = 0.0

    def cpu_ms(self, records: float) -> float:
        """CPU time of a batch."""
        return self.batch_ms + self.record_ms * records


@dataclass(frozen=True, slots=True)
class Measured:
    """All consumers, and where and when they were measured."""

    date: str
    machine: str
    consumers: dict[str, Costs]

    def of(self, consumer: str) -> tuple[Costs, bool]:
        """The costs of a consumer, and whether they are its own.

        One that was never measured is taken to cost what the dearest known one does.
        """
        own = self.consumers.get(consumer)
        if own is not None:
            return own, True
        return max(self.consumers.values(), key=lambda costs: costs.cpu_ms(100)), False


@cache
def load(path: Path = FILE) -> Measured:
    """Read the file."""
    told: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    consumers = {name: Costs(**costs) for name, costs in told["consumers"].items()}
    return Measured(told["date"], told["machine"], consumers)
