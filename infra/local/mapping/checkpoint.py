"""Checkpoints on disk: how far each shard has been delivered.

One small file per shard, replaced as a whole: written beside it, synced, renamed. A kill leaves
the old one or the new one. A file that is neither was damaged by something else; to guess would
skip or repeat a day, so it is refused.
"""

import hashlib
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import quote, unquote

import orjson

from shared.errors import FanoutError, Unavailable

_SCHEMA = "checkpoint/1"
_SUFFIX = ".json"


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


class CheckpointFolder:
    """The checkpoints of one consumer on one stream."""

    def __init__(self, root: Path, consumer: str, stream_arn: str) -> None:
        """Keep them under `root`; a table made anew has another stream, which starts anew."""
        table, _, label = stream_arn.partition(":table/")[2].partition("/stream/")
        self._stream_arn = stream_arn
        self._folder = root / consumer / quote(f"{table}-{label}" if table else stream_arn, safe="")

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
        path = self._path(shard_id)
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _unavailable(path, "read", error) from error
        try:
            kept = orjson.loads(content)
            digest = kept.pop("digest")
            whole = digest == _digest(kept) and kept.pop("fanout") == _SCHEMA
            ours = (kept.pop("stream"), kept.pop("shard")) == (self._stream_arn, shard_id)
            if whole and ours:
                return Checkpoint(**kept)
        except (ValueError, TypeError, KeyError, AttributeError):
            whole = ours = False
        what = "belongs to another stream or shard" if whole else "is torn or was changed"
        raise CheckpointDamaged(
            f"the checkpoint {path} {what}",
            hint="put back the right file; or remove it, and the shard is delivered again from "
            "its oldest record, which every consumer but metrics bears",
        )

    def save(self, shard_id: str, checkpoint: Checkpoint) -> None:
        """Replace the shard's checkpoint; on return it is on the disk.

        Raises Unavailable if that failed, as on a full disk; the old one is still there then.
        """
        path = self._path(shard_id)
        kept = {
            "fanout": _SCHEMA,
            "stream": self._stream_arn,
            "shard": shard_id,
            **asdict(checkpoint),
        }
        content = orjson.dumps({**kept, "digest": _digest(kept)}, option=orjson.OPT_APPEND_NEWLINE)
        draft = path.with_suffix(".new")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with draft.open("wb") as file:
                file.write(content)
                file.flush()
                # Without it a crash of the machine may leave the new name with no content. That
                # it may leave the old name is well: the folder need not be synced.
                os.fsync(file.fileno())
            draft.replace(path)
        except OSError as error:
            raise _unavailable(path, "written", error) from error

    def forget(self, shard_id: str) -> None:
        """Remove the checkpoint of a shard that the stream no longer has."""
        path = self._path(shard_id)
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise _unavailable(path, "removed", error) from error

    def _path(self, shard_id: str) -> Path:
        return self._folder / (quote(shard_id, safe="") + _SUFFIX)


def _digest(kept: dict[str, object]) -> str:
    return hashlib.sha256(orjson.dumps(kept, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]


def _unavailable(path: Path, done: str, error: OSError) -> Unavailable:
    return Unavailable(
        f"the checkpoint {path} cannot be {done}: {error.strerror}",
        hint="make room on the disk, or mend the folder's permissions; delivery waits for it",
    )
