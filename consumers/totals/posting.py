"""From a batch of contributions to parcels: what goes into the ledger, and together with what.

Of each score only the newest version is posted. The scores of one player form a group, which
changes the player's total once; groups share a transaction while they fit. Pure.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from consumers.totals.ledger import EXACT, ZERO, LedgerEntry
from consumers.totals.projection import Contribution
from shared.errors import Unavailable

# TransactWriteItems takes 100 items. Its 4 MB are out of reach: an item of ours has under 4 kB.
MAX_ITEMS = 100

add, subtract = EXACT.add, EXACT.subtract


class Posting:
    """One score on its way into the ledger.

    Attributes:
        index: of the operation whose contribution is to be posted.
        newest: that contribution.
        known: value and liveness that the ledger is believed to hold; None for no entry.
        is_certain: whether the ledger itself said so; it is a guess before.
    """

    __slots__ = ("_older", "index", "is_certain", "known", "newest")

    def __init__(self, index: int, contribution: Contribution) -> None:
        self.index = index
        self.newest = contribution
        # Made for every score, and few have any: no list until there is something in it.
        self._older: list[tuple[int, Contribution]] | None = None
        self.is_certain = False
        replaced = contribution.replaced
        self.known: tuple[Decimal, bool] | None = None if replaced is None else (replaced, True)

    def add(self, index: int, contribution: Contribution) -> None:
        """Another version of the same score, later in the batch; `arrange` before use."""
        if self._older is None:
            self._older = []
        self._older.append((self.index, self.newest))
        self.index, self.newest = index, contribution

    def arrange(self) -> None:
        """Order the versions; believe of the ledger what the oldest of them replaced."""
        versions = [*(self._older or ()), (self.index, self.newest)]
        # Stable: of equal versions (scores that carry none) the later in the batch counts.
        versions.sort(key=lambda entry: entry[1].version)
        replaced = versions[0][1].replaced
        self.known = None if replaced is None else (replaced, True)
        self.index, self.newest = versions.pop()
        self._older = versions

    @property
    def indexes(self) -> Iterator[int]:
        """The operations that stand or fall with it: the newest and those it supersedes."""
        return (index for index, _ in (*(self._older or ()), (self.index, self.newest)))

    def fall_back(self) -> bool:
        """Give up the newest version; whether there is an older one to post."""
        if not self._older:
            return False
        self.index, self.newest = self._older.pop()
        return True

    def learn(self, entry: LedgerEntry | None) -> bool:
        """Believe what the ledger really holds. False if that is as new as this posting.

        An equal version counts as older if it says otherwise, which happens only to scores
        without a version of their own.
        """
        self.is_certain = True
        if entry is None:
            self.known = None
            return True
        self.known = (entry.value, entry.live)
        newest = self.newest
        return entry.version < newest.version or (
            entry.version == newest.version and self.known != (newest.value, newest.live)
        )


class Group:
    """Postings to one player's total."""

    __slots__ = ("postings", "user")

    def __init__(self, user: str, postings: list[Posting]) -> None:
        self.user = user
        self.postings = postings

    def change(self) -> tuple[Decimal, int]:
        """What the total gains, and how many live scores."""
        # Not the operators: those round to the thread's precision.
        total, scores = ZERO, 0
        for posting in self.postings:
            newest, known = posting.newest, posting.known
            total = add(total, newest.value)
            scores += newest.live
            if known is not None:
                total = subtract(total, known[0])
                scores -= known[1]
        return total, scores

    def halves(self) -> list["Group"]:
        """Two smaller groups, of one that has more than one posting."""
        middle = len(self.postings) // 2
        return [Group(self.user, self.postings[:middle]), Group(self.user, self.postings[middle:])]


@dataclass(slots=True)
class Parcel:
    """Groups that share one transaction; never two of one player.

    Attributes:
        waits: how often it has been put off.
        not_before: when to try it, on the monotonic clock.
        cause: why it was put off.
        asks: only to learn what the ledger holds; nothing is written.
    """

    groups: list[Group]
    waits: int = 0
    not_before: float = 0.0
    cause: Unavailable | None = None
    asks: bool = False


def fold(operations: Sequence[Contribution]) -> list[Group]:
    """One posting for each score, grouped by player, in the order of their first records."""
    postings: dict[str, Posting] = {}
    by_user: dict[str, list[Posting]] = {}
    repeated: dict[str, Posting] = {}
    for index, contribution in enumerate(operations):
        source = contribution.source
        if source in postings:
            repeated[source] = postings[source]
            postings[source].add(index, contribution)
            continue
        postings[source] = posting = Posting(index, contribution)
        user = contribution.user
        if user in by_user:
            by_user[user].append(posting)
        else:
            by_user[user] = [posting]
    for posting in repeated.values():
        posting.arrange()
    return [Group(user, members) for user, members in by_user.items()]


def pack(groups: Iterable[Group]) -> list[Parcel]:
    """Fill transactions with whole groups; a player of more than 99 scores gets several."""
    parcels: list[Parcel] = []
    room = 0
    for group in groups:
        rest = group.postings
        while len(rest) >= MAX_ITEMS:
            parcels.append(Parcel([Group(group.user, rest[: MAX_ITEMS - 1])]))
            rest, room = rest[MAX_ITEMS - 1 :], 0
        if not rest:
            continue
        needed = len(rest) + 1
        if needed > room:
            parcels.append(Parcel([]))
            room = MAX_ITEMS
        parcels[-1].groups.append(Group(group.user, rest))
        room -= needed
    return parcels
