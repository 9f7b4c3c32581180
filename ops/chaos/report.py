"""What a run under faults did, for people and as JSON."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from rich.console import Console

from ops.chaos.faults import MEANINGS, Kind
from ops.console import pairs, table
from ops.verify.findings import Verdict
from ops.verify.render import is_parity, render


@dataclass(slots=True)
class KindReport:
    """One kind of fault.

    Attributes:
        kind: which.
        injected: how many had an effect.
        missed: how many found nothing to spoil, even when tried again.
        touched: processes, requests, files or invocations that they met in all.
        targets: how many had an effect on each server, consumer, or the pipeline.
    """

    kind: Kind
    injected: int = 0
    missed: int = 0
    touched: int = 0
    targets: dict[str, int] = field(default_factory=dict)

    def add(self, target: str, touched: int) -> None:
        """One fault is over; it has met so many."""
        self.touched += touched
        if touched:
            self.injected += 1
            self.targets[target] = self.targets.get(target, 0) + 1
        else:
            self.missed += 1


@dataclass(frozen=True, slots=True)
class ConsumerReport:
    """One consumer under faults.

    Attributes:
        name: of the consumer.
        delivered: records delivered and dealt with.
        batches: invocations by its mapping.
        redeliveries: of them those whose records, or some of them, were delivered again.
        errors: of them those in which the worker died, or the handler failed.
        troubles: times that stream, queue or disk failed its mapping.
        workers: worker processes started.
        recovery: seconds to have caught up after a fault: median, 95th percentile, longest.
        unrecovered: faults after which it has not caught up.
        parked: messages in its dead-letter queue; must be 0.
        given_up: records given up, and gaps in the stream; must be 0.
    """

    name: str
    delivered: int
    batches: int
    redeliveries: int
    errors: int
    troubles: int
    workers: int
    recovery: tuple[float, float, float] | None
    unrecovered: int
    parked: int
    given_up: int


@dataclass(frozen=True, slots=True)
class Report:
    """A whole run. Times in seconds."""

    seed: int
    planned: int
    kinds: Sequence[KindReport]
    consumers: Sequence[ConsumerReport]
    restarts: dict[str, int]
    written: dict[str, int]
    reads: int
    hit_ratio: float
    faults_seconds: float
    drained_seconds: float | None
    verdicts: Sequence[Verdict] = field(default_factory=list)

    @property
    def injected(self) -> int:
        """How many faults had an effect."""
        return sum(each.injected for each in self.kinds)

    @property
    def left(self) -> int:
        """How many were not begun, as the time was over."""
        return self.planned - self.injected - sum(each.missed for each in self.kinds)

    def faults_found(self) -> list[str]:
        """Why the run did not pass; empty if it did."""
        found = []
        if self.drained_seconds is None:
            found.append("not every consumer has caught up")
        if not is_parity(self.verdicts):
            found.append("a projection differs from the table")
        if empty := [each.projection for each in self.verdicts if not each.checked]:
            found.append(f"nothing was there to compare in {', '.join(empty)}")
        if parked := [each.name for each in self.consumers if each.parked]:
            found.append(f"good records were parked by {', '.join(parked)}")
        if given_up := [each.name for each in self.consumers if each.given_up]:
            found.append(f"records were given up by {', '.join(given_up)}")
        return found

    def document(self) -> dict[str, Any]:
        """For scripts."""
        return {
            "passed": not self.faults_found(),
            "reasons": self.faults_found(),
            "injected": self.injected,
            "left": self.left,
            **asdict(self),
        }


def render_report(screen: Console, report: Report) -> None:
    """Print all tables."""
    rows = [
        (each.kind, each.injected, each.touched, each.missed, MEANINGS[each.kind])
        for each in report.kinds
    ]
    columns = ("fault", ">injected", ">touched", ">missed", "")
    screen.print(table(f"Faults of seed {report.seed}", columns, rows))
    screen.print(
        table("Consumers under faults", _COLUMNS, [_row(each) for each in report.consumers])
    )
    restarts = ", ".join(f"{name} {count}" for name, count in report.restarts.items())
    written = {
        **report.written,
        "reads through the cache": f"{report.reads} ({report.hit_ratio:.0%} hits)",
        "server restarts": restarts,
        "faults that took effect": (
            f"{report.injected} of {report.planned} in {report.faults_seconds:.1f} s"
        ),
        "not begun, as the time was over": report.left,
        "drained": "not in time"
        if report.drained_seconds is None
        else f"{report.drained_seconds:.1f} s after the last write",
    }
    screen.print(pairs("Written meanwhile", written))
    render(screen, report.verdicts)


_COLUMNS = (
    "consumer", ">records", ">batches", ">again", ">errors", ">troubles", ">workers",
    ">back p50", ">p95", ">longest", ">parked", ">given up",
)  # fmt: skip


def _row(each: ConsumerReport) -> tuple[object, ...]:
    recovery = ("",) * 3 if each.recovery is None else [f"{s:.1f} s" for s in each.recovery]
    return (
        each.name, each.delivered, each.batches, each.redeliveries, each.errors, each.troubles,
        each.workers, *recovery, each.parked, each.given_up,
    )  # fmt: skip
