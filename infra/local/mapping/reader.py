"""One consumer's reading of one shard, as a machine that takes one step at a time.

A step reads a page, or makes one invocation, or sends one message to the on-failure destination,
or saves the checkpoint; and says when the next one makes sense. There are no threads, sleeps or
clocks in here but those handed in, so that a simulation can run a day in a minute.

Nothing is dropped: a record is done when the function took it, when the filter kept it away, or
when the destination has it.
"""

from collections import deque
from dataclasses import dataclass
from typing import Any

from infra.local.lambda_runtime.invocation import NotRun
from infra.local.mapping import failure
from infra.local.mapping.ahead import ReadAhead
from infra.local.mapping.delivery import Batch, judge, pause_seconds
from infra.local.mapping.failure import Condition, GivenUp, Place
from infra.local.mapping.intake import Intake
from infra.local.mapping.lambda_records import lambda_event
from infra.local.mapping.numbers import Numbers
from infra.local.mapping.progress import Progress
from infra.local.mapping.source import TRIM_HORIZON, StreamGone, Trimmed
from infra.local.mapping.wiring import Wiring
from shared.errors import FanoutError

# Seconds between looks at a quiet shard, where the stream itself does not say.
IDLE_SECONDS = 0.1
# What came after a moment less than this ago is still in the stream, which keeps 24 hours.
_KEPT_SECONDS = 23 * 3600.0


@dataclass(frozen=True, slots=True)
class _Owed:
    """A message that the destination has to take before anything else happens."""

    document: dict[str, Any]
    count: int = 0
    event: bytes | None = None


class ShardReader:
    """Reads one shard for one consumer. Used by one thread at a time; what it shows, by any.

    Attributes:
        shard_id: the shard's.
        numbers: what happened since the start.
        finished: the shard is closed, and done to its end.
        last_error, last_error_at: what went wrong last, and when, in seconds since the epoch.
    """

    def __init__(self, wiring: Wiring, shard_id: str, start: str = TRIM_HORIZON) -> None:
        """Stand where the checkpoint says; without one, at `start`.

        Raises CheckpointDamaged, or Unavailable if the disk does not do its part.
        """
        self.shard_id = shard_id
        self.numbers = Numbers()
        self.last_error, self.last_error_at = "", 0.0
        self._wiring, self._config, self._clock = wiring, wiring.config, wiring.clock
        self._place = Place.of(wiring.config, wiring.stream, shard_id)
        self._progress = Progress(wiring.checkpoints, shard_id, wiring.clock, start)
        self._intake = Intake(wiring.config, wiring.clock, self._progress.since)
        self._cursor = self._open(self._progress.position)
        self.finished = self._progress.closed
        self._closed = self._unlisted = False
        self._batches: deque[Batch] = deque()
        self._owed: _Owed | None = None
        self._failures = 0
        self._not_before = 0.0

    def step(self) -> float:
        """Do the next thing. Returns the seconds after which to call again; 0 for at once.

        What goes wrong on purpose (FanoutError) is noted, and tried again after a pause. Any
        other error is raised; nothing is lost by it, and the next call goes on.
        """
        if self.finished:
            return IDLE_SECONDS
        left = self._not_before - self._clock.monotonic()
        if left > 0:
            return left
        try:
            return self._step()
        except FanoutError as error:
            throttled = isinstance(error, NotRun)
            self.numbers.throttles += throttled
            self.numbers.troubles += not throttled
            return self._pause(str(error))

    def flush(self) -> None:
        """Save what is done, before the end of a run. Raises Unavailable."""
        self._progress.flush()

    def unlisted(self) -> None:
        """The stream no longer lists the shard. What can still be read of it is delivered."""
        self._unlisted = True

    @property
    def retrying(self) -> bool:
        """Whether something is being tried again."""
        return self._failures > 0

    @property
    def caught_up_at(self) -> float:
        """All that came until then is done; in seconds since the epoch, 0 for never."""
        return self._progress.caught_up_at

    def lag(self) -> tuple[int, float]:
        """(records known to be undelivered, arrival of the oldest that was read, or 0)."""
        oldest = self._intake.oldest()
        count = len(self._intake) + self._cursor.behind()
        for batch in reversed(tuple(self._batches)):
            entries = tuple(batch.entries)
            count += len(entries)
            oldest = entries[0] if entries else oldest
        return count, oldest.arrived if oldest else 0.0

    def _step(self) -> float:
        if self._owed is not None:
            self._send(self._owed)
        elif self._progress.unsaved:
            self._progress.save()
        elif self._batches:
            return self._deliver(self._batches[0])
        elif self._intake.ready(self._closed, self._cursor.begun):
            self._batches.append(self._intake.cut())
        elif self._closed:
            self._progress.save(closed=True)
            self.finished = True
        else:
            return self._read()
        return 0.0

    def _read(self) -> float:
        self._progress.save_now_and_then()
        try:
            sifted = self._cursor.read()
        except Trimmed as error:
            self._reopen(error)
            return 0.0
        except StreamGone:
            if not self._unlisted:
                raise
            self._closed = True
            self._owe_gap("the stream forgot the shard before it was read to its end")
            return 0.0
        self._failures = 0
        page = sifted.page
        self.numbers.filtered += self._intake.take(sifted)
        self._closed = page.closed
        self._progress.read(page)
        self._settle()
        if page.entries or page.closed:
            return 0.0
        return self._intake.shorten(page.retry_after or IDLE_SECONDS)

    def _settle(self) -> None:
        if not self._intake and not self._batches:
            self._progress.settle()

    def _deliver(self, batch: Batch) -> float:
        oldest = self._clock.wall() - self._config.record_age_seconds
        if self._config.record_age_seconds >= 0 and (expired := batch.older_than(oldest)):
            self._give_up(batch, expired, Condition.AGE)
            return 0.0
        entries = batch.entries
        # The next batch is read meanwhile; nothing is asked of it before it is needed.
        self._cursor.begin(self._intake.room)
        outcome = self._wiring.invoke(lambda_event([entry.encoded for entry in entries]))
        batch.tries += 1
        batch.last = outcome
        self.numbers.batches += 1
        self.numbers.errors += outcome.failure is not None
        verdict = judge(outcome, entries, self._config.report_failures)
        self.numbers.failures += verdict.done < len(entries)
        if verdict.done:
            self.numbers.delivered += verdict.done
            self._failures = 0
            self._advance(batch, verdict.done)
            if not batch.entries:
                return 0.0
        elif verdict.splits and self._config.bisect and len(entries) > 1:
            self._batches.popleft()
            self._batches.extendleft(reversed(batch.halves()))
        elif 0 <= self._config.retries < batch.tries:
            self._give_up(batch, len(entries), Condition.RETRIES)
            return 0.0
        return self._pause(verdict.reason)

    def _advance(self, batch: Batch, count: int) -> None:
        """The first `count` records are done; what is left of the batch has its whole budget."""
        mark = batch.entries[count - 1].mark
        del batch.entries[:count]
        batch.tries = 0
        if not batch.entries:
            self._batches.popleft()
        self._progress.done(mark)
        self._settle()

    def _give_up(self, batch: Batch, count: int, condition: Condition) -> None:
        entries, now = batch.entries[:count], self._clock.wall()
        given_up = GivenUp(entries, condition, batch.tries, batch.last)
        document = failure.on_failure(self._place, given_up, now)
        self._note(f"{count} records were given up: {condition}")
        self._owed = _Owed(document, count, lambda_event([each.encoded for each in entries]))

    def _send(self, owed: _Owed) -> None:
        self._wiring.destination.send(self._place, owed.document, owed.event, self._clock.wall())
        self._owed = None
        self._failures = 0
        if owed.count:
            self.numbers.discarded += owed.count
            self._advance(self._batches[0], owed.count)

    def _reopen(self, error: Trimmed) -> None:
        """The stream forgot what follows: go on with the oldest that it has, and say so."""
        # If all was read less than a day ago, it forgot only what was read before.
        if self._clock.wall() - self._progress.read_all_at > _KEPT_SECONDS:
            self._owe_gap(error.reason)
        self._cursor = self._open(TRIM_HORIZON)

    def _open(self, position: str) -> ReadAhead:
        cursor = self._wiring.stream.open(self.shard_id, position)
        beside, sift = self._wiring.beside, self._intake.sift
        return ReadAhead(cursor, beside, sift, self._config.batch_size)

    def _owe_gap(self, reason: str) -> None:
        self.numbers.gaps += 1
        self._note(reason)
        after, now = self._progress.read_mark, self._clock.wall()
        document = failure.gap(self._place, self._config.consumer, after, reason, now)
        self._owed = _Owed(document)

    def _pause(self, reason: str) -> float:
        self._failures += 1
        self._note(reason)
        pause = pause_seconds(self._failures, self._wiring.chance)
        self._not_before = self._clock.monotonic() + pause
        return pause

    def _note(self, error: str) -> None:
        self.last_error, self.last_error_at = error, self._clock.wall()
