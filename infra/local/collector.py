"""How often Python looks for garbage in a process that reads a stream.

A page of a thousand changes is fifty thousand containers, which all stay while they are delivered.
By its defaults the collector runs every 700, and finds nothing: parsing a page takes three times
as long with it. What it is there for, cycles, comes from exceptions and from boto's clients.
"""

import gc

# Containers made, less those freed, until the young ones are looked at: ten pages, which is as much
# as is kept of a shard. With a fifth of it, parsing a page took half as long again.
YOUNG = 500_000


class SeldomCollected:
    """This process's collector, from `begin` to `restore`."""

    def __init__(self) -> None:
        """Nothing is changed yet."""
        self._before: tuple[int, int, int] | None = None

    def begin(self) -> None:
        """Look seldom from now on."""
        self._before = self._before or gc.get_threshold()
        gc.set_threshold(YOUNG, *self._before[1:])

    def restore(self) -> None:
        """As before `begin`. Idempotent."""
        if self._before is not None:
            gc.set_threshold(*self._before)
            self._before = None
