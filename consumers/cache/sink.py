"""The cache's sink: takes stale entries, and the leases of slow readers, out of the cache.

Removing is idempotent and needs no order, so repeats and reordered records do no harm; and an
entry that many records of a batch name is removed once.
"""

from collections.abc import Sequence
from typing import Protocol

from consumers.cache.connection import READ_SECONDS, Endpoint
from consumers.cache.projection import Entries
from consumers.cache.single import SingleServer
from shared.clock import Deadline
from shared.errors import Retryable
from shared.runtime import WriteResult
from shared.settings import Settings

MAX_KEYS = 500
_CHUNK = MAX_KEYS // 2  # entries, of two keys each


class Store(Protocol):
    """A cache, however many servers it is."""

    def unlink(
        self, chunks: Sequence[Sequence[str]], deadline: Deadline
    ) -> tuple[int, Retryable | None]:
        """Remove value and lease of each entry. Begins nothing that the deadline has no time for.

        Says how many chunks, from the first, are sure to be gone, and why the next is not.
        """

    def ping(self, deadline: Deadline) -> None:
        """Raises Retryable unless every server that takes writes answers."""

    def close(self) -> None:
        """Let go of all connections."""


class CacheSink:
    """Invalidates entries, up to 500 keys at a time."""

    def __init__(self, store: Store) -> None:
        """`store` is used by one batch at a time."""
        self._store = store

    def write(self, operations: Sequence[Entries], deadline: Deadline) -> WriteResult:
        """Remove every entry that the operations name.

        The first chunk that fails ends the work: the first operation with an entry in it is
        unavailable, and with it, for the runtime, all behind it. What was removed beyond that
        point is removed again, harmlessly.
        """
        first: dict[str, int] = {}
        for index, entries in enumerate(operations):
            for entry in entries:
                first.setdefault(entry, index)
        if not first:
            return WriteResult()
        names = list(first)
        chunks = [names[start : start + _CHUNK] for start in range(0, len(names), _CHUNK)]
        done, error = self._store.unlink(chunks, deadline)
        if error is None:
            return WriteResult()
        return WriteResult(unavailable={first[chunks[done][0]]: error})

    def probe(self, deadline: Deadline) -> None:
        """PING. Raises Retryable if the cache would take no write now."""
        self._store.ping(deadline)

    def close(self) -> None:
        """Let go of all connections; a Lambda function keeps them for its life."""
        self._store.close()


def open_sink(settings: Settings) -> CacheSink:
    """The sink for these settings. Raises InvalidSettings; connects when first used."""
    endpoint = Endpoint.parse(settings.cache_url)
    if not settings.cache_cluster:
        return CacheSink(SingleServer(endpoint))
    # Imported late: it brings redis-py.
    from consumers.cache.cluster import Cluster

    return CacheSink(Cluster(settings.cache_url, READ_SECONDS))
