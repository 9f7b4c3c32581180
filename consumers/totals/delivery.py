"""One batch on its way: what is sent when, what is tried again, what is given up.

Every group ends in one of four ways: written, outrun (the ledger holds something as new),
rejected, or given up. What troubles one group never holds the others: a cancelled transaction is
taken apart and each part goes its own way. Some transactions wait for their answers at a time,
never two of one player, since those would only get in each other's way.
"""

import random
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from consumers.totals.posting import Group, Parcel, fold, pack
from consumers.totals.projection import Contribution
from consumers.totals.transaction import Cancellation
from shared.clock import Deadline
from shared.errors import Rejected, Retryable, Unavailable
from shared.runtime import WriteResult

# With less time left than this no transaction is begun; one takes some 20 ms.
TRANSACTION_SECONDS = 1.0
# Pauses are random, up to this much, doubled each time: about 3 s in all before we give up and
# leave the next try to Lambda, which retries for hours.
FIRST_PAUSE_SECONDS = 0.02
LAST_PAUSE_SECONDS = 1.0
MAX_WAITS = 10

_REFUSED_HINT = (
    "the score, or the sum it would make, needs more digits than DynamoDB's 38; mend the score in "
    "the table, then drop this record"
)
_CONTENDED = Unavailable(
    "another transaction is changing the same player's total",
    hint="normal now and then; if it lasts, lower the number of writers (parallelization)",
)
_THROTTLED = Unavailable(
    "DynamoDB has no write capacity left for a player's total or the ledger",
    hint="normal for minutes after a sudden rise; if it lasts, look at the tables' throttles",
)


class Transaction(Protocol):
    """A parcel that has been sent: either `answer` or `drop` is called, once."""

    def answer(self) -> Cancellation | None:
        """None once it is written.

        Raises Unavailable if it is not known to be written, Rejected if the request as a whole
        is refused.
        """

    def drop(self) -> None:
        """Wait for nothing; it may be written all the same."""


class Delivery:
    """Delivers one batch of contributions, once."""

    def __init__(
        self,
        operations: Sequence[Contribution],
        begin: Callable[[Parcel], Transaction],
        probe: Callable[[Deadline], None],
        deadline: Deadline,
        at_once: int,
    ) -> None:
        """Fold and pack the batch.

        Args:
            operations: the batch.
            begin: sends a parcel. Raises Unavailable if it could not be sent.
            probe: raises Retryable if the destination takes nothing, whatever it is.
            deadline: after which nothing is begun.
            at_once: how many transactions may be under way.
        """
        self._begin = begin
        self._probe = probe
        self._is_sound = False
        self._deadline = deadline
        self._queue = deque(pack(fold(operations)))
        self._sent: deque[tuple[Parcel, Transaction]] = deque()
        self._at_once = at_once
        self._in_trouble = False
        self._end: Retryable | None = None
        self._rejected: dict[int, Rejected] = {}
        self._unavailable: dict[int, Retryable] = {}
        self._conflicts = 0

    def run(self) -> WriteResult:
        """Deliver everything, or say what is not. Raises what a transaction raises else."""
        try:
            while self._queue or self._sent:
                if self._end is not None:
                    self._give_up(self._queue, self._end)
                    self._queue.clear()
                if self._may_send():
                    self._send(self._queue.popleft())
                elif self._sent:
                    self._receive(*self._sent.popleft())
        finally:
            for _, transaction in self._sent:
                transaction.drop()
        return WriteResult(self._rejected, self._unavailable, self._conflicts)

    def _may_send(self) -> bool:
        if not self._sent:
            return bool(self._queue)
        # In trouble one goes ahead and finds out; pauses are not spent while others are under way.
        if not self._queue or self._in_trouble or len(self._sent) >= self._at_once:
            return False
        following = self._queue[0]
        if following.not_before > time.monotonic():
            return False
        under_way = {group.user for parcel, _ in self._sent for group in parcel.groups}
        return under_way.isdisjoint(group.user for group in following.groups)

    def _send(self, parcel: Parcel) -> None:
        try:
            self._wait_for(parcel)
        except Retryable as cause:
            self._queue.appendleft(parcel)
            self._end = cause
            return
        try:
            self._sent.append((parcel, self._begin(parcel)))
        except Unavailable as cause:
            self._put_back(parcel, cause)

    def _wait_for(self, parcel: Parcel) -> None:
        pause = max(0.0, parcel.not_before - time.monotonic())
        if parcel.cause is not None and self._deadline.remaining() < pause + TRANSACTION_SECONDS:
            raise parcel.cause
        self._deadline.require(TRANSACTION_SECONDS, "a transaction on the totals")
        if pause:
            time.sleep(pause)

    def _receive(self, parcel: Parcel, transaction: Transaction) -> None:
        try:
            cancelled = transaction.answer()
        except Unavailable as cause:
            self._put_back(parcel, cause)
            return
        except Rejected as refusal:
            self._split(parcel.groups, refusal, parcel.asks)
        else:
            if cancelled is not None:
                self._sort_out(parcel, cancelled)
        self._in_trouble = False

    def _put_back(self, parcel: Parcel, cause: Unavailable) -> None:
        self._in_trouble = True
        if parcel.waits < MAX_WAITS:
            self._queue.appendleft(_put_off(parcel.groups, parcel.waits, cause))
        else:
            # An outage: the others would only take as long to find out.
            self._give_up([parcel], cause)
            self._end = cause

    def _sort_out(self, parcel: Parcel, cancelled: Cancellation) -> None:
        self._conflicts += cancelled.outrun
        if cancelled.again:
            again = Parcel(cancelled.again, parcel.waits, cause=parcel.cause)
            self._queue.appendleft(again)
        for group, reason in cancelled.refused:
            self._split([group], Rejected(reason), parcel.asks)
        # Alone, a contended player meets fewer writers; a throttle is not about one player.
        for group in cancelled.contended:
            self._try_later([group], parcel.waits, _CONTENDED)
        if cancelled.throttled:
            self._try_later(cancelled.throttled, parcel.waits, _THROTTLED)

    def _try_later(self, groups: list[Group], waits: int, cause: Unavailable) -> None:
        later = _put_off(groups, waits, cause)
        if waits < MAX_WAITS:
            self._queue.append(later)
        else:
            self._give_up([later], cause)

    def _split(self, groups: list[Group], refusal: Rejected, asked: bool) -> None:
        """Halve what was refused, down to the one score that is to blame."""
        if len(groups) > 1:
            middle = len(groups) // 2
            parts = [groups[:middle], groups[middle:]]
        elif len(groups[0].postings) > 1:
            parts = [[half] for half in groups[0].halves()]
        elif not asked and not groups[0].postings[0].is_certain:
            # It may be the guess that does not fit, and not the score.
            self._queue.appendleft(Parcel(groups, asks=True))
            return
        elif self._reject(groups[0], refusal):
            parts = [groups]
        else:
            parts = []
        self._queue.extendleft(Parcel(part) for part in reversed(parts))

    def _reject(self, group: Group, refusal: Rejected) -> bool:
        """Reject the one score of a group; whether an older version of it is left to post."""
        (posting,) = group.postings
        try:
            if not self._is_sound:
                # Tables that take nothing would empty the stream into the queue.
                self._probe(self._deadline)
                self._is_sound = True
        except Retryable as cause:
            self._give_up([Parcel([group])], cause)
            self._end = cause
            return False
        self._rejected[posting.index] = Rejected(refusal.reason, hint=_REFUSED_HINT)
        # An older version in the same batch would have counted, had it come by itself.
        return posting.fall_back()

    def _give_up(self, parcels: Iterable[Parcel], cause: Retryable) -> None:
        for parcel in parcels:
            for group in parcel.groups:
                for posting in group.postings:
                    self._unavailable.update(dict.fromkeys(posting.indexes, cause))


def _put_off(groups: list[Group], waits: int, cause: Unavailable) -> Parcel:
    pause = min(LAST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2**waits) * random.random()
    return Parcel(groups, waits + 1, time.monotonic() + pause, cause)
