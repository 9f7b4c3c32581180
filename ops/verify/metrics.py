"""Do the metrics that were printed count each archived change, once, with its value?"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from consumers.metrics.parity import (
    Contribution,
    Printed,
    SeriesKey,
    Tally,
    differing_items,
    expected,
    tally,
)
from ops.verify.findings import Damage, Finding, Verdict
from shared.archive import Archive, Change
from shared.codec import RawImage
from shared.entities import Kind
from shared.envelopes import Unreadable, read_records
from shared.records import Record

_NAME = "metrics"
_UNCOUNTED = "see metrics' lag in `fanout status`; redrive its dead-letter queue"
_UNKNOWN = "see audit's findings first: what the archive lacks is a surplus here"
_ALIEN = "find out which version of the consumer printed it; its line is in the consumer's log"
_CHUNK = 500

# All EMF documents of the consumer, from the first; called for each look.
Documents = Callable[[], Iterable[Mapping[str, Any]]]


class MetricsCheck:
    """Compares what was printed with what the archive's changes give by the same projection."""

    def __init__(self, archive: Archive, documents: Documents) -> None:
        """`documents` gives what the consumer's workers printed."""
        self.verdict = Verdict(_NAME)
        # No: metrics count changes, and those are in the archive.
        self.needs_items = False
        self._archive = archive
        self._documents = documents
        self._unreadable = 0
        # Documents that are not as our sink prints them, by their place in the log.
        self._alien: dict[int, str] = {}

    def expect(self, kind: Kind, name: str, item: RawImage) -> None:
        """Nothing to take note of."""

    def compare(self) -> Iterator[Finding]:
        """Add both sides up; where they differ, ask which items are at fault."""
        should = tally(self._expected())
        self.verdict.checked = sum(entry.count for entry in should.values())
        yield from self._compare(should)

    def look_again(self, suspects: Sequence[Finding]) -> Iterator[Finding]:
        """Add up again; of what differs now, only suspects count: the rest has just come."""
        names = {finding.item for finding in suspects}
        for finding in self._compare(tally(self._expected())):
            if finding.item in names:
                yield finding

    def _compare(self, should: Mapping[SeriesKey, Tally]) -> Iterator[Finding]:
        printed = Printed()
        does = tally(self._contributions(printed))
        for number, what in self._alien.items():
            detail = f"is no document of this consumer: {what}"
            yield Finding(_NAME, f"document {number}", Damage.CORRUPT, detail, _ALIEN)
        self.verdict.note = self._note(printed.repeats)
        nothing = Tally()
        differing = frozenset(
            series
            for series in should.keys() | does.keys()
            if should.get(series, nothing) != does.get(series, nothing)
        )
        if differing:
            does_again = self._contributions(Printed())
            items = differing_items(self._expected(), does_again, differing)
            for item, count in sorted(items.items()):
                yield _difference(item, count)

    def _note(self, repeats: int) -> str:
        notes = []
        if repeats:
            # The one surplus that is promised: a worker died between printing and returning.
            notes.append(f"{repeats:,} values printed twice, each known by its eventID")
        if self._unreadable:
            notes.append(f"{self._unreadable:,} unreadable places in the archive: see audit")
        return "; ".join(notes)

    def _contributions(self, printed: Printed) -> Iterator[Contribution]:
        """What the documents contribute; those that are none of ours are put aside."""
        self._alien = {}
        for number, document in enumerate(self._documents(), 1):
            try:
                contributed = list(printed.contributions((document,)))
            except (KeyError, TypeError, ValueError) as error:
                self._alien[number] = f"{type(error).__name__}: {error}"
            else:
                yield from contributed

    def _expected(self) -> Iterator[Contribution]:
        self._unreadable = 0
        return expected(self._records())

    def _records(self) -> Iterator[Record]:
        entries = self._archive.read()
        while chunk := list(islice(entries, _CHUNK)):
            changes = [entry for entry in chunk if isinstance(entry, Change)]
            self._unreadable += len(chunk) - len(changes)
            event = {"Records": [change.stream_entry() for change in changes]}
            for entry in read_records(event):
                # Of what cannot be read nothing can be counted: the consumer parks it as well.
                if not isinstance(entry, Unreadable):
                    yield entry


def _difference(item: str, count: int) -> Finding:
    if count < 0:
        detail = f"{-count} values of its archived changes were not printed"
        return Finding(_NAME, item, Damage.MISSING, detail, _UNCOUNTED)
    if count > 0:
        detail = f"{count} values were printed that no archived change of it gives"
        return Finding(_NAME, item, Damage.WRONG, detail, _UNKNOWN)
    detail = "other values were printed than its archived changes give"
    return Finding(_NAME, item, Damage.WRONG, detail, _ALIEN)
