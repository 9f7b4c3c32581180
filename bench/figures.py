"""What a benchmark measures: figures, and what each should reach.

A suite is a module with `measure(scale: Scale) -> list[Figure]`. It prints nothing; `bench.report`
shows the figures, `bench.guard` compares the ratios with their floors.
"""

from dataclasses import dataclass, field
from enum import StrEnum


class Scale(StrEnum):
    """How long a suite may measure: a short form for every change, a full one for the record."""

    SHORT = "short"
    FULL = "full"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One figure of one run.

    Attributes:
        suite: the module that measured it, such as `handlers`.
        name: what was measured, unique in its suite: `search, 1,000 records`.
        value: the median of the run.
        unit: `x` for a ratio to the baseline of the same run, else `ms`, `µs/record`, `changes/s` …
        at_least: the goal, if more is better.
        at_most: the goal, if less is better.
        floor: for ratios: the guard fails on the wrong side of it. Looser than the goal by what
            noise can do; None where the guard does not look.
        detail: further numbers of the same measurement by name, such as `ours µs/record`.
        note: where the time goes, or why a goal is out of reach; one sentence.
    """

    suite: str
    name: str
    value: float
    unit: str
    at_least: float | None = None
    at_most: float | None = None
    floor: float | None = None
    detail: dict[str, float] = field(default_factory=dict)
    note: str = ""

    @property
    def is_met(self) -> bool | None:
        """Whether the goal is reached; None if there is none."""
        if self.at_least is not None:
            return self.value >= self.at_least
        if self.at_most is not None:
            return self.value <= self.at_most
        return None

    @property
    def holds(self) -> bool:
        """Whether the guard lets it pass."""
        if self.floor is None:
            return True
        return self.value <= self.floor if self.at_most is not None else self.value >= self.floor
