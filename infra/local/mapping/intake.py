"""From pages to batches: the filter, the batch's size, its window and its weight."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from infra.local.mapping.config import MappingConfig
from infra.local.mapping.delivery import MAX_PAYLOAD_BYTES, Batch, fitting
from infra.local.mapping.source import Clock, Entry, Page


@dataclass(frozen=True, slots=True)
class Sifted:
    """A page, and what of it passed the filter.

    Attributes:
        page: as it was read.
        wanted: its entries that are to be delivered; encoded by now.
        size: of these, in bytes, with a comma behind each.
    """

    page: Page
    wanted: Sequence[Entry]
    size: int


class Intake:
    """The records of a shard that were read, passed the filter, and are in no batch yet."""

    def __init__(self, config: MappingConfig, clock: Clock, since: int) -> None:
        """`since`: what arrived earlier, in seconds since the epoch, is not wanted."""
        self._config, self._clock, self._since = config, clock, since
        self._waiting: deque[Entry] = deque()
        self._bytes = 0
        self._window_end = 0.0

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def room(self) -> int:
        """How many records are missing to a full batch."""
        return self._config.batch_size - len(self._waiting)

    def sift(self, page: Page) -> Sifted:
        """Apply the filter; any thread may."""
        matches, since = self._config.filter.matches, self._since
        wanted = [each for each in page.entries if each.arrived >= since and matches(each.view)]
        return Sifted(page, wanted, sum(len(entry.encoded) + 1 for entry in wanted))

    def take(self, sifted: Sifted) -> int:
        """Take what passed the filter. Returns how many records it kept away."""
        entries = sifted.page.entries
        if entries and not self._waiting:
            self._open_window()
        self._waiting += sifted.wanted
        self._bytes += sifted.size
        return len(entries) - len(sifted.wanted)

    def ready(self, closed: bool, more: bool) -> bool:
        """Whether a batch is to be cut: full, heavy, or its window is over, or nothing follows.

        More that was read by now goes into the batch, too.
        """
        return bool(self._waiting) and (
            closed
            or len(self._waiting) >= self._config.batch_size
            or self._bytes >= MAX_PAYLOAD_BYTES
            or (not more and self._clock.monotonic() >= self._window_end)
        )

    def cut(self) -> Batch:
        """Cut the next batch from the front."""
        count = fitting(tuple(self._waiting), self._config.batch_size)
        entries = [self._waiting.popleft() for _ in range(count)]
        self._bytes -= sum(len(entry.encoded) + 1 for entry in entries)
        self._open_window()
        return Batch(entries)

    def shorten(self, pause: float) -> float:
        """A pause of so many seconds, or what is left of the window where that is less."""
        if not self._waiting:
            return pause
        return min(pause, max(0.0, self._window_end - self._clock.monotonic()))

    def oldest(self) -> Entry | None:
        """The first record that waits. Any thread may ask."""
        waiting = tuple(self._waiting)
        return waiting[0] if waiting else None

    def _open_window(self) -> None:
        self._window_end = self._clock.monotonic() + self._config.window_seconds
