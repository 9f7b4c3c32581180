"""Checkpoints on disk: how far each shard has been delivered.

One small file per shard with two slots, each a page of the kernel's memory; the newer one counts.
A checkpoint is written over one slot in one step, so a kill leaves the old one or the new one. The
slot that was last synced to the disk is never written over before a newer one has been synced, so
a machine that loses its power has at least that one. A file without a whole slot was damaged by
something else; to guess would skip or repeat a day, so it is refused.

Why not a new file for each checkpoint, synced and renamed: that costs the kernel as much as
delivering a small batch costs us, and the disk decides how long it takes.
"""

import errno
import hashlib
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import orjson

from shared.errors import FanoutError, Unavailable

_SCHEMA = "checkpoint/2"
_SUFFIX = ".json"
SLOT_BYTES = 4_096
_BLANK = b" " * (SLOT_BYTES - 1) + b"\n"


class CheckpointDamaged(FanoutError):
    """A checkpoint file that we cannot have written."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """How far a shard has been delivered.

    Attributes:
        mark: position behind the last record that is done; "" if none is.
        since: if reading began at LATEST, when that was, in seconds since the epoch; else 0.
            Counts as long as there is no mark.
        closed: the shard is closed and done to its end.
        caught_up_at: when nothing undelivered was in the shard, in seconds since the epoch; 0 if
            that was never so.
    """

    mark: str = ""
    since: float = 0.0
    closed: bool = False
    caught_up_at: float = 0.0


@dataclass(slots=True)
class _Slots:
    """What is known of a shard's file.

    Attributes:
        number: of the newest checkpoint; grows with each.
        synced: the slot that is certain to be on the disk.
    """

    number: int
    synced: int


class CheckpointFolder:
    """The checkpoints of one consumer on one stream. One thread at a time uses a shard's."""

    def __init__(self, root: Path, consumer: str, stream_arn: str) -> None:
        """Keep them under `root`; a table made anew has another stream, which starts anew."""
        table, _, label = stream_arn.partition(":table/")[2].partition("/stream/")
        self._stream_arn = stream_arn
        self._folder = root / consumer / quote(f"{table}-{label}" if table else stream_arn, safe="")
        self._slots: dict[str, _Slots] = {}

    def empty(self) -> bool:
        """Whether nothing was ever saved here."""
        return not any(self._folder.glob(f"*{_SUFFIX}"))

    def shard_ids(self) -> set[str]:
        """The shards that have a checkpoint."""
        return {unquote(path.stem) for path in self._folder.glob(f"*{_SUFFIX}")}

    def load(self, shard_id: str) -> Checkpoint | None:
        """The checkpoint of a shard; None if it has none yet.

        Raises CheckpointDamaged if what is there is torn, or belongs to another stream or shard;
        Unavailable if it cannot be read.
        """
        found = self._read(shard_id)
        return None if found is None else found[1]

    def _read(self, shard_id: str) -> tuple[_Slots, Checkpoint] | None:
        path = self._path(shard_id)
        try:
            if path.exists() and not path.is_file():
                raise OSError(errno.EINVAL, "something else has its name")
            with path.open("rb") as file:
                content = file.read(2 * SLOT_BYTES + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _unavailable(path, "read", error) from error
        what = "is torn or was changed"
        newest: tuple[_Slots, Checkpoint] | None = None
        for slot in range(2) if len(content) == 2 * SLOT_BYTES else ():
            kept = _parsed(content[slot * SLOT_BYTES : (slot + 1) * SLOT_BYTES])
            if kept is None:
                continue
            if (kept.pop("stream"), kept.pop("shard")) != (self._stream_arn, shard_id):
                what, newest = "belongs to another stream or shard", None
                break
            number = kept.pop("number")
            if newest is None or number > newest[0].number:
                newest = _Slots(number, slot), Checkpoint(**kept)
        if newest is None:
            raise CheckpointDamaged(
                f"the checkpoint {path} {what}",
                hint="put back the right file; or remove it, and the shard is delivered again "
                "from its oldest record, which every consumer but metrics bears",
            )
        return newest

    def save(self, shard_id: str, checkpoint: Checkpoint, *, sync: bool = True) -> None:
        """Replace the shard's checkpoint; a kill on return leaves the new one.

        Args:
            shard_id: whose.
            checkpoint: the new one.
            sync: on return it is on the disk, too. Without it, a machine that loses its power
                may have the last one that was synced instead.

        Raises Unavailable if that failed, as on a full disk; an old one or this one is there
        then. Raises CheckpointDamaged if the file there is not ours.
        """
        path = self._path(shard_id)
        try:
            slots = self._slots.get(shard_id) or self._begin(shard_id, path)
            if slots is None:
                self._create(shard_id, path, checkpoint)
            else:
                self._write(shard_id, path, checkpoint, slots, sync=sync)
        except FileNotFoundError as error:
            self._slots.pop(shard_id, None)  # somebody removed it: the next one is made anew
            raise _unavailable(path, "written", error) from error
        except OSError as error:
            raise _unavailable(path, "written", error) from error

    def _begin(self, shard_id: str, path: Path) -> _Slots | None:
        """What an earlier run left: the newest of it synced; None if there is nothing."""
        found = self._read(shard_id)
        if found is None:
            return None
        with path.open("r+b", buffering=0) as file:
            os.fsync(file.fileno())
        self._slots[shard_id] = found[0]
        return found[0]

    def _create(self, shard_id: str, path: Path, checkpoint: Checkpoint) -> None:
        draft = path.with_suffix(".new")
        self._folder.mkdir(parents=True, exist_ok=True)
        with draft.open("wb") as file:
            file.write(self._slot(shard_id, checkpoint, 0) + _BLANK)
            file.flush()
            # Without it a crash of the machine may leave the new name with no content. That it
            # may leave no name is well: the folder need not be synced.
            os.fsync(file.fileno())
        draft.replace(path)
        self._slots[shard_id] = _Slots(0, 0)

    def _write(
        self, shard_id: str, path: Path, checkpoint: Checkpoint, slots: _Slots, *, sync: bool
    ) -> None:
        number, slot = slots.number + 1, 1 - slots.synced
        content = self._slot(shard_id, checkpoint, number)
        with path.open("r+b", buffering=0) as file:
            if os.pwrite(file.fileno(), content, slot * SLOT_BYTES) != SLOT_BYTES:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            slots.number = number
            if sync:
                os.fsync(file.fileno())
                slots.synced = slot

    def _slot(self, shard_id: str, checkpoint: Checkpoint, number: int) -> bytes:
        kept = {
            "fanout": _SCHEMA,
            "number": number,
            "stream": self._stream_arn,
            "shard": shard_id,
            **asdict(checkpoint),
        }
        text = orjson.dumps({**kept, "digest": _digest(kept)})
        return text.ljust(SLOT_BYTES - 1) + b"\n"

    def forget(self, shard_id: str) -> None:
        """Remove the checkpoint of a shard that the stream no longer has."""
        path = self._path(shard_id)
        self._slots.pop(shard_id, None)
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise _unavailable(path, "removed", error) from error

    def _path(self, shard_id: str) -> Path:
        return self._folder / (quote(shard_id, safe="") + _SUFFIX)


def _parsed(slot: bytes) -> dict[str, Any] | None:
    """What a slot says, without schema and digest; None if it is blank, torn or not ours."""
    try:
        kept = orjson.loads(slot)
        if kept.pop("digest") == _digest(kept) and kept.pop("fanout") == _SCHEMA:
            return kept  # type: ignore[no-any-return]
    except (ValueError, TypeError, KeyError, AttributeError):
        pass
    return None


def _digest(kept: dict[str, object]) -> str:
    return hashlib.sha256(orjson.dumps(kept, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]


def _unavailable(path: Path, done: str, error: OSError) -> Unavailable:
    return Unavailable(
        f"the checkpoint {path} cannot be {done}: {error.strerror}",
        hint="make room on the disk, or mend the folder's permissions; delivery waits for it",
    )
