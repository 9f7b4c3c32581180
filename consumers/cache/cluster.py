"""A cache in cluster mode: its slots are spread over several servers.

redis-py follows the slots as they move. Value and lease of an entry share a slot, so each entry
is one UNLINK; those of one server travel together.
"""

from collections.abc import Sequence

from redis import RedisCluster

from shared.cache_client import CACHE_ERRORS, connect
from shared.cache_keys import lease_key, value_key
from shared.errors import Unavailable

_HINT = "check that all slots are served and that the nodes' addresses can be reached from here"


class Cluster:
    """Removes entries from a cluster."""

    __slots__ = ("_client", "_seconds", "_url")

    def __init__(self, url: str, seconds: float) -> None:
        """Connects when first used; waits at most `seconds` for each answer of each server."""
        self._url = url
        self._seconds = seconds
        self._client: RedisCluster | None = None

    def unlink(self, entries: Sequence[str], seconds: float) -> None:  # noqa: ARG002 - fixed above
        """Remove value and lease of each entry, both at one moment.

        Raises Unavailable if any server fails; which entries are gone is then unknown, and
        removing them again does no harm.
        """
        try:
            pipeline = self._connected().pipeline()  # type: ignore[no-untyped-call]
            for entry in entries:
                pipeline.execute_command("UNLINK", value_key(entry), lease_key(entry))
            pipeline.execute()
        except CACHE_ERRORS as error:
            raise self._unavailable(error) from error

    def ping(self, seconds: float) -> None:  # noqa: ARG002 - fixed above
        """Ask every server that takes writes. Raises Unavailable."""
        try:
            self._connected().ping(target_nodes=RedisCluster.PRIMARIES)
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
