"""Leases: how a slow reader is kept from filling the cache with what is no longer true.

```
reader   take ──────────── load ───────────── fill: only if the lease still stands
writer            write ──────────── (its change reaches the consumer)
consumer                                 UNLINK value and lease
```

Whatever a reader loaded before an invalidation, its lease is gone with it, and its fill is
refused. A reader whose lease was taken after the invalidation loads after it too, with a
consistent read, and so loads what the change left. Each step is one script or command, which
Redis carries out at one moment. The idea: "Scaling Memcache at Facebook" (NSDI 2013), 3.2.1.
"""

import secrets
from dataclasses import dataclass

from shared.cache_client import Client
from shared.cache_keys import lease_key, value_key

# The value if there is one; else 1 if the lease is now the caller's, 0 if another has it.
TAKE = """
local value = redis.call('GET', KEYS[1])
if value then return value end
if redis.call('SET', KEYS[2], ARGV[1], 'NX', 'PX', ARGV[2]) then return 1 end
return 0
"""

# 1 if the value is now in the cache, 0 if the lease was no longer the caller's.
FILL = """
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
redis.call('DEL', KEYS[2])
return 1
"""

# Give up a lease, if it is still the caller's.
RELEASE = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
"""


@dataclass(frozen=True, slots=True)
class Hit:
    """The entry is cached."""

    value: bytes


@dataclass(frozen=True, slots=True)
class Lease:
    """The caller is the one reader that may fill the entry."""

    entry: str
    token: bytes


@dataclass(frozen=True, slots=True)
class Held:
    """Another reader is filling the entry."""


class Leases:
    """The steps of a read-through, each one command. All raise CACHE_ERRORS."""

    def __init__(
        self, client: Client, lease_ms: int, *, take: str = TAKE, fill: str = FILL
    ) -> None:
        """Leases end by themselves after `lease_ms`, in case their reader has died.

        The scripts are sent once and then called by their digest; a server that has lost them,
        as after a restart, is sent them again.
        """
        self._lease_ms = lease_ms
        self._take = client.register_script(take)
        self._fill = client.register_script(fill)
        self._release = client.register_script(RELEASE)

    def take(self, entry: str) -> Hit | Lease | Held:
        """The value, or the right to fill it, or word that another reader is at it."""
        token = secrets.token_bytes(16)
        answer = self._take([value_key(entry), lease_key(entry)], [token, self._lease_ms])
        if isinstance(answer, bytes):
            return Hit(answer)
        return Lease(entry, token) if answer == 1 else Held()

    def fill(self, lease: Lease, value: bytes, ttl_ms: int) -> bool:
        """Put `value` in place for `ttl_ms` and end the lease; False if it no longer stood."""
        keys = [value_key(lease.entry), lease_key(lease.entry)]
        return bool(self._fill(keys, [lease.token, value, ttl_ms]) == 1)

    def release(self, lease: Lease) -> None:
        """End the lease without a value, so that nobody waits for one."""
        self._release([lease_key(lease.entry)], [lease.token])
