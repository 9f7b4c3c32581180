"""The application's readers at work: they fill the cache, so that it can go stale at all."""

import random
import threading
from typing import Any

from ops.traffic.reads import Reads, Source
from ops.traffic.run import Plan, Tally
from ops.traffic.scores import PLAYERS
from shared.cache import CacheReader
from shared.cache_client import connect

_PAUSE_SECONDS = 0.01
_CACHE_SECONDS = 0.25


class Readers:
    """A thread that reads orders, customers' lists and totals while they are written."""

    def __init__(self, table: str, cache_url: str, plan: Plan, tally: Tally) -> None:
        """Read what a run of `plan` writes, as far as `tally` says it has got."""
        self._client = connect(cache_url, cluster=False, seconds=_CACHE_SECONDS)
        self._cache: CacheReader[Any] = CacheReader(self._client)
        self._reads = Reads(Source(table), self._cache)
        self._plan, self._tally = plan, tally
        self._rng = random.Random(f"{plan.seed}/readers")
        self.count = 0

    def run(self, stop: threading.Event) -> None:
        """Read until `stop`."""
        while not stop.wait(_PAUSE_SECONDS):
            self._read_one()
            self.count += 1

    def hit_ratio(self) -> float:
        """Share of the reads that the cache answered."""
        stats = self._cache.stats
        return stats.hits / max(1, self.count)

    def close(self) -> None:
        """Let go of the connections."""
        self._client.close()

    def _read_one(self) -> None:
        rng, prefix = self._rng, self._plan.prefix
        # Most reads go to a few items, as they do in life.
        number = int(rng.expovariate(1 / 40)) % max(1, self._tally.orders)
        match rng.randrange(10):
            case 0:
                self._reads.total(f"player-{number % PLAYERS:03}")
            case 1:
                self._reads.customer_orders(f"cust-{1 + number % 400:05}")
            case 2:
                self._reads.score(f"{prefix}score-{number:06}")
            case _:
                self._reads.order(f"{prefix}ord-{number:06}")
