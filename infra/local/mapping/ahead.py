"""Reads the next page of a shard while a batch is delivered.

The pages come as without it, in the same order and each once. One that was read ahead counts as
read when it is asked for: until then no progress, window or checkpoint knows of it, and a kill
loses nothing by it. What goes wrong ahead is told then, too, and not to the batch under way.
"""

import threading
from collections.abc import Callable

from infra.local.mapping.source import MANY, Cursor, Page

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
    """A cursor that reads up to one page ahead. Used by one thread at a time, as a cursor."""

    def __init__(self, cursor: Cursor, beside: Beside) -> None:
        """`cursor` is ours alone."""
        self._cursor, self._beside = cursor, beside
        self._wait: Callable[[], None] | None = None
        self._page: Page | None = None
        self._error: Exception | None = None
        self._more = False

    def begin(self, limit: int) -> None:
        """Begin to read up to `limit` entries if more are likely to be there. Raises nothing.

        At the end of the stream nothing is read ahead: what comes during a delivery is then
        read after it, and not asked for in vain before.
        """
        if self._wait is None and self._more and limit > 0:
            self._wait = self._beside(lambda: self._read(limit))

    def read(self, limit: int) -> Page:
        """What was read ahead, or the next page. Raises as `Cursor.read`."""
        if self._wait is not None:
            self._wait()
            self._wait = None
            page, self._page = self._page, None
            error, self._error = self._error, None
            self._more = False
            if error is not None:
                raise error
            # An empty page is old news: there may be more by now.
            if page is not None and (page.entries or page.closed):
                return self._noted(page, limit)
        self._more = False
        return self._noted(self._cursor.read(limit), limit)

    def behind(self) -> int:
        """How many unread entries are known to be there; any thread may ask."""
        page = self._page
        return self._cursor.behind() + (len(page.entries) if page is not None else 0)

    def _noted(self, page: Page, limit: int) -> Page:
        self._more = not page.closed and len(page.entries) >= min(limit, MANY)
        return page

    def _read(self, limit: int) -> None:
        try:
            self._page = self._cursor.read(limit)
        except Exception as error:  # noqa: BLE001 - raised by the next `read`
            self._error = error
