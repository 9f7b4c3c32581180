"""The guard: a short run in which no ratio may fall under its floor.

A shared machine makes any single run wrong now and then, so a suite that fails is measured up to
twice more, and what fails is believed only of the median of three.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import median

from bench.figures import Figure, Scale
from bench.report import number_text

# The suites that are measured.
GUARDED = ("decode", "core", "filters", "handlers", "cold_start")
_MOST_RUNS = 3
# So many failures among three runs put the median on the wrong side.
_BELIEVED = 2

Measure = Callable[[str, Scale], list[Figure]]


class GuardsNothing(Exception):
    """A guarded suite has no floor, or lost one between two runs: the guard would pass anything."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came out for one figure: `figure` with the median of `values`."""

    figure: Figure
    values: tuple[float, ...]

    @property
    def text(self) -> str:
        """One line, such as `handlers, audit, 1,000 records: 6.1 x, floor 7 (5.9, 6.1, 6.4)`."""
        figure = self.figure
        runs = ", ".join(map(number_text, self.values))
        floor = number_text(figure.floor or 0.0)
        value = number_text(figure.value)
        return f"{figure.suite}: {figure.name}: {value} {figure.unit}, floor {floor} ({runs})"


def judge(name: str, measure: Measure) -> list[Verdict]:
    """Measure a suite until it is clear which of its floors hold. Raises GuardsNothing."""
    runs = [_with_floors(name, measure)]
    while len(runs) < _MOST_RUNS and any(map(_is_open, _across(runs))):
        runs.append(_with_floors(name, measure))
    return [
        Verdict(
            replace(found[0], value=median(figure.value for figure in found)),
            tuple(figure.value for figure in found),
        )
        for found in _across(runs)
    ]


def _with_floors(name: str, measure: Measure) -> dict[str, Figure]:
    found = {
        figure.name: figure for figure in measure(name, Scale.SHORT) if figure.floor is not None
    }
    if not found:
        raise GuardsNothing(f"the suite {name} has no figure with a floor")
    return found


def _across(runs: Sequence[dict[str, Figure]]) -> Iterator[list[Figure]]:
    """Each figure in all runs."""
    for name, figure in runs[0].items():
        if any(name not in run for run in runs):
            raise GuardsNothing(f"{figure.suite}: {name} was not measured in every run")
        yield [run[name] for run in runs]


def _is_open(found: Sequence[Figure]) -> bool:
    """Whether another run could change the verdict on a figure."""
    failed = sum(not figure.holds for figure in found)
    return 0 < failed < _BELIEVED
