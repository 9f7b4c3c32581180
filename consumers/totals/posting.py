"""From a batch of contributions to parcels: what goes into the ledger, and together with what.

Of each score only the newest version is posted. The scores of one player form a group, which
changes the player's total once; groups share a transaction while they fit. Pure.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from consumers.totals.ledger import LedgerEntry, exact_sum
from consumers.totals.projection import Contribution
from shared.errors import Unavailable

# TransactWriteItems takes 100 items. Its 4 MB are out of reach: an item of ours has under 4 kB.
MAX_ITEMS = 100


class Posting:
    """One score on its way into the ledger.

    Attributes:
        known: value and liveness that the ledger is believed to hold; None for no entry.
        is_certain: whether the ledger itself said so; it is a guess before.
    """

    __slots__ = ("_versions", "is_certain", "known")

    def __init__(self, index: int, contribution: Contribution) -> None:
        self._versions = [(index, contribution)]
        self.known: tuple[Decimal, bool] | None = None
        self.is_certain = False

    def add(self, index: int, contribution: Contribution) -> None:
        """Another version of the same score, later in the batch."""
        self._versions.append((index, contribution))

    def arrange(self) -> None:
        """Order the versions; believe of the ledger what the oldest of them replaced."""
        versions = self._versions
        if len(versions) > 1:
            # Stable: of equal versions (scores that carry none) the later in the batch counts.
            versions.sort(key=lambda entry: entry[1].version)
        replaced = versions[0][1].replaced
        self.known = None if replaced is None else (replaced, True)

    @property
    def newest(self) -> Contribution:
        """The contribution to post."""
        return self._versions[-1][1]

    @property
    def indexes(self) -> Iterator[int]:
        """The operations that stand or fall with it: the newest and those it supersedes."""
        return (index for index, _ in self._versions)

    def fall_back(self) -> int:
        """Give up the newest version; returns its operation's index."""
        return self._versions.pop()[0]

    @property
    def is_empty(self) -> bool:
        """Whether every version has been given up."""
        return not self._versions

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
        amounts: list[Decimal] = []
        scores = 0
        for posting in self.postings:
            newest, known = posting.newest, posting.known
            amounts.append(newest.value)
            scores += newest.live
            if known is not None:
                # Not the minus sign: that one rounds to the thread's precision.
                amounts.append(known[0].copy_negate())
                scores -= known[1]
        return exact_sum(amounts), scores

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
    for index, contribution in enumerate(operations):
        posting = postings.get(contribution.source)
        if posting is None:
            postings[contribution.source] = Posting(index, contribution)
        else:
            posting.add(index, contribution)
    by_user: dict[str, list[Posting]] = {}
    for posting in postings.values():
        posting.arrange()
        by_user.setdefault(posting.newest.user, []).append(posting)
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
