"""The event source mappings of all consumers, at work: a thread per consumer and shard.

The threads only wait and call; what to do is decided by `reader` and `consumer`. No consumer
waits for another, and no shard for another of the same consumer.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence

from infra.local.mapping.checkpoint import CheckpointDamaged
from infra.local.mapping.consumer import ConsumerReader
from infra.local.mapping.numbers import MappingStatus
from infra.local.mapping.reader import ShardReader
from infra.local.mapping.wiring import Wiring
from shared.errors import FanoutError, Retryable

_LOG = logging.getLogger("fanout.mapping")
# Seconds between looks for new shards; the end of a shard makes one at once.
DISCOVER_SECONDS = 10.0
_ERROR_PAUSE_SECONDS = 1.0
# How long a stop waits for invocations that are under way.
STOP_SECONDS = 10.0


class Mappings:
    """Delivers changes to consumers from `start` to `stop`. Made anew for each start."""

    def __init__(self, wirings: Sequence[Wiring]) -> None:
        """Serve the consumers that are wired so."""
        self._served = [_Served(ConsumerReader(wiring)) for wiring in wirings]

    def start(self) -> None:
        """Begin to deliver. Raises CheckpointDamaged, and then nothing was begun.

        A stream that does not answer yet is waited for.
        """
        for served in self._served:
            served.look()
        for served in self._served:
            served.start()

    def stop(self, seconds: float = STOP_SECONDS) -> bool:
        """Begin nothing more, wait for what is under way, save all checkpoints. Idempotent.

        Returns whether all came to an end within `seconds`. If not, an invocation still runs:
        its batch comes again in the next run.
        """
        for served in self._served:
            served.begin_stop()
        deadline = time.monotonic() + seconds
        ended = [served.join(deadline) for served in self._served]
        return all(ended)

    def status(self) -> tuple[MappingStatus, ...]:
        """What each consumer's mapping does now, in the order given."""
        return tuple(served.consumer.status() for served in self._served)


class _Served:
    """One consumer with its threads."""

    def __init__(self, consumer: ConsumerReader) -> None:
        self.consumer = consumer
        self._stopping = threading.Event()
        self._look_now = threading.Event()
        self._wakes: list[threading.Event] = [self._look_now]
        self._finder = threading.Thread(
            target=self._find, name=f"{consumer.name} shards", daemon=True
        )
        self._found: list[ShardReader] = []
        self._readers: list[threading.Thread] = []

    def start(self) -> None:
        self._finder.start()

    def begin_stop(self) -> None:
        self._stopping.set()
        for wake in tuple(self._wakes):
            wake.set()

    def join(self, deadline: float) -> bool:
        if self._finder.ident is None:
            return True
        # Once it has ended, no reader begins any more.
        self._finder.join(max(0.0, deadline - time.monotonic()))
        threads = (self._finder, *self._readers)
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in threads)

    def look(self) -> bool:
        """Find shards to read. Returns whether stream and disk let us.

        Raises CheckpointDamaged.
        """
        try:
            self._found += self.consumer.discover()
        except CheckpointDamaged:
            raise
        except FanoutError as error:
            self.consumer.note(str(error))
            return False
        return True

    def _find(self) -> None:
        pause = 0.0
        while not self._stopping.is_set():
            found, self._found = self._found, []
            self._readers = [thread for thread in self._readers if thread.is_alive()]
            for reader in found:
                name = f"{self.consumer.name} {reader.shard_id}"
                thread = threading.Thread(target=self._read, args=(reader,), name=name, daemon=True)
                self._readers.append(thread)
                thread.start()
            self._look_now.wait(pause)
            self._look_now.clear()
            try:
                pause = DISCOVER_SECONDS if self._guarded(self.look) else _ERROR_PAUSE_SECONDS
            except CheckpointDamaged as error:
                self.consumer.stopped = str(error)
                _LOG.error("%s stops: %s", self.consumer.name, error)
                return

    def _read(self, reader: ShardReader) -> None:
        wake = threading.Event()
        self._wakes.append(wake)
        self.consumer.stream.on_news(reader.shard_id, wake.set)
        while not self._stopping.is_set() and not reader.finished:
            pause = self._guarded(reader.step)
            if pause is None:
                self._stopping.wait(_ERROR_PAUSE_SECONDS)
            elif pause > 0:
                wake.wait(pause)
                wake.clear()
        self._wakes.remove(wake)
        if reader.finished:
            self._look_now.set()
            return
        try:
            reader.flush()
        except Retryable as error:
            _LOG.warning("%s: %s", self.consumer.name, error)

    def _guarded(self, call: Callable[[], float]) -> float | None:
        """Call, and get over a fault in our own code: loud, and tried again."""
        try:
            return call()
        except FanoutError:
            raise
        except Exception as error:  # noqa: BLE001 - unknown, so loud, and nothing is lost by it
            self.consumer.note(f"the mapping itself failed with {type(error).__name__}")
            _LOG.exception("the mapping of %s failed; it goes on", self.consumer.name)
            return None
