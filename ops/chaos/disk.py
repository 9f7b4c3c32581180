"""A full disk under the checkpoints of one consumer.

A checkpoint is written over an older one in its file. For a while the file's name leads to
/dev/full, where every write fails with ENOSPC, as on a full disk: the mapping sees the very error.
"""

from collections.abc import Callable
from pathlib import Path

_DEVICE = Path("/dev/full")
_SUFFIX = ".aside"


def fill_disk(checkpoints: Path, consumer: str, wait: Callable[[], object]) -> int:
    """Let no checkpoint of `consumer` be written for as long as `wait` takes.

    Args:
        checkpoints: the folder with all consumers' checkpoints.
        consumer: whose.
        wait: returns when there is room again.

    Returns how many checkpoint files were affected.
    """
    files = list((checkpoints / consumer).glob("*/*.json"))
    for file in files:
        _fill(file)
    try:
        wait()
    finally:
        for file in files:
            file.with_suffix(_SUFFIX).replace(file)
    return len(files)


def _fill(file: Path) -> None:
    # Who has opened the file by now writes into it, wherever it is: nothing is torn by this.
    aside, link = file.with_suffix(_SUFFIX), file.with_suffix(".link")
    aside.hardlink_to(file)
    link.symlink_to(_DEVICE)
    link.replace(file)
