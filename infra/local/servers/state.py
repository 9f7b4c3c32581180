"""The folder in which the servers of one run live, and the lock that makes it ours alone."""

import fcntl
import os
import shutil
import tempfile
from pathlib import Path

from shared.errors import FanoutError

_PREFIX = "fanout-"
_LOCK = "lock"
# A state folder that somebody means to keep may well lie among temporary ones, under such a name.
_TEMPORARY = "remove-when-unlocked"


class StateTaken(FanoutError):
    """Another process works in this state folder."""


class StateFolder:
    """A state folder that this process has locked until `close`, or until it dies.

    Given no path, it makes a temporary folder and removes it at the end. What a run that was
    killed left behind, the next one removes.
    """

    def __init__(self, path: Path | None) -> None:
        """Lock `path`, made if missing, or a new temporary folder.

        Raises StateTaken if another process has it, OSError if it cannot be made.
        """
        self.temporary = path is None
        if path is None:
            _remove_abandoned()
            path = Path(tempfile.mkdtemp(prefix=_PREFIX))
        path.mkdir(parents=True, exist_ok=True)
        self.path = path.resolve()
        lock = _lock(self.path)
        if lock is None:
            raise StateTaken(
                f"{self.path} is in use by process {_owner(self.path) or 'unknown'}",
                hint="stop that run first, or choose another state folder",
            )
        self._lock: int | None = lock
        if self.temporary:
            (self.path / _TEMPORARY).touch()
        os.ftruncate(lock, 0)
        os.pwrite(lock, str(os.getpid()).encode(), 0)

    def close(self) -> None:
        """Let go of it; a temporary folder is removed. Idempotent."""
        if self._lock is None:
            return
        if self.temporary:
            shutil.rmtree(self.path)
        os.close(self._lock)
        self._lock = None


def holder(folder: Path) -> int:
    """The process that has locked a state folder; 0 if none has."""
    try:
        descriptor = os.open(folder / _LOCK, os.O_RDONLY)
    except FileNotFoundError:
        return 0
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return int(_owner(folder) or 0)
    finally:
        os.close(descriptor)
    return 0


def _lock(folder: Path) -> int | None:
    """The locked descriptor of the folder's lock file, or None if another process has it."""
    descriptor = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def _owner(folder: Path) -> str:
    return (folder / _LOCK).read_text(encoding="ascii")


def _remove_abandoned() -> None:
    """Remove temporary folders whose run was killed, and nothing that somebody still has."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        # Without a written pid it is just being made by a run that starts now.
        mark = folder / _TEMPORARY
        try:
            if not mark.is_file() or mark.stat().st_uid != os.getuid() or not _owner(folder):
                continue
            descriptor = _lock(folder)
        except FileNotFoundError:
            continue  # its own run, or another sweep, is removing it
        if descriptor is not None:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(descriptor)
