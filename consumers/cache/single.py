"""A cache that is one server, or looks like one."""

from collections.abc import Sequence

from consumers.cache.connection import Connection, Endpoint, Refused, encode
from shared.cache_keys import lease_key, value_key
from shared.errors import Unavailable

_HINT = "the cache is retried until it answers; until then readers may see stale entries"
_HINTS = {
    **dict.fromkeys(
        ("NOAUTH", "WRONGPASS", "NOPERM"),
        "check the user in FANOUT_CACHE_URL, and that its ACL allows UNLINK and PING on all keys",
    ),
    **dict.fromkeys(
        ("MOVED", "ASK", "CROSSSLOT", "CLUSTERDOWN"),
        "the cache is a cluster: set FANOUT_CACHE_CLUSTER=1, and check that all slots are served",
    ),
    "READONLY": "the endpoint leads to a replica: after a failover it is resolved anew",
    "OOM": "the cache is full and refuses commands: set an eviction policy such as allkeys-lru",
}


class SingleServer:
    """Removes entries from one server, over one connection that is kept between batches."""

    __slots__ = ("_connection", "_endpoint")

    def __init__(self, endpoint: Endpoint) -> None:
        """Connects when first used, so that a cache that is down delays records, not the start."""
        self._endpoint = endpoint
        self._connection: Connection | None = None

    def unlink(self, entries: Sequence[str], seconds: float) -> None:
        """Remove value and lease of each entry, all in one command and so at one moment.

        Waits at most `seconds` for each answer. Raises Unavailable; whether the entries are
        gone is then unknown, and removing them again does no harm.
        """
        keys: list[bytes] = []
        for entry in entries:
            keys += (value_key(entry).encode(), lease_key(entry).encode())
        self._ask(encode(b"UNLINK", *keys), seconds)

    def ping(self, seconds: float) -> None:
        """Ask whether the server is there. Raises Unavailable."""
        self._ask(encode(b"PING"), seconds)

    def close(self) -> None:
        """Let go of the connection; the next use opens another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _ask(self, command: bytes, seconds: float) -> None:
        kept = self._connection
        try:
            if kept is not None:
                try:
                    kept.ask(command, seconds)
                    return
                except TimeoutError:
                    raise
                except OSError:
                    # Idle connections are dropped by servers, proxies and sleeping sandboxes;
                    # that says nothing about the server, so one new connection is tried.
                    self.close()
            self._connection = Connection(self._endpoint, seconds)
            self._connection.ask(command, seconds)
        except Refused as error:
            self.close()
            raise Unavailable(
                f"the cache answered {error.code}", hint=_HINTS.get(error.code, _HINT)
            ) from error
        except OSError as error:
            self.close()
            raise Unavailable(
                f"the cache did not answer: {type(error).__name__}", hint=_HINT
            ) from error
