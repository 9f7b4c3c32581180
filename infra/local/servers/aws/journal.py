"""The journal: what the AWS server acknowledged, and so must still know after SIGKILL.

One file of lines `[MILLISECONDS,[OPERATION,...]]`, oldest first. A line holds all that one request
changed and goes to the kernel in one write before the request is answered, so that a transaction is
there whole or not at all. The page cache outlives the process, so SIGKILL loses nothing; nothing is
synced to the disk for each line, so a crash of the machine may lose the last moments.

Lines older than the 24 hours that a stream keeps its records are replaced, when the server starts,
by operations that give the same state.
"""

import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import IO, Any, NoReturn, Protocol

import orjson

RETENTION_SECONDS = 24 * 60 * 60
COMPACT_FROM_BYTES = 16_000_000
_EXIT_CANNOT_KEEP = 74  # EX_IOERR of sysexits.h

Operation = list[Any]
"""`[name, argument...]`, JSON all through."""


class Keeper(Protocol):
    """One service's part in the journal."""

    names: frozenset[str]
    """The operations that it writes and applies."""

    def apply(self, operation: Operation) -> None:
        """Do again what an operation of an earlier run says."""

    def finish(self) -> None:
        """All operations have been applied."""

    def changes(self) -> Iterable[Operation]:
        """What changed since the last call, found by looking."""

    def dump(self) -> Iterable[Operation]:
        """Operations that lead from nothing to the present state, without stream records."""


class DamagedJournal(Exception):
    """A line in the middle cannot be read: not the trace of a kill, so nothing is guessed."""


def stop_server(reason: str) -> NoReturn:
    """End the process: what cannot be kept must not be acknowledged, now or to a retry."""
    sys.stderr.write(f"the aws server stops: {reason}\n")
    sys.stderr.flush()
    os._exit(_EXIT_CANNOT_KEEP)


class Journal:
    """Reads the past into the keepers once, then writes what they report.

    `append` may be called from any thread; `commit` makes all that was appended durable.
    """

    def __init__(
        self,
        path: Path,
        *,
        clock: Callable[[], float] = time.time,
        give_up: Callable[[str], NoReturn] = stop_server,
    ) -> None:
        self._path = path
        self._clock = clock
        self._give_up = give_up
        self._keepers: Sequence[Keeper] = ()
        self._pending: list[str] = []
        self._lock = threading.Lock()
        self._file: int | None = None

    def append(self, operation: Operation) -> None:
        """Take an operation into the next commit."""
        text = json.dumps(operation, separators=(",", ":"))
        with self._lock:
            self._pending.append(text)

    def commit(self, *, look: bool) -> None:
        """Write all that is pending, in one line; returns when the kernel has it.

        Args:
            look: let the keepers look for changes first; false where all changes were appended.
        """
        if look:
            for keeper in self._keepers:
                for operation in keeper.changes():
                    self.append(operation)
        if not self._pending:
            return
        with self._lock:
            operations, self._pending = self._pending, []
            if operations:
                self._write(operations)

    def close(self) -> None:
        """Commit, and let go of the file."""
        self.commit(look=True)
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def open(self, keepers: Sequence[Keeper]) -> None:
        """Replay what is there into the keepers, cut a torn end off, and open for writing.

        Raises DamagedJournal if a line other than the last cannot be read.
        """
        good = 0
        if self._path.exists():
            good = self._replay({name: keeper for keeper in keepers for name in keeper.names})
        for keeper in keepers:
            keeper.finish()
            for _ in keeper.changes():
                pass  # what was just read back is no change
        self._keepers = keepers
        self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.ftruncate(self._file, good)

    def _replay(self, keepers: dict[str, Keeper]) -> int:
        """Apply all lines. Returns how many bytes of the file are good."""
        horizon = (self._clock() - RETENTION_SECONDS) * 1000
        size = self._path.stat().st_size
        base: IO[bytes] | None = None
        crossed, cut, good = False, 0, 0
        with self._path.open("rb") as lines:
            for line in lines:
                read = _parse(line)
                if read is None:
                    if good + len(line) < size:
                        raise DamagedJournal(f"{self._path}: no operation at byte {good}")
                    break
                written, operations = read
                if not crossed and written >= horizon:
                    crossed, cut = True, good
                    base = self._begin_base(keepers, cut, size)
                for operation in operations:
                    if operation[0] not in keepers:
                        raise DamagedJournal(
                            f"{self._path}: operation {operation[0]!r} at byte {good} is unknown; "
                            "another version of Fanout wrote it"
                        )
                    keepers[operation[0]].apply(operation)
                good += len(line)
        if not crossed:
            cut = good
            base = self._begin_base(keepers, cut, size)
        return good if base is None else self._replace(base, cut, good)

    def _begin_base(self, keepers: dict[str, Keeper], cut: int, size: int) -> IO[bytes] | None:
        """A new journal that starts with the state at byte `cut`, if that saves enough."""
        if cut < COMPACT_FROM_BYTES or cut * 2 < size:
            return None
        base = self._path.with_name(self._path.name + ".new").open("wb")
        for keeper in dict.fromkeys(keepers.values()):
            for operation in keeper.dump():
                base.write(_line(0, [json.dumps(operation, separators=(",", ":"))]))
        return base

    def _replace(self, base: IO[bytes], cut: int, good: int) -> int:
        with base, self._path.open("rb") as old:
            old.seek(cut)
            left = good - cut
            while left and (block := old.read(min(left, 1 << 20))):
                base.write(block)
                left -= len(block)
            base.flush()
            os.fsync(base.fileno())
            size = base.tell()
        Path(base.name).replace(self._path)
        return size

    def _write(self, operations: list[str]) -> None:
        if self._file is None:
            raise ValueError("the journal is not open")
        left = memoryview(_line(int(self._clock() * 1000), operations))
        try:
            while left:
                left = left[os.write(self._file, left) :]
        except OSError as error:
            self._give_up(f"{self._path} cannot be written: {error.strerror}")


def _line(milliseconds: int, operations: list[str]) -> bytes:
    return f"[{milliseconds},[{','.join(operations)}]]\n".encode("ascii")


def _parse(line: bytes) -> tuple[float, list[Operation]] | None:
    """The line's time and operations, or None if it was not written whole."""
    if not line.endswith(b"\n"):
        return None
    try:
        written, operations = orjson.loads(line)
    except orjson.JSONDecodeError:
        try:
            # Python's own decoder takes what its encoder wrote: lone surrogates, long integers.
            written, operations = json.loads(line)
        except ValueError:
            return None
    except ValueError:
        return None
    return written, operations
