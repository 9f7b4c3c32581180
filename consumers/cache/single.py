"""A cache that is one server, or looks like one."""

from collections.abc import Sequence

from consumers.cache.connection import (
    LEAST_SECONDS,
    READ_SECONDS,
    Connection,
    Endpoint,
    Refused,
    encode,
)
from shared.cache_keys import LEASE, value_key
from shared.clock import Deadline
from shared.errors import Retryable, Unavailable

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


_LEASE_BYTES = len(LEASE.encode())


class SingleServer:
    """Removes entries from one server, over one connection that is kept between batches."""

    __slots__ = ("_connection", "_endpoint")

    def __init__(self, endpoint: Endpoint) -> None:
        """Connects when first used, so that a cache that is down delays records, not the start."""
        self._endpoint = endpoint
        self._connection: Connection | None = None

    def unlink(
        self, chunks: Sequence[Sequence[str]], deadline: Deadline
    ) -> tuple[int, Retryable | None]:
        """Remove value and lease of each entry; one command for each chunk, and so at one moment.

        All commands are sent before the first answer is read, so the chunks share one way there
        and back. Says how many of them, from the first, are sure to be gone, and why the next is
        not. Whether the others are gone is then unknown; removing them again does no harm.
        """
        commands = [unlink_command(chunk) for chunk in chunks]
        try:
            deadline.require(LEAST_SECONDS, "removing entries from the cache")
            self._ask(commands, deadline)
        except Retryable as error:
            return len(chunks) - len(commands), error
        return len(chunks), None

    def ping(self, deadline: Deadline) -> None:
        """Ask whether the server is there. Raises Retryable if it is not, or no time is left."""
        deadline.require(LEAST_SECONDS, "asking the cache")
        self._ask([encode(b"PING")], deadline)

    def close(self) -> None:
        """Let go of the connection; the next use opens another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _ask(self, commands: list[bytes], deadline: Deadline) -> None:
        """Send `commands`, and take each out of the list once it is answered.

        Raises Unavailable if one is refused, or not answered in time.
        """
        kept = self._connection
        try:
            if kept is not None:
                try:
                    _exchange(kept, commands, deadline)
                    return
                except TimeoutError:
                    raise
                except OSError:
                    # Idle connections are dropped by servers, proxies and sleeping sandboxes;
                    # that says nothing about the server, so one new connection is tried.
                    self.close()
            self._connection = Connection(self._endpoint, _patience(deadline))
            _exchange(self._connection, commands, deadline)
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


def _exchange(connection: Connection, commands: list[bytes], deadline: Deadline) -> None:
    connection.send(b"".join(commands), _patience(deadline))
    while commands:
        connection.answer(_patience(deadline))
        del commands[0]


def _patience(deadline: Deadline) -> float:
    # Never 0, which would mean not to wait at all, and be no timeout.
    return max(0.001, min(READ_SECONDS, deadline.remaining()))


def unlink_command(entries: Sequence[str]) -> bytes:
    """The command that removes both keys of each entry (`shared.cache_keys.keys_of`).

    As `encode` would make it, in a third of the time: all is text until the end.
    """
    parts = [f"*{2 * len(entries) + 1}\r\n$6\r\nUNLINK\r\n"]
    for entry in entries:
        key = value_key(entry)
        size = len(key) if key.isascii() else len(key.encode())
        parts.append(f"${size}\r\n{key}\r\n${size + _LEASE_BYTES}\r\n{key}{LEASE}\r\n")
    return "".join(parts).encode()
