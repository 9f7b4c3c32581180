"""The five handlers against their baselines: batches of 10 to 10,000 records.

Both sides run as in Lambda, telemetry included, each in its own process, in turns; both write to
the loopback servers, and before anything is timed both must have written the same.
"""

from dataclasses import dataclass
from statistics import median

from bench.figures import Figure, Scale
from bench.loopback import Loopback
from bench.sameness import form_of, require_same
from bench.side import Compared, Side, Turn, compare, give, lambda_environment, take_turns
from bench.workload import prepared


@dataclass(frozen=True, slots=True)
class Goal:
    """What a consumer should reach at 1,000 records, and below what the guard fails."""

    at_least: float
    floor: float


GOALS = {
    "audit": Goal(9.0, 4.5),
    "metrics": Goal(35.0, 5.5),
    "cache": Goal(18.0, 7.0),
    "search": Goal(6.0, 3.5),
    "totals": Goal(12.0, 6.5),
}
JUDGED = 1_000
SIZES = (10, 100, 1_000, 10_000)
# A batch of 10,000 may cost as much per record as one of 100: what is over that is noise.
_GROWTH = 1.0
_GROWING = (100, 10_000)
# How often each side is called in a turn, and how many turns it has, by the size of the batch.
_CALLS = {10: 40, 100: 10, 1_000: 3, 10_000: 1}
_ROUNDS = {10: 7, 100: 7, 1_000: 15, 10_000: 5}
_SHORT_ROUNDS, _SHORT_CALLS = 5, 3
_NAIVE_RECORDS = 100


@dataclass(frozen=True, slots=True)
class _Usage:
    """Of one call, which is not timed."""

    calls: int
    size: int


def measure(scale: Scale) -> list[Figure]:
    """Measure all consumers. Raises Different if the two sides do not write the same."""
    found: list[Figure] = []
    with Loopback() as loopback:
        for consumer in GOALS:
            found += measure_consumer(consumer, scale, loopback)
    return found


def measure_consumer(consumer: str, scale: Scale, loopback: Loopback) -> list[Figure]:
    """The figures of one consumer."""
    environment = lambda_environment(loopback, consumer)
    found: list[Figure] = []
    with (
        Side(f"consumers.{consumer}.handler:handler", environment) as ours,
        Side(f"bench.baseline.{consumer}:handler", environment) as theirs,
    ):
        for records in (JUDGED,) if scale is Scale.SHORT else SIZES:
            name = _name(consumer, records)
            give(name, prepared(consumer, records), (ours, theirs))
            usage = _check(consumer, records, loopback, (ours, theirs))
            # Tracing each allocation takes longer than all that the short form measures.
            peaks = (
                []
                if scale is Scale.SHORT
                else [side.ask("peak", name=name)["bytes"] / 1000 for side in (ours, theirs)]
            )
            if scale is Scale.SHORT:
                rounds, calls = _SHORT_ROUNDS, _SHORT_CALLS
            else:
                rounds, calls = _ROUNDS[records], _CALLS[records]
            compared = compare(ours, theirs, name, rounds=rounds, calls=calls)
            found.append(
                _figure(consumer, records, compared, _details(records, compared, usage, peaks))
            )
        if scale is Scale.FULL:
            found.append(_naive(consumer, environment, ours))
            found.append(_growth(consumer, environment, ours))
    return found


def _naive(consumer: str, environment: dict[str, str], ours: Side) -> Figure:
    """For show: against a call to the destination for each record."""
    name = _name(consumer, _NAIVE_RECORDS)
    batch = prepared(consumer, _NAIVE_RECORDS)
    with Side(f"bench.baseline.naive:{consumer}", environment) as naive:
        give(name, batch, (ours, naive))
        compared = compare(ours, naive, name, rounds=_SHORT_ROUNDS, calls=1)
    return Figure(
        suite="handlers",
        name=f"{name}, against a call per record",
        value=compared.ratio,
        unit="x",
        detail={
            "ours µs/record": compared.ours / _NAIVE_RECORDS * 1e6,
            "naive µs/record": compared.theirs / _NAIVE_RECORDS * 1e6,
        },
    )


def _name(consumer: str, records: int) -> str:
    return f"{consumer}, {records:,} records"


def _check(
    consumer: str, records: int, loopback: Loopback, sides: tuple[Side, Side]
) -> tuple[_Usage, _Usage]:
    """Both sides handle the same event: they must write the same. Tells what it took each."""
    name = _name(consumer, records)
    forms, usages = [], []
    for side in sides:
        loopback.take(keep=True)
        # Each size has a call of its own: a handler may know again what it has seen.
        printed = side.ask("show", name=name, call=records)["printed"]
        sent = loopback.take()
        forms.append(form_of(consumer, sent.bodies, printed))
        size = sent.size if sent.calls else len(printed.encode())
        usages.append(_Usage(sent.calls, size))
    require_same(consumer, *forms)
    return usages[0], usages[1]


def _figure(consumer: str, records: int, compared: Compared, detail: dict[str, float]) -> Figure:
    judged = records == JUDGED
    return Figure(
        suite="handlers",
        name=_name(consumer, records),
        value=compared.ratio,
        unit="x",
        at_least=GOALS[consumer].at_least if judged else None,
        floor=GOALS[consumer].floor if judged else None,
        detail=detail,
    )


def _details(
    records: int, compared: Compared, usages: tuple[_Usage, _Usage], peaks: list[float]
) -> dict[str, float]:
    ours, theirs = usages
    return {
        "ours µs/record": compared.ours / records * 1e6,
        "baseline µs/record": compared.theirs / records * 1e6,
        "ours CPU µs/record": compared.ours_cpu / records * 1e6,
        "baseline CPU µs/record": compared.theirs_cpu / records * 1e6,
        "ours calls": ours.calls,
        "baseline calls": theirs.calls,
        "ours kB sent": ours.size / 1000,
        "baseline kB sent": theirs.size / 1000,
        **dict(zip(("ours peak kB", "baseline peak kB"), peaks, strict=False)),
    }


def _growth(consumer: str, environment: dict[str, str], ours: Side) -> Figure:
    """What a record costs in a large batch, over what it costs in a small one; in turns, too."""
    names = [_name(consumer, records) for records in _GROWING]
    with Side(f"consumers.{consumer}.handler:handler", environment) as other:
        sides = (other, ours)
        for side, name, records in zip(sides, names, _GROWING, strict=True):
            give(name, prepared(consumer, records), (side,))
        turns = [
            Turn(side, name, _CALLS[records])
            for side, name, records in zip(sides, names, _GROWING, strict=True)
        ]
        found = take_turns(turns, _ROUNDS[_GROWING[0]])
    small, large = _GROWING
    return Figure(
        suite="handlers",
        name=f"{consumer}, CPU per record at {large:,} / at {small:,}",
        value=median(many.cpu / large / (few.cpu / small) for few, many in found),
        unit="of the cost",
        at_most=_GROWTH,
    )
