"""The application's way to read through the cache, without ever reading it stale for long.

```python
reader = CacheReader(connect(settings.cache_url, cluster=settings.cache_cluster, seconds=0.25))
order = reader.get(entry_name(Cached.ORDER, "o-1"), lambda: table.get_order("o-1"))
```

What is promised: once the cache consumer has processed a change, no older value is in the cache,
however slow a reader was (shared.cache_leases says how). This needs of `load`:

- **a consistent read.** One that may lag, as any read of a global secondary index, can load what
  was true before the change after its lease was taken. For those, pass a short `ttl_ms`: it
  is then the bound.
- nothing kept from before the call: `load` reads when it is called.

The time to live is the bound where the consumer cannot help: a record that is parked, or a replica
that was promoted without the last invalidations. The cache must not be restored from a snapshot.

Absence is cached like any value, for a shorter time: an item that appears is a change like any
other and clears its entry, so absence is no staler than a value; but guesses at ids that never
existed would fill the cache.

Without the cache the source is read. It is not asked again for a while after a failure, so that an
outage costs a time-out now and then and not one per read.
"""

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

import orjson

from shared.cache_client import CACHE_ERRORS, Client
from shared.cache_leases import Held, Hit, Lease, Leases

T = TypeVar("T")

_ABSENT = b""
_FIRST_PAUSE_SECONDS = 0.005
_LONGEST_PAUSE_SECONDS = 0.1


@dataclass(slots=True)
class CacheStats:
    """What became of the reads so far.

    Attributes:
        hits: answered from the cache.
        filled: loaded, and put into the cache.
        refused: loaded, but the entry changed meanwhile, so not cached.
        unfilled: waited for another reader in vain and loaded without filling.
        bypassed: loaded because the cache failed, or had just failed, or held no readable value.
    """

    hits: int = 0
    filled: int = 0
    refused: int = 0
    unfilled: int = 0
    bypassed: int = 0


class CacheReader(Generic[T]):
    """Reads entries through the cache. Safe to share between threads."""

    def __init__(
        self,
        client: Client,
        *,
        ttl_ms: int = 300_000,
        absent_ttl_ms: int = 30_000,
        lease_ms: int = 10_000,
        wait_seconds: float = 0.5,
        rest_seconds: float = 1.0,
        dumps: Callable[[T], bytes] = orjson.dumps,
        loads: Callable[[bytes], T] = orjson.loads,
    ) -> None:
        """A reader with the limits that hold unless a call says otherwise.

        Args:
            client: made by `shared.cache_client.connect`, or one that returns bytes as well.
            ttl_ms: for which a value may stay at most.
            absent_ttl_ms: the same, for the knowledge that there is nothing.
            lease_ms: how long a load may take and still fill the cache.
            wait_seconds: how long to wait for another reader's load.
            rest_seconds: how long to leave a cache alone that has failed.
            dumps: a value that `load` returned, not None, to bytes, not empty.
            loads: its inverse; ValueError means that the bytes are none of ours.
        """
        self._leases = Leases(client, lease_ms)
        self._ttl_ms = ttl_ms
        self._absent_ttl_ms = absent_ttl_ms
        self._wait_seconds = wait_seconds
        self._rest_seconds = rest_seconds
        self._dumps = dumps
        self._loads = loads
        self._resume = 0.0
        self._stats = CacheStats()
        self._lock = threading.Lock()

    @property
    def stats(self) -> CacheStats:
        """A copy of the counts."""
        with self._lock:
            return replace(self._stats)

    def get(
        self, entry: str, load: Callable[[], T | None], *, ttl_ms: int | None = None
    ) -> T | None:
        """The value of `entry`: cached, or loaded by `load`, which gives None for absent.

        Of several readers that miss at once one loads; the others wait for it, and after
        `wait_seconds` load for themselves. Whatever `load` raises is raised; the cache itself
        raises nothing.
        """
        give_up = time.monotonic() + self._wait_seconds
        pause = _FIRST_PAUSE_SECONDS
        while time.monotonic() >= self._resume:
            try:
                found = self._leases.take(entry)
            except CACHE_ERRORS:
                self._rest()
                break
            match found:
                case Hit(value):
                    try:
                        known = None if value == _ABSENT else self._loads(value)
                    except ValueError:
                        break
                    self._count("hits")
                    return known
                case Lease():
                    return self._load_and_fill(found, load, ttl_ms)
                case Held():
                    if time.monotonic() >= give_up:
                        self._count("unfilled")
                        return load()
                    time.sleep(pause * random.uniform(0.5, 1.0))
                    pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
        self._count("bypassed")
        return load()

    def _load_and_fill(
        self, lease: Lease, load: Callable[[], T | None], ttl_ms: int | None
    ) -> T | None:
        try:
            value = load()
            content = _ABSENT if value is None else self._dumps(value)
            if value is not None and content == _ABSENT:
                raise ValueError("`dumps` gave no bytes, which stand for an absent item")
        except BaseException:
            self._release(lease)
            raise
        ttl_ms = self._ttl_ms if ttl_ms is None else ttl_ms
        ttl_ms = min(ttl_ms, self._absent_ttl_ms) if value is None else ttl_ms
        try:
            filled = self._leases.fill(lease, content, ttl_ms)
        except CACHE_ERRORS:
            self._rest()
            self._count("bypassed")
        else:
            self._count("filled" if filled else "refused")
        return value

    def _release(self, lease: Lease) -> None:
        try:
            self._leases.release(lease)
        except CACHE_ERRORS:
            # Then the lease ends by itself; what `load` raised matters more.
            self._rest()

    def _rest(self) -> None:
        self._resume = time.monotonic() + self._rest_seconds

    def _count(self, what: str) -> None:
        with self._lock:
            setattr(self._stats, what, getattr(self._stats, what) + 1)
