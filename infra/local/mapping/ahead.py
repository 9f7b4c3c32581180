"""Reads the next pages of a shard while a batch is delivered, as many as the next batch needs.

The pages come as without it, in the same order and each once. One that was read ahead counts as
read when it is asked for: until then no progress, window or checkpoint knows of it, and a kill
loses nothing by it. What goes wrong ahead is told then, too, and not to the batch under way.
"""

import threading
from collections import deque
from collections.abc import Callable

from infra.local.mapping.delivery import MAX_PAYLOAD_BYTES
from infra.local.mapping.intake import Sifted
from infra.local.mapping.source import Cursor, Page

# One GetRecords of Kinesis gives up to 10 MB, one of DynamoDB 1 MB.
MAX_PAGES = 10

Beside = Callable[[Callable[[], None]], Callable[[], None]]
"""Begins a call that raises nothing; what it returns waits until the call has ended."""


def in_thread(call: Callable[[], None]) -> Callable[[], None]:
    """Begin `call` in a thread; on a machine that has none left, when it is waited for."""
    thread = threading.Thread(target=call, name="read ahead", daemon=True)
    try:
        thread.start()
    except RuntimeError:
        return call
    return thread.join


class ReadAhead:
    """A cursor whose pages are sifted, and read ahead. Used by one thread at a time."""

    def __init__(
        self, cursor: Cursor, beside: Beside, sift: Callable[[Page], Sifted], page_size: int
    ) -> None:
        """`cursor` is ours alone; `sift` may be called by any thread, one at a time."""
        self._cursor, self._beside, self._sift, self._size = cursor, beside, sift, page_size
        self._wait: Callable[[], None] | None = None
        self._ready: deque[Sifted] = deque()
        self._page: Page | None = None
        self._error: Exception | None = None
        self._more = False

    @property
    def begun(self) -> bool:
        """Whether something was read ahead, or is about to be."""
        return self._wait is not None or bool(self._ready)

    def begin(self, wanted: int) -> None:
        """Begin to read on until `wanted` entries have passed, if more are likely to be there.

        Raises nothing. At the end of the stream nothing is read ahead: what comes during a
        delivery is then read after it, and not asked for in vain before.
        """
        if wanted > 0 and self._wait is None and self._more and self._error is None:
            self._wait = self._beside(lambda: self._read(wanted))

    def read(self) -> Sifted:
        """What was read ahead, or the next page. Raises as `Cursor.read`."""
        if self._wait is not None:
            self._wait()
            self._wait = None
        if self._ready:
            return self._ready.popleft()
        self._more = False
        error, self._error = self._error, None
        if error is not None:
            raise error
        return self._next()

    def behind(self) -> int:
        """How many unread entries are known to be there; any thread may ask."""
        return self._cursor.behind() + sum(len(each.page.entries) for each in tuple(self._ready))

    def _read(self, wanted: int) -> None:
        try:
            for _ in range(MAX_PAGES):
                enough = sum(len(each.wanted) for each in self._ready) >= wanted
                heavy = sum(each.size for each in self._ready) >= MAX_PAYLOAD_BYTES
                if enough or heavy or not self._more:
                    return
                sifted = self._next()
                # An empty page is old news when it is asked for: there may be more by then.
                if sifted.page.entries or sifted.page.closed:
                    self._ready.append(sifted)
        except Exception as error:  # noqa: BLE001 - raised by the `read` that comes to it
            self._error = error

    def _next(self) -> Sifted:
        # Kept until it is sifted: should that fail, the cursor has moved behind it already.
        page = self._page = self._page or self._cursor.read(self._size)
        sifted = self._sift(page)
        self._page = None
        self._more = page.more
        return sifted
