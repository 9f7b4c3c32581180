"""One batch on its way: what is sent when, what is tried again, what is given up.

Every group ends in one of four ways: written, outrun (the ledger holds something as new),
rejected, or given up. What troubles one group never holds the others: a cancelled transaction is
taken apart and each part goes its own way.
"""

import random
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence

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


class Delivery:
    """Delivers one batch of contributions, once."""

    def __init__(
        self,
        operations: Sequence[Contribution],
        transact: Callable[[Parcel], Cancellation | None],
        probe: Callable[[Deadline], None],
        deadline: Deadline,
    ) -> None:
        """Fold and pack the batch.

        Args:
            operations: the batch.
            transact: sends a parcel; None once it is written. Raises Unavailable if it is not
                known to be written, Rejected if the request as a whole is refused.
            probe: raises Retryable if the destination takes nothing, whatever it is.
            deadline: after which nothing is begun.
        """
        self._transact = transact
        self._probe = probe
        self._is_sound = False
        self._deadline = deadline
        self._queue = deque(pack(fold(operations)))
        self._rejected: dict[int, Rejected] = {}
        self._unavailable: dict[int, Retryable] = {}
        self._conflicts = 0

    def run(self) -> WriteResult:
        """Deliver everything, or say what is not. Raises what `transact` raises else."""
        while self._queue:
            parcel = self._queue.popleft()
            try:
                self._wait_for(parcel)
            except Retryable as cause:
                self._give_up([parcel, *self._queue], cause)
                break
            self._deliver(parcel)
        return WriteResult(self._rejected, self._unavailable, self._conflicts)

    def _wait_for(self, parcel: Parcel) -> None:
        pause = max(0.0, parcel.not_before - time.monotonic())
        if parcel.cause is not None and self._deadline.remaining() < pause + TRANSACTION_SECONDS:
            raise parcel.cause
        self._deadline.require(TRANSACTION_SECONDS, "a transaction on the totals")
        if pause:
            time.sleep(pause)

    def _deliver(self, parcel: Parcel) -> None:
        try:
            cancelled = self._transact(parcel)
        except Unavailable as cause:
            if parcel.waits < MAX_WAITS:
                self._queue.appendleft(_put_off(parcel.groups, parcel.waits, cause))
            else:
                # An outage: the others would only take as long to find out.
                self._give_up([parcel, *self._queue], cause)
                self._queue.clear()
        except Rejected as refusal:
            self._split(parcel.groups, refusal, parcel.asks)
        else:
            if cancelled is not None:
                self._sort_out(parcel, cancelled)

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
            self._give_up([Parcel([group]), *self._queue], cause)
            self._queue.clear()
            return False
        self._rejected[posting.fall_back()] = Rejected(refusal.reason, hint=_REFUSED_HINT)
        # An older version in the same batch would have counted, had it come by itself.
        return not posting.is_empty

    def _give_up(self, parcels: Iterable[Parcel], cause: Retryable) -> None:
        for parcel in parcels:
            for group in parcel.groups:
                for posting in group.postings:
                    self._unavailable.update(dict.fromkeys(posting.indexes, cause))


def _put_off(groups: list[Group], waits: int, cause: Unavailable) -> Parcel:
    pause = min(LAST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2**waits) * random.random()
    return Parcel(groups, waits + 1, time.monotonic() + pause, cause)
