"""A disk under the checkpoints that can be full, and that forgets what was not synced.

The real files, the real code that writes them; between the two a path class that tells each step,
so that a run can be killed between any two of them, and `os.fsync` by way of the same.
"""

from __future__ import annotations

import errno
import io
import os
import pathlib
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from infra.local.mapping import checkpoint


class Disk:
    """What the machine would still have after its power went off.

    Attributes:
        full: nothing can be written.
        root: a path to keep checkpoints under; each step on it, and on what is made of it, is
            told to `touch`, which may raise.
    """

    def __init__(self, folder: Path, touch: Callable[[str], None]) -> None:
        self.full = False
        self.touch = touch
        self._folder = folder
        self._synced: set[int] = set()
        # A rename that the folder's sync has not made certain: the name's content before it.
        self._before: dict[Path, bytes | None] = {}
        self.root = _path_class(self)(folder)

    def patch(self, patch: pytest.MonkeyPatch) -> None:
        """Let the checkpoints sync to this disk."""
        patch.setattr(checkpoint, "os", SimpleNamespace(fsync=self._fsync))

    def lose_power(self, keep_renames: bool) -> None:
        """What was not synced is lost; a rename may be, unless `keep_renames`."""
        for path in self._folder.rglob("*"):
            if path.is_file() and path.stat().st_ino not in self._synced:
                path.write_bytes(b"")
        if not keep_renames:
            for path, content in self._before.items():
                if content is not None:
                    path.write_bytes(content)
                    self._synced.add(path.stat().st_ino)
                else:
                    path.unlink(missing_ok=True)
        self._before.clear()

    def wrote(self, what: str) -> None:
        """A step: raises OSError on a full disk, and whatever `touch` raises."""
        self.touch(what)
        if self.full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def opened(self, descriptor: int) -> None:
        """Whatever the file holds from now on is not synced."""
        self.gone(os.fstat(descriptor).st_ino)

    def gone(self, inode: int) -> None:
        """Nothing is known of what has this number from now on."""
        self._synced.discard(inode)

    def renamed(self, target: Path, before: bytes | None) -> None:
        """Only the last rename is still uncertain: the system writes its journal in order."""
        self._before = {target: before}

    def _fsync(self, descriptor: int) -> None:
        self.wrote("before a sync")
        # Not the machine's own: a day of them would take an hour.
        self._synced.add(os.fstat(descriptor).st_ino)
        self.touch("after a sync")


def _path_class(disk: Disk) -> type[Path]:
    """Paths whose reading and writing are steps on `disk`."""

    class DiskPath(type(pathlib.Path())):  # type: ignore[misc]
        def open(self, mode: str = "r", *rest: Any, **named: Any) -> io.IOBase:
            disk.wrote(f"open {mode}")
            file = Path(self).open(mode, *rest, **named)  # noqa: SIM115 - closed by who asked
            disk.opened(file.fileno())
            return file  # type: ignore[return-value]

        def read_bytes(self) -> bytes:
            disk.touch("read")
            return Path(self).read_bytes()

        def replace(self, target: Path) -> Path:
            disk.wrote("before a rename")
            plain = Path(target)
            before = None
            if plain.exists():
                before = plain.read_bytes()
                disk.gone(plain.stat().st_ino)
            Path(self).replace(plain)
            disk.renamed(plain, before)
            disk.touch("after a rename")
            return target

        def unlink(self, missing_ok: bool = False) -> None:
            disk.touch("unlink")
            if self.exists():
                disk.gone(self.stat().st_ino)
            Path(self).unlink(missing_ok=missing_ok)

    return DiskPath
