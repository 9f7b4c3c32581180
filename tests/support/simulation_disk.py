"""A disk under the checkpoints that can be full, and that forgets what was not synced.

The real files, the real code that writes them; between the two a path class that tells each step,
so that a run can be killed between any two of them, and `os.pwrite` and `os.fsync` by way of the
same.
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

_PAGE = 4_096


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
        # By inode, what the disk is certain to have; nothing for a file that was never synced.
        self._synced: dict[int, bytes] = {}
        # A rename that the folder's sync has not made certain: the name's content before it.
        self._before: dict[Path, bytes | None] = {}
        self.root = _path_class(self)(folder)

    def patch(self, patch: pytest.MonkeyPatch) -> None:
        """Let the checkpoints sync to this disk."""
        calls = {"fsync": self._fsync, "pwrite": self._pwrite, "strerror": os.strerror}
        patch.setattr(checkpoint, "os", SimpleNamespace(**calls))

    def lose_power(self, keep_renames: bool) -> None:
        """What was not synced is lost; a rename may be, unless `keep_renames`."""
        for path in self._folder.rglob("*"):
            if path.is_file():
                synced = self._synced.get(path.stat().st_ino, b"")
                path.write_bytes(_torn(synced, path.read_bytes()))
        if not keep_renames:
            for path, content in self._before.items():
                if content is not None:
                    path.write_bytes(content)
                    self._synced[path.stat().st_ino] = content
                else:
                    path.unlink(missing_ok=True)
        self._before.clear()

    def wrote(self, what: str) -> None:
        """A step: raises OSError on a full disk, and whatever `touch` raises."""
        self.touch(what)
        if self.full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def emptied(self, descriptor: int) -> None:
        """The file was opened for new content: none of it is synced."""
        self.gone(os.fstat(descriptor).st_ino)

    def gone(self, inode: int) -> None:
        """Nothing is known of what has this number from now on."""
        self._synced.pop(inode, None)

    def renamed(self, target: Path, before: bytes | None) -> None:
        """Only the last rename is still uncertain: the system writes its journal in order."""
        self._before = {target: before}

    def _pwrite(self, descriptor: int, content: bytes, offset: int) -> int:
        self.wrote("before a write")
        written = os.pwrite(descriptor, content, offset)
        self.touch("after a write")
        return written

    def _fsync(self, descriptor: int) -> None:
        self.wrote("before a sync")
        # Not the machine's own: a day of them would take an hour.
        content = Path(f"/proc/self/fd/{descriptor}").read_bytes()
        self._synced[os.fstat(descriptor).st_ino] = content
        self.touch("after a sync")


def _torn(synced: bytes, written: bytes) -> bytes:
    """What is left of a file: each page that was written since the sync is neither old nor new."""
    if not synced:
        return b""
    pages = range(0, len(synced), _PAGE)
    pairs = ((synced[at : at + _PAGE], written[at : at + _PAGE]) for at in pages)
    return b"".join(old if old == new else bytes(len(old)) for old, new in pairs)


def _path_class(disk: Disk) -> type[Path]:
    """Paths whose reading and writing are steps on `disk`."""

    class DiskPath(type(pathlib.Path())):  # type: ignore[misc]
        def open(self, mode: str = "r", *rest: Any, **named: Any) -> io.IOBase:
            if mode == "rb":
                disk.touch("read")
            else:
                disk.wrote(f"open {mode}")
            file = Path(self).open(mode, *rest, **named)  # noqa: SIM115 - closed by who asked
            if "w" in mode:
                disk.emptied(file.fileno())
            return file  # type: ignore[return-value]

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
