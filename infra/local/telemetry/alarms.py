"""Alarms evaluated as CloudWatch does: M of N periods, missing data, both burn-rate windows.

One machine's people do not wait six hours for an alarm to be tried: `scale` shortens every
period and window by a factor, and nothing else.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from infra.local.telemetry.metric_store import MetricStore
from shared import metric_names
from shared.alarms import Alarm, BurnRate, Missing, Signal
from shared.spec import ConsumerSpec

# The store's names for the signals that are no metrics of ours.
SIGNAL_METRICS = {
    Signal.FUNCTION_ERRORS: "FunctionErrors",
    Signal.FUNCTION_THROTTLES: "FunctionThrottles",
    Signal.ITERATOR_AGE: "IteratorAge",
    Signal.QUEUE_DEPTH: "QueueDepth",
    Signal.RECORDS_DROPPED: "RecordsDropped",
}

_STATISTICS: dict[str, Callable[[Sequence[float]], float]] = {
    "Sum": sum,
    "Maximum": max,
    "Minimum": min,
    "Average": lambda values: sum(values) / len(values),
    "SampleCount": len,
}


class State(StrEnum):
    """An alarm's state, in CloudWatch's words."""

    OK = "OK"
    ALARM = "ALARM"
    INSUFFICIENT_DATA = "INSUFFICIENT_DATA"


@dataclass(frozen=True, slots=True)
class Transition:
    """An alarm that has changed its state."""

    consumer: str
    alarm: str
    state: State
    meaning: str


class AlarmBoard:
    """The alarms of all consumers and the state that each is in."""

    def __init__(
        self, specs: Sequence[ConsumerSpec], store: MetricStore, scale: float = 1.0
    ) -> None:
        """Every alarm starts without data. `scale` 0.1 makes a minute six seconds."""
        self._specs = specs
        self._store = store
        self._scale = scale
        self._started: float | None = None
        self.states: dict[tuple[str, str], State] = {
            (spec.name, name): State.INSUFFICIENT_DATA for spec in specs for name in _names(spec)
        }

    def evaluate(self, now: float) -> Iterator[Transition]:
        """Evaluate all alarms at `now` (seconds) and yield those that changed.

        Periods before the first call are not held against anyone: nothing ran then.
        """
        if self._started is None:
            self._started = now
        for spec in self._specs:
            for alarm in spec.alarms:
                yield from self._settle(spec, alarm, self._evaluate(spec, alarm, now))
            for burn in spec.burn_rates:
                state = State.ALARM if self._burns(spec, burn, now) else State.OK
                yield from self._settle(spec, burn, state)

    def _settle(
        self, spec: ConsumerSpec, alarm: Alarm | BurnRate, state: State
    ) -> Iterator[Transition]:
        key = (spec.name, alarm.name)
        if state is not self.states[key]:
            self.states[key] = state
            yield Transition(spec.name, alarm.name, state, alarm.meaning)

    def _evaluate(self, spec: ConsumerSpec, alarm: Alarm, now: float) -> State:
        metric = alarm.metric or SIGNAL_METRICS[alarm.signal]
        period = alarm.period_seconds * self._scale
        breaching = present = 0
        for number in range(alarm.periods):
            end = now - number * period
            values = self._store.window(metric, spec.name, end - period, end)
            if values:
                present += 1
                value = _STATISTICS[alarm.statistic](values)
                breaching += value < alarm.threshold if alarm.below else value > alarm.threshold
            elif self._started is not None and end - period >= self._started:
                breaching += alarm.missing is Missing.BREACHING
        if not present and alarm.missing is Missing.MISSING:
            return State.INSUFFICIENT_DATA
        if not present and alarm.missing is Missing.IGNORE:
            return self.states[spec.name, alarm.name]
        return State.ALARM if breaching >= alarm.breaching else State.OK

    def _burns(self, spec: ConsumerSpec, burn: BurnRate, now: float) -> bool:
        return all(
            self._burn_rate(spec, now - seconds * self._scale, now) > burn.rate
            for seconds in (burn.long_seconds, burn.short_seconds)
        )

    def _burn_rate(self, spec: ConsumerSpec, start: float, end: float) -> float:
        """How many times faster than sustainable the error budget burns; 0 without data.

        No heartbeat at all is the business of the alarm on missing heartbeats.
        """
        values = self._store.window(metric_names.FRESHNESS.name, spec.name, start, end)
        if not values:
            return 0.0
        late = sum(value > spec.freshness.within_ms for value in values)
        return late / len(values) / (1 - spec.freshness.target)


def _names(spec: ConsumerSpec) -> Iterator[str]:
    yield from (alarm.name for alarm in spec.alarms)
    yield from (burn.name for burn in spec.burn_rates)
