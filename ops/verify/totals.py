"""Is each player's total the exact sum of their scores, and does the ledger say the same?"""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

from consumers.totals.ledger import (
    KEY_ATTRIBUTE,
    KEY_PREFIX,
    ZERO,
    LedgerEntry,
    exact_sum,
    ledger_key,
    number_text,
    read_entry,
    source_key,
)
from consumers.totals.projection import VALUE
from consumers.totals.state import Total, read_total
from ops.verify.findings import Damage, Finding, Verdict
from ops.verify.table import Table, item_name, key_of, name_of, pages
from shared import entities
from shared.codec import RawImage, decode_number
from shared.entities import Kind
from shared.errors import Malformed

_NAME = "totals"
_REDRIVE = "see totals' lag in `fanout status`; redrive its dead-letter queue"
_MEND = "mend the score's attributes in the table: its next change brings the total up to date"
_FOREIGN = "somebody else writes totals or ledger entries: find out who, then rebuild the totals"


class _Score(NamedTuple):
    """A score of the table; `version` is None if it carries none."""

    user: str
    value: Decimal
    version: int | None


class _Sum:
    """What the scores of a player add up to."""

    __slots__ = ("scores", "total")

    def __init__(self) -> None:
        self.total = ZERO
        self.scores = 0

    def add(self, value: Decimal) -> None:
        self.total = exact_sum((self.total, value))
        self.scores += 1


class TotalsCheck:
    """Compares totals and ledger with the scores, all of which are read raw."""

    def __init__(self, table: Table, ledger: Table) -> None:
        """`ledger` is the second table."""
        self.verdict = Verdict(_NAME)
        self.needs_items = True
        self._table = table
        self._ledger = ledger
        self._sums: dict[str, _Sum] = {}
        self._totals: dict[str, Total] = {}
        # By the score's name in the ledger, a hash of what its entry must say.
        self._scores: dict[str, int] = {}
        self._odd: list[Finding] = []
        # Names in the ledger that are not those of the items, since too long for a key.
        self._long: dict[str, str] = {}

    def expect(self, kind: Kind, name: str, item: RawImage) -> None:
        """Add a score to its player's sum, or take note of a total."""
        try:
            if kind is Kind.SCORE:
                self._expect_score(name, item)
            elif kind is Kind.TOTAL:
                total = read_total(item)
                self._totals[total.user] = total
        except (Malformed, KeyError) as error:
            self._odd.append(_odd(name, error))

    def _expect_score(self, name: str, item: RawImage) -> None:
        source = source_key(item[entities.PARTITION_KEY]["S"], item[entities.SORT_KEY]["S"])
        if source != name:
            self._long[source] = name
        score = _read_score(item)
        self._sums.setdefault(score.user, _Sum()).add(score.value)
        self._scores[source if source != name else name] = hash(score)

    def compare(self) -> Iterator[Finding]:
        """Compare totals with sums, and each ledger entry with its score."""
        scores, self._scores = self._scores, {}
        sums, self._sums = self._sums, {}
        totals, self._totals = self._totals, {}
        self.verdict.checked = len(scores) + len(totals)
        yield from self._odd
        yield from _compare_totals(sums, totals)
        del sums, totals
        removed = 0
        for item in self._ledger.items():
            source, user, entry = _read_ledger(item)
            expected = scores.pop(source, None)
            removed += not entry.live
            if expected is None:
                yield from _compare_entry(self._name(source), None, user, entry)
            elif not entry.live or expected not in _hashes(user, entry):
                yield _suspect(self._name(source))
        for source in scores:
            yield _suspect(self._name(source))
        self.verdict.note = f"{removed:,} removed scores in the ledger" if removed else ""

    def look_again(self, suspects: Sequence[Finding]) -> Iterator[Finding]:
        """Read each suspect score and entry; sum up a suspect total's scores in one scan."""
        names = {finding.item for finding in suspects}
        total_prefix = Kind.TOTAL.value
        users = {_user_of(name) for name in names if name.startswith(total_prefix)}
        for page in pages(name for name in names if not name.startswith(total_prefix)):
            yield from self._look_at_scores(page)
        if users:
            yield from self._look_at_totals(users)

    def _look_at_scores(self, names: Sequence[str]) -> Iterator[Finding]:
        sources = {name: self._source(name) for name in names}
        stored: dict[str, tuple[str, LedgerEntry]] = {}
        for raw in self._ledger.get(map(ledger_key, sources.values())):
            source, user, entry = _read_ledger(raw)
            stored[source] = (user, entry)
        items = dict(self._table.named(names))
        for name, source in sources.items():
            item = items.get(name)
            try:
                score = None if item is None else _read_score(item)
            except (Malformed, KeyError) as error:
                yield _odd(name, error)
            else:
                yield from _compare_entry(name, score, *stored.get(source, ("", None)))

    def _look_at_totals(self, users: set[str]) -> Iterator[Finding]:
        sums: dict[str, _Sum] = {}
        totals = {}
        for item in self._table.items():
            kind = entities.kind_of(item)
            try:
                if kind is Kind.SCORE and entities.score_user(item) in users:
                    score = _read_score(item)
                    sums.setdefault(score.user, _Sum()).add(score.value)
                elif kind is Kind.TOTAL and entities.item_id(item, kind) in users:
                    total = read_total(item)
                    totals[total.user] = total
            except (Malformed, KeyError) as error:
                if kind is Kind.TOTAL:
                    yield _odd(item_name(item), error)
        yield from _compare_totals(sums, totals)

    def _name(self, source: str) -> str:
        return self._long.get(source, source)

    def _source(self, name: str) -> str:
        return next((source for source, long in self._long.items() if long == name), name)


def _read_score(item: RawImage) -> _Score:
    """Raises Malformed if it is no score that could be added up."""
    if VALUE not in item or "N" not in item[VALUE]:
        raise Malformed(f"{VALUE} is absent or no number")
    value = decode_number(item[VALUE]["N"])
    return _Score(entities.score_user(item), value, entities.version_of(item))


def _read_ledger(item: RawImage) -> tuple[str, str, LedgerEntry]:
    """(name of the score in the ledger, player, entry)."""
    source = item[KEY_ATTRIBUTE]["S"].removeprefix(KEY_PREFIX)
    return source, item["user"]["S"], read_entry(item)


def _hashes(user: str, entry: LedgerEntry) -> tuple[int, int]:
    """Of the scores, with a version and without, for which this entry is right."""
    return hash((user, entry.value, entry.version)), hash((user, entry.value, None))


def _user_of(name: str) -> str:
    return key_of(name)[0].removeprefix(Kind.TOTAL.value)


def _compare_totals(sums: Mapping[str, _Sum], totals: Mapping[str, Total]) -> Iterator[Finding]:
    nothing = _Sum()
    for user in sums.keys() | totals.keys():
        expected, stored = sums.get(user, nothing), totals.get(user)
        name = name_of(*entities.key_pair(Kind.TOTAL, user))
        should = f"{number_text(expected.total)} from {expected.scores} scores"
        if stored is None:
            if expected.scores:
                detail = f"should be {should}, and is not there"
                yield Finding(_NAME, name, Damage.MISSING, detail, _REDRIVE)
        elif (stored.total, stored.scores) != (expected.total, expected.scores):
            found = f"{number_text(stored.total)} from {stored.scores} scores"
            detail = f"is {found}; the table's scores give {should}"
            yield Finding(_NAME, name, Damage.WRONG, detail, f"{_REDRIVE}; else: {_FOREIGN}")


def _compare_entry(
    name: str, score: _Score | None, user: str, entry: LedgerEntry | None
) -> Iterator[Finding]:
    """At most one finding about a score's entry, `user` being the entry's."""
    if score is None:
        if entry is not None and (entry.live or entry.value):
            detail = f"the ledger counts {number_text(entry.value)} for it; there is no such score"
            yield Finding(_NAME, name, Damage.GHOST, detail, _REDRIVE)
    elif entry is None:
        detail = f"the ledger has no entry for this score of {number_text(score.value)}"
        yield Finding(_NAME, name, Damage.MISSING, detail, _REDRIVE)
    elif not entry.live or (score.version and entry.version < score.version):
        found = "" if entry.live else ", a removal"
        detail = f"the ledger has version {entry.version}{found}; the table has {score.version}"
        yield Finding(_NAME, name, Damage.STALE, detail, _REDRIVE)
    elif hash(score) not in _hashes(user, entry):
        detail = (
            f"the ledger counts {number_text(entry.value)} to {user} as version {entry.version}; "
            f"the score is {number_text(score.value)} of {score.user} in version {score.version}"
        )
        yield Finding(_NAME, name, Damage.WRONG, detail, _FOREIGN)


def _odd(name: str, error: Exception) -> Finding:
    what = error.reason if isinstance(error, Malformed) else f"it has no {error}"
    return Finding(_NAME, name, Damage.WRONG, f"cannot be added up: {what}", _MEND)


def _suspect(name: str) -> Finding:
    return Finding(_NAME, name, Damage.WRONG, "the ledger's entry is not the score's", _REDRIVE)
