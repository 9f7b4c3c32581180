"""The metrics' sink: one EMF document per series and hundred values, printed all at once.

Each document is complete in itself, and says what it counts:

| property | |
|---|---|
| `eventIds` | of the changes counted, in the order of the values |
| `items` | the orders or scores they belong to, in the same order |

So a log search finds the orders behind a number, and a reader who must be exact
(consumers.metrics.parity) knows a change that was printed twice. That happens only if a worker dies
between printing and returning, or Kinesis repeats a change that another worker has counted.

The time of a document is that of its printing: what was delayed is counted when it is known.
"""

from collections.abc import Iterator, Sequence

from consumers.metrics.projection import Counted
from consumers.metrics.series import Series
from shared import emf, metric_names
from shared.clock import Deadline, now_ms
from shared.emf import Metric
from shared.errors import Unavailable
from shared.runtime import WriteResult
from shared.settings import Settings

EVENT_IDS = "eventIds"
ITEMS = "items"
REMEMBERED = 100_000
_LEAST_SECONDS = 0.1

Row = tuple[str, str, float]  # event id, item, value


class Recent:
    """Remembers the last `limit` / 2 ids at least, and about `limit` at most."""

    __slots__ = ("_half", "_older", "_younger")

    def __init__(self, limit: int) -> None:
        """Remember nothing yet."""
        self._half = max(1, limit // 2)
        self._older: set[str] = set()
        self._younger: set[str] = set()

    def among(self, event_ids: set[str]) -> set[str]:
        """Those of the ids that were added lately."""
        return (event_ids & self._younger) | (event_ids & self._older)

    def update(self, event_ids: set[str]) -> None:
        """Add ids; the half that is older is forgotten when the younger is full."""
        self._younger |= event_ids
        if len(self._younger) >= self._half:
            self._older, self._younger = self._younger, set()


class MetricsSink:
    """Folds a batch into documents and prints them. A repeat in this process's life counts once."""

    def __init__(self, remembered: int = REMEMBERED) -> None:
        """`remembered`: how many changes to know again; about 150 bytes each."""
        self._recent = Recent(remembered)

    def write(self, operations: Sequence[Counted], deadline: Deadline) -> WriteResult:
        """Print what the operations add. Repeats are the result's conflicts.

        All or nothing as far as a pipe allows: one write, after which the changes are remembered
        as counted. Raises Unavailable if nobody takes it; then nothing is remembered.
        """
        deadline.require(_LEAST_SECONDS, "printing metrics")
        seen = self._recent.among({counted[0] for counted in operations})
        fresh: set[str] = set()
        folded: dict[Series, list[Row]] = {}
        repeats = 0
        for event_id, item, samples in operations:
            if event_id in fresh or event_id in seen:
                repeats += 1
                continue
            fresh.add(event_id)
            for series, value in samples:
                rows = folded.get(series)
                if rows is None:
                    rows = folded[series] = []
                rows.append((event_id, item, value))
        if folded:
            _print(list(_documents(folded, now_ms())))
            self._recent.update(fresh)
        return WriteResult(conflicts=repeats)

    def probe(self, deadline: Deadline) -> None:  # noqa: ARG002 - nothing is waited for
        """Raises Unavailable if stdout is gone."""
        _print([])


def _documents(folded: dict[Series, list[Row]], timestamp_ms: int) -> Iterator[bytes]:
    for series, rows in folded.items():
        for start in range(0, len(rows), emf.MAX_VALUES):
            event_ids, items, values = zip(*rows[start : start + emf.MAX_VALUES], strict=True)
            metrics = [Metric(series.count.name, series.count.unit, (len(values),))]
            if series.value is not None:
                metrics.append(Metric(series.value.name, series.value.unit, values))
            yield from emf.documents(
                metric_names.BUSINESS,
                timestamp_ms,
                series.dimensions,
                metrics,
                {EVENT_IDS: event_ids, ITEMS: items},
            )


def _print(lines: list[bytes]) -> None:
    try:
        emf.write(lines)
    except (OSError, ValueError) as error:  # ValueError: stdout is closed
        raise Unavailable(
            f"metrics could not be printed: {type(error).__name__}",
            hint="stdout is closed or full; look at the function's log and its extensions",
        ) from error


def open_sink(settings: Settings) -> MetricsSink:  # noqa: ARG001 - stdout needs none
    """The sink; there is nothing to connect to."""
    return MetricsSink()
