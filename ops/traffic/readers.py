"""The application's readers at work: they fill the cache, so that it can go stale at all."""

import random
import threading
from typing import Any, Self

from ops.traffic.reads import Reads, Source
from ops.traffic.run import Plan, Tally
from ops.traffic.scores import PLAYERS
from shared.cache import CacheReader
from shared.cache_client import connect
from shared.errors import Retryable

_PAUSE_SECONDS = 0.01
_CACHE_SECONDS = 0.25


class Readers:
    """Reads orders, customers' lists and totals while they are written, from enter to exit."""

    def __init__(
        self,
        table: str,
        cache_url: str,
        plan: Plan,
        tally: Tally,
        *,
        source: Source | None = None,
        number: int = 0,
    ) -> None:
        """Read what a run of `plan` writes, as far as `tally` says it has got.

        `source` stands in for the table, as a slower one; `number` tells several readers
        apart, so that each reads something else.
        """
        self._client = connect(cache_url, cluster=False, seconds=_CACHE_SECONDS)
        self._cache: CacheReader[Any] = CacheReader(self._client)
        self._reads = Reads(source or Source(table), self._cache)
        self._plan, self._tally = plan, tally
        self._rng = random.Random(f"{plan.seed}/readers/{number}")
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="readers", daemon=True)
        self.count = 0

    def __enter__(self) -> Self:
        """Begin to read."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Read no more, and let go of the connections."""
        self._stop.set()
        self._thread.join()
        self._client.close()

    def _run(self) -> None:
        while not self._stop.wait(_PAUSE_SECONDS):
            try:
                self._read_one()
            except Retryable:
                continue  # the table did not answer: a reader shows an error page and goes on
            self.count += 1

    def hit_ratio(self) -> float:
        """Share of the reads that the cache answered."""
        stats = self._cache.stats
        return stats.hits / max(1, self.count)

    def _read_one(self) -> None:
        rng, prefix = self._rng, self._plan.prefix
        # Most reads go to a few items, as they do in life: to old favourites, and to what is new
        # and still changes.
        count = max(1, self._tally.orders)
        number = int(rng.expovariate(1 / 40)) % count
        if rng.random() < 0.5:
            number = count - 1 - number
        match rng.randrange(10):
            case 0:
                self._reads.total(f"player-{number % PLAYERS:03}")
            case 1:
                self._reads.customer_orders(f"cust-{1 + number % 400:05}")
            case 2:
                self._reads.score(f"{prefix}score-{number:06}")
            case _:
                self._reads.order(f"{prefix}ord-{number:06}")
