"""The embedded search server forgets everything when it ends: its index is made anew here.

At the start of a pipeline that resumes, and whenever the supervisor had to start the server
again. In AWS the index outlives its nodes, and nothing of this is needed.
"""

from collections.abc import Callable, Iterator, Sequence

from consumers.search.setup import ensure_index
from infra.local.deployment import Deployment
from infra.local.lambda_runtime.invocation import Invocation
from infra.local.rebuild import items_of, rebuild
from infra.local.servers.server import ServerStatus
from shared import entities
from shared.archive import Archive
from shared.archive_change import Change
from shared.clock import now_ms
from shared.codec import RawImage
from shared.errors import Unavailable

_SEARCH = "search"
# A repeat of an older change can come as long as the stream keeps it.
_STREAM_KEEPS_MS = 24 * 3_600_000


class SearchRecovery:
    """Brings the order index back to what the table says."""

    def __init__(self, deployment: Deployment, invoke: Callable[[bytes], Invocation]) -> None:
        """`invoke` runs the search consumer's function."""
        self._deployment = deployment
        self._invoke_function = invoke
        self._pid = 0
        self.rebuilt = 0

    def watch(self, servers: Sequence[ServerStatus]) -> None:
        """Recover if another server runs than at the last call. Raises if it failed: call again."""
        for server in servers:
            if server.name == _SEARCH and server.pid not in {0, self._pid}:
                self.recover()
                self._pid = server.pid

    def recover(self) -> None:
        """Make the index and write every order of the table into it, at its version."""
        ensure_index(self._deployment.search_url)
        orders = items_of(self._deployment.table, entities.Kind.ORDER)
        self.rebuilt += rebuild(self._invoke, orders, self._removed())

    def _invoke(self, payload: bytes) -> bytes:
        invocation = self._invoke_function(payload)
        if invocation.response is None:
            raise Unavailable(f"the search function failed: {invocation.error_type}")
        return invocation.response

    def _removed(self) -> Iterator[RawImage]:
        """The last image of orders removed lately: a late repeat must not bring them back."""
        archive = Archive(self._deployment.bucket)
        for change in archive.read(now_ms() - _STREAM_KEEPS_MS):
            if isinstance(change, Change) and change.event_name == "REMOVE":
                image = change.old_raw
                if isinstance(image, dict) and entities.is_order(image):
                    yield image
