"""Run the application: several writers at once, seeded, bounded in count, paced if asked."""

import random
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime

from ops.traffic import orders, scores
from ops.traffic.table import Conflict, Item, Table

WRITERS = 4
# Orders that one writer has under way at once, so that their changes mix in the stream.
_ALIVE = 12
_SCORES_AT_ONCE = 25
# Share of an order's steps before which support edits it, and of corrections that strike out.
_EDITED = 0.04
_STRUCK_OUT = 0.33


@dataclass(slots=True)
class Tally:
    """What has been written so far; one per run, shared by the writers."""

    orders: int = 0
    scores: int = 0
    changes: int = 0
    conflicts: int = 0
    payment_failures: int = 0
    cancellations: int = 0
    edits: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def add(self, **counts: int) -> None:
        """Add to the named counts, from any thread."""
        with self._lock:
            for name, count in counts.items():
                setattr(self, name, getattr(self, name) + count)

    def counts(self) -> dict[str, int]:
        """All counts by name, for a table or JSON."""
        names = (entry.name for entry in fields(self) if not entry.name.startswith("_"))
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True, slots=True)
class Plan:
    """How much to write. `rate` is changes per second in all, 0 for as fast as it goes.

    The same seed gives the same orders, lives and scores; only their order among the writers
    is the machine's. `prefix` keeps the ids of one run apart from another's.
    """

    orders: int
    scores: int
    seed: int
    rate: float = 0.0
    prefix: str = ""


class Pace:
    """Lets at most `rate` changes through per second; all of them if it is 0."""

    def __init__(self, rate: float) -> None:
        """Start now."""
        self._interval = 1 / rate if rate else 0.0
        self._next = time.monotonic()
        self._lock = threading.Lock()

    def wait(self, stop: threading.Event, changes: int = 1) -> None:
        """Wait for the next place, or until `stop`."""
        with self._lock:
            place = max(self._next, time.monotonic() - 1.0)
            self._next = place + self._interval * changes
        delay = place - time.monotonic()
        if delay > 0:
            stop.wait(delay)


class Application:
    """The writers of one run and what they share."""

    def __init__(self, table: Table, plan: Plan, tally: Tally, stop: threading.Event) -> None:
        """`stop` ends the run early; `tally` can be read while it goes on."""
        self._table = table
        self._plan = plan
        self._tally = tally
        self._stop = stop
        self._pace = Pace(plan.rate)

    def run(self) -> None:
        """Write everything in the plan, or until stopped; raises a writer's first error."""
        with ThreadPoolExecutor(WRITERS + 1, "traffic") as pool:
            writers = [pool.submit(self._write_orders, number) for number in range(WRITERS)]
            writers.append(pool.submit(self._write_scores))
            try:
                for writer in writers:
                    writer.result()
            except BaseException:
                self._stop.set()
                raise

    def _write_orders(self, writer: int) -> None:
        fresh = self._orders_of(writer)
        rng = random.Random(f"{self._plan.seed}/writer/{writer}")
        alive: list[tuple[Item, random.Random]] = []
        while not self._stop.is_set():
            while len(alive) < _ALIVE and (order := next(fresh, None)):
                self._pace.wait(self._stop)
                self._create(order[0])
                self._tally.add(orders=1, changes=1)
                alive.append(order)
            if not alive:
                return
            place = rng.randrange(len(alive))
            item, own = alive[place]
            self._pace.wait(self._stop)
            after = self._step(item, own)
            if after is None or orders.is_final(after):
                alive.pop(place)
            else:
                alive[place] = (after, own)

    def _create(self, item: Item) -> None:
        # The ids are this run's own: what is there already is what an unanswered try has written.
        with suppress(Conflict):
            self._table.create(item)

    def _orders_of(self, writer: int) -> Iterator[tuple[Item, random.Random]]:
        for number in range(writer, self._plan.orders, WRITERS):
            rng = random.Random(f"{self._plan.seed}/order/{number}")
            order_id = f"{self._plan.prefix}ord-{number:06}"
            yield orders.new_order(rng, order_id, datetime.now(UTC)), rng

    def _step(self, item: Item, rng: random.Random) -> Item | None:
        """One step of an order's life; now and then support edits it meanwhile."""
        edited = orders.edit(item, rng) if rng.random() < _EDITED else None
        after = orders.advance(item, rng)
        try:
            if edited is not None:
                self._table.replace(item, edited)
                self._tally.add(edits=1, changes=1)
                # The workflow does not know: its write below fails on the version.
            self._table.replace(item, after)
        except Conflict:
            self._tally.add(conflicts=1)
            return self._table.read((item["PK"], item["SK"]))
        self._tally.add(changes=1)
        if after is None:
            self._tally.add(cancellations=1)
        elif after["status"].startswith("PAYMENT_") and after["workflowContext"]["lastError"]:
            self._tally.add(payment_failures=1)
        return after

    def _write_scores(self) -> None:
        rng = random.Random(f"{self._plan.seed}/scores")
        for start in range(0, self._plan.scores, _SCORES_AT_ONCE):
            if self._stop.is_set():
                return
            numbers = range(start, min(start + _SCORES_AT_ONCE, self._plan.scores))
            ids = [f"{self._plan.prefix}score-{number:06}" for number in numbers]
            fresh = [scores.new_score(rng, score_id, datetime.now(UTC)) for score_id in ids]
            self._pace.wait(self._stop, len(fresh))
            self._table.create_many(fresh)
            self._tally.add(scores=len(fresh), changes=len(fresh))
            for item in rng.sample(fresh, len(fresh) // 8):
                self._pace.wait(self._stop)
                struck_out = rng.random() < _STRUCK_OUT
                with suppress(Conflict):
                    self._table.replace(item, None if struck_out else scores.correct(item, rng))
                self._tally.add(changes=1)
