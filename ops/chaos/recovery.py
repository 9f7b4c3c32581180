"""How long each consumer took, after a fault, to have dealt with all changes until then."""

import statistics
import threading
from collections.abc import Callable, Mapping
from typing import Self

from shared.clock import now_ms

_LOOK_SECONDS = 0.1


class Recovery:
    """Watches the consumers from enter to exit.

    Faults overlap: the next one may lengthen the recovery from the one before.
    """

    def __init__(self, caught_up_at_ms: Callable[[], Mapping[str, int]]) -> None:
        """`caught_up_at_ms` tells of each consumer the moment until which all is dealt with."""
        self._caught_up_at_ms = caught_up_at_ms
        self._lock = threading.Lock()
        self._pending: dict[str, list[int]] = {name: [] for name in caught_up_at_ms()}
        self._seconds: dict[str, list[float]] = {name: [] for name in self._pending}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="recovery", daemon=True)

    def __enter__(self) -> Self:
        """Begin to watch."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Look once more, and watch no longer."""
        self._stop.set()
        self._thread.join()
        self.look()

    def fault_over(self) -> None:
        """A fault is over now."""
        now = now_ms()
        with self._lock:
            for pending in self._pending.values():
                pending.append(now)

    def look(self) -> None:
        """See who has caught up since."""
        moments, now = self._caught_up_at_ms(), now_ms()
        with self._lock:
            for name, pending in self._pending.items():
                done = [over for over in pending if over <= moments[name]]
                self._seconds[name] += [(now - over) / 1000 for over in done]
                self._pending[name] = [over for over in pending if over > moments[name]]

    def seconds(self, consumer: str) -> tuple[float, float, float] | None:
        """Median, 95th percentile and longest; None if it has recovered from nothing yet."""
        with self._lock:
            found = sorted(self._seconds[consumer])
        if not found:
            return None
        return statistics.median(found), found[int(len(found) * 0.95)], found[-1]

    def unrecovered(self, consumer: str) -> int:
        """After how many faults it has not caught up yet."""
        with self._lock:
            return len(self._pending[consumer])

    def _run(self) -> None:
        while not self._stop.wait(_LOOK_SECONDS):
            self.look()
