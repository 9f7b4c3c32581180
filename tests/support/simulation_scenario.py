"""What is to be simulated, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.support.simulation_consumer import Plan


@dataclass(frozen=True, slots=True)
class Scenario:
    """A day, or less.

    Attributes:
        seed: decides everything.
        hours: of traffic; then all is drained.
        plans: the consumers.
        changes_per_second: on average.
        items: how many items are changed, half of them of a kind that nobody reads.
        reshard_minutes, trouble_minutes: between two of them, on average; 0 for none.
        merges: shards are merged, too, which only Kinesis does.
        calm: nothing goes wrong.
        measure_memory: at every full hour, which takes time.
    """

    seed: int
    hours: float
    plans: Sequence[Plan]
    changes_per_second: float = 0.7
    items: int = 60
    reshard_minutes: float = 25.0
    trouble_minutes: float = 6.0
    merges: bool = True
    calm: bool = False
    measure_memory: bool = False


@dataclass(slots=True)
class Report:
    """What happened. `memory`: bytes, at every full hour, without the model's own."""

    seed: int
    changes: int = 0
    reshardings: int = 0
    restarts: int = 0
    faults: dict[str, int] = field(default_factory=dict)
    consumers: dict[str, dict[str, int]] = field(default_factory=dict)
    memory: list[int] = field(default_factory=list)
