"""A cache in cluster mode: its slots are spread over several servers.

redis-py follows the slots as they move. Value and lease of an entry share a slot, so each entry
is one UNLINK; those of one server travel together.
"""

from collections.abc import Sequence

from redis import RedisCluster

from consumers.cache.connection import LEAST_SECONDS
from shared.cache_client import CACHE_ERRORS, connect
from shared.cache_keys import keys_of
from shared.clock import Deadline
from shared.errors import Retryable, Unavailable

_HINT = "check that all slots are served and that the nodes' addresses can be reached from here"


class Cluster:
    """Removes entries from a cluster."""

    __slots__ = ("_client", "_seconds", "_url")

    def __init__(self, url: str, seconds: float) -> None:
        """Connects when first used; waits at most `seconds` for each answer of each server."""
        self._url = url
        self._seconds = seconds
        self._client: RedisCluster | None = None

    def unlink(
        self, chunks: Sequence[Sequence[str]], deadline: Deadline
    ) -> tuple[int, Retryable | None]:
        """Remove value and lease of each entry, both at one moment; one chunk after the other.

        Says how many chunks, from the first, are sure to be gone, and why the next is not. Of that
        one and of those behind it, removing them again does no harm.
        """
        for done, chunk in enumerate(chunks):
            try:
                deadline.require(LEAST_SECONDS, "removing entries from the cache")
                self._remove(chunk)
            except Retryable as error:
                return done, error
        return len(chunks), None

    def ping(self, deadline: Deadline) -> None:
        """Ask every server that takes writes. Raises Retryable, also if no time is left."""
        deadline.require(LEAST_SECONDS, "asking the cache")
        try:
            self._connected().ping(target_nodes=RedisCluster.PRIMARIES)
        except CACHE_ERRORS as error:
            raise self._unavailable(error) from error

    def _remove(self, entries: Sequence[str]) -> None:
        try:
            pipeline = self._connected().pipeline()  # type: ignore[no-untyped-call]
            for entry in entries:
                pipeline.execute_command("UNLINK", *keys_of(entry))
            pipeline.execute()
        except CACHE_ERRORS as error:
            raise self._unavailable(error) from error

    def close(self) -> None:
        """Let go of all connections; the next use opens others."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def _connected(self) -> RedisCluster:
        if self._client is None:
            client = connect(self._url, cluster=True, seconds=self._seconds)
            assert isinstance(client, RedisCluster)
            self._client = client
        return self._client

    def _unavailable(self, error: Exception) -> Unavailable:
        # A pipeline does not learn that slots have moved; a new client reads them anew.
        self.close()
        return Unavailable(f"the cache cluster failed: {type(error).__name__}", hint=_HINT)
