"""What the metrics should say, and what they do say: for whoever verifies them.

Pure, and by the same projection: `expected` reads the archive's records, `printed` reads the
EMF documents that were collected. Both give contributions, one by one, and `tally` adds them up.

A verifier compares the tallies, which is cheap, and only for the series that differ asks
`differing_items` which items are at fault.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Context, Decimal
from typing import Any, NamedTuple

from consumers.metrics.projection import project
from consumers.metrics.series import Series
from consumers.metrics.sink import EVENT_IDS, ITEMS
from shared import metric_names
from shared.errors import Poison
from shared.records import Record

# Metric name, and the dimensions sorted by name.
SeriesKey = tuple[str, tuple[tuple[str, str], ...]]

# Doubles up to 2^360 with 17 digits, the smallest of them 1E-130: no sum of them is rounded.
_EXACT = Context(prec=400)
_COUNT = "Count"


class Contribution(NamedTuple):
    """One value that one change adds to one metric. Counts add 1."""

    series: SeriesKey
    value: float
    item: str


@dataclass(slots=True)
class Tally:
    """How many values a metric got, and their exact sum.

    Sums are exact over the doubles that CloudWatch is given, each read as the shortest decimal
    that denotes it: 328.90 is 328.9, however many of them are added in whatever order.
    """

    count: int = 0
    total: Decimal = Decimal(0)


class Printed:
    """The contributions of EMF documents, each change counted once per series.

    Attributes:
        repeats: values that were printed again; each is also counted again in CloudWatch.
    """

    __slots__ = ("_seen", "repeats")

    def __init__(self) -> None:
        """Nothing is read yet; use one for all documents of a table."""
        # Hashes of (dimensions, event id): 64 bits keep a million apart, in a tenth of the room.
        self._seen: set[int] = set()
        self.repeats = 0

    def contributions(self, documents: Iterable[Mapping[str, Any]]) -> Iterator[Contribution]:
        """Yield what business documents contribute; documents of other namespaces are passed by.

        Raises ValueError for a business document that is not as our sink prints it.
        """
        for document in documents:
            (directive,) = document["_aws"]["CloudWatchMetrics"]
            if directive["Namespace"] != metric_names.BUSINESS:
                continue
            (names,) = directive["Dimensions"]
            dimensions = tuple(sorted((name, document[name]) for name in names))
            event_ids, items = document[EVENT_IDS], document[ITEMS]
            columns = [
                (
                    (metric["Name"], dimensions),
                    _values(document[metric["Name"]], metric["Unit"], len(event_ids)),
                )
                for metric in directive["Metrics"]
            ]
            for place, (event_id, item) in enumerate(zip(event_ids, items, strict=True)):
                identity = hash((dimensions, event_id))
                if identity in self._seen:
                    self.repeats += len(columns)
                    continue
                self._seen.add(identity)
                for series, values in columns:
                    yield Contribution(series, values[place], item)


def expected(records: Iterable[Record]) -> Iterator[Contribution]:
    """What these records contribute; each must be given once (the archive's reader sees to it).

    A record that the consumer parks contributes nothing: it is in the dead-letter queue.
    """
    for record in records:
        try:
            counted = project(record)
        except Poison:
            continue
        if counted is not None:
            for series, value in counted.samples:
                for name, number in _metrics(series, value):
                    yield Contribution((name, _dimensions(series)), number, counted.item)


def tally(contributions: Iterable[Contribution]) -> dict[SeriesKey, Tally]:
    """Add up, exactly."""
    tallies: dict[SeriesKey, Tally] = {}
    for series, value, _ in contributions:
        known = tallies.setdefault(series, Tally())
        known.count += 1
        known.total = _EXACT.add(known.total, Decimal(repr(value)))
    return tallies


def expected_counts(records: Iterable[Record]) -> dict[SeriesKey, Tally]:
    """What CloudWatch should hold after these records."""
    return tally(expected(records))


def document_counts(documents: Iterable[Mapping[str, Any]]) -> dict[SeriesKey, Tally]:
    """What the documents tell, repeats left out."""
    return tally(Printed().contributions(documents))


def differing_items(
    should: Iterable[Contribution], does: Iterable[Contribution], series: frozenset[SeriesKey]
) -> dict[str, int]:
    """The items whose contributions to `series` differ, and by how many values.

    Negative: missing from what was printed. Positive: printed and not expected. Zero: another
    value than expected.
    """
    differences: Counter[tuple[SeriesKey, str, float]] = Counter()
    for sign, contributions in ((-1, should), (1, does)):
        for key, value, item in contributions:
            if key in series:
                place = (key, item, value)
                differences[place] += sign
                if not differences[place]:
                    del differences[place]
    items: Counter[str] = Counter()
    for (_, item, _), count in differences.items():
        items[item] += count
    return dict(items)


def _metrics(series: Series, value: float) -> Iterator[tuple[str, float]]:
    yield series.count.name, 1
    if series.value is not None:
        yield series.value.name, value


def _dimensions(series: Series) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(series.dimensions.items()))


def _values(found: Any, unit: str, length: int) -> list[float]:
    """One value per change: what stands there, or as many ones as were counted."""
    if unit == _COUNT:
        if found != length:
            raise ValueError(f"a document counts {found} and names {length} changes")
        return [1] * length
    values = found if isinstance(found, list) else [found]
    if len(values) != length:
        raise ValueError(f"a document has {len(values)} values for {length} changes")
    return values
