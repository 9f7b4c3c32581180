"""A full disk under the checkpoints of one consumer.

A checkpoint is written to a draft that is then renamed. For a while the draft's name leads to
/dev/full, where every write fails with ENOSPC, as on a full disk: the mapping sees the very error.
"""

from collections.abc import Callable
from pathlib import Path

_DEVICE = Path("/dev/full")
_TRIES = 200


def fill_disk(checkpoints: Path, consumer: str, wait: Callable[[], object]) -> int:
    """Let no checkpoint of `consumer` be written for as long as `wait` takes.

    Args:
        checkpoints: the folder with all consumers' checkpoints.
        consumer: whose.
        wait: returns when there is room again.

    Returns how many checkpoint files were affected.
    """
    drafts = [path.with_suffix(".new") for path in (checkpoints / consumer).glob("*/*.json")]
    filled = [draft for draft in drafts if _fill(draft)]
    try:
        wait()
    finally:
        for draft in filled:
            draft.unlink()
    return len(filled)


def _fill(draft: Path) -> bool:
    # A draft that is there is being written just now, and goes in a moment. It is never replaced:
    # its writer would then rename the device into the checkpoint's place.
    for _ in range(_TRIES):
        try:
            draft.symlink_to(_DEVICE)
        except FileExistsError:
            continue
        return True
    return False
