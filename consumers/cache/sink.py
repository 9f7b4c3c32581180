"""The cache's sink: takes stale entries, and the leases of slow readers, out of the cache.

Removing is idempotent and needs no order, so repeats and reordered records do no harm; and an
entry that many records of a batch name is removed once.
"""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Protocol

from consumers.cache.connection import Endpoint
from consumers.cache.projection import Entries
from consumers.cache.single import SingleServer
from shared.clock import Deadline
from shared.errors import Retryable
from shared.runtime import WriteResult
from shared.settings import Settings

MAX_KEYS = 500
_KEYS_PER_ENTRY = 2
READ_SECONDS = 2.0
# Below this nothing is begun: a server at work answers within milliseconds.
_LEAST_SECONDS = 0.25


class Store(Protocol):
    """A cache, however many servers it is."""

    def unlink(self, entries: Sequence[str], seconds: float) -> None:
        """Remove value and lease of each entry; raises Unavailable if it is not sure of all."""

    def ping(self, seconds: float) -> None:
        """Raises Unavailable unless every server that takes writes answers."""

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
        for chunk in _chunks(first):
            try:
                deadline.require(_LEAST_SECONDS, "removing entries from the cache")
                self._store.unlink(chunk, min(READ_SECONDS, deadline.remaining()))
            except Retryable as error:
                return WriteResult(unavailable={first[chunk[0]]: error})
        return WriteResult()

    def probe(self, deadline: Deadline) -> None:
        """PING. Raises Retryable if the cache would take no write now."""
        deadline.require(_LEAST_SECONDS, "asking the cache")
        self._store.ping(min(READ_SECONDS, deadline.remaining()))

    def close(self) -> None:
        """Let go of all connections; a Lambda function keeps them for its life."""
        self._store.close()


def _chunks(entries: dict[str, int]) -> Iterator[list[str]]:
    names = iter(entries)
    while chunk := list(islice(names, MAX_KEYS // _KEYS_PER_ENTRY)):
        yield chunk


def open_sink(settings: Settings) -> CacheSink:
    """The sink for these settings. Raises InvalidSettings; connects when first used."""
    endpoint = Endpoint.parse(settings.cache_url)
    if not settings.cache_cluster:
        return CacheSink(SingleServer(endpoint))
    # Imported late: it brings redis-py.
    from consumers.cache.cluster import Cluster

    return CacheSink(Cluster(settings.cache_url, READ_SECONDS))
