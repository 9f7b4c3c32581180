"""How far one shard is done, in memory and on disk."""

from infra.local.mapping.checkpoint import Checkpoint, CheckpointFolder
from infra.local.mapping.source import LATEST, TRIM_HORIZON, Clock, Page

# A checkpoint that only says that nothing had to be delivered is written this often.
_FILTERED_SAVE_SECONDS = 5.0
_QUIET_SAVE_SECONDS = 60.0
# A kill finds every checkpoint; a machine that loses its power, those that are older than this.
_SYNC_SECONDS = 1.0


class Progress:
    """What was read of a shard, what of it is done, and the checkpoint, which never runs ahead.

    Attributes:
        position: where reading begins: a mark, TRIM_HORIZON or LATEST.
        since: records that arrived before it, in seconds since the epoch, are not wanted.
        read_mark: position behind what was read.
        read_all_at: a moment; all that was in the shard by then was read. 0 for never.
        caught_up_at: a moment; all that was in the shard by then is done. 0 for never.
        unsaved: something was delivered that the checkpoint does not say.
    """

    def __init__(
        self, checkpoints: CheckpointFolder, shard_id: str, clock: Clock, start: str
    ) -> None:
        """Stand where the checkpoint says; without one, at `start`.

        Raises CheckpointDamaged, or Unavailable if the disk does not do its part.
        """
        self._checkpoints, self._shard_id, self._clock = checkpoints, shard_id, clock
        saved = checkpoints.load(shard_id)
        first = saved is None
        if saved is None:
            saved = Checkpoint(since=clock.wall() if start == LATEST else 0.0)
            checkpoints.save(shard_id, saved)
        self._saved, self._saved_at = saved, clock.monotonic()
        self._synced_at = self._saved_at
        self.position = saved.mark or (start if first else TRIM_HORIZON)
        # LATEST cannot be found again in a later run; the time at which it was can.
        self.since = int(saved.since) if self.position == TRIM_HORIZON else 0
        self._done_mark = self.read_mark = saved.mark
        self.read_all_at = self.caught_up_at = saved.caught_up_at
        self.unsaved = False

    @property
    def closed(self) -> bool:
        """The shard was done to its end, in this run or an earlier one."""
        return self._saved.closed

    def read(self, page: Page) -> None:
        """A page was read."""
        self.read_mark = page.mark or self.read_mark
        if page.caught_up_at is not None:
            self.read_all_at = page.caught_up_at

    def done(self, mark: str) -> None:
        """What was delivered up to `mark` is done; "" says nothing new."""
        self._done_mark = mark or self._done_mark
        self.unsaved = True

    def settle(self) -> None:
        """Nothing is pending: all that was read is done."""
        self._done_mark = self.read_mark
        self.caught_up_at = self.read_all_at

    def save(self, closed: bool = False, *, sync: bool = False) -> None:
        """Write the checkpoint, and now and then, or with `sync`, to the disk. Raises Unavailable.

        The end of a shard is always synced: its children begin by it.
        """
        checkpoint, now = self._checkpoint(closed), self._clock.monotonic()
        sync = sync or closed or now - self._synced_at >= _SYNC_SECONDS
        self._checkpoints.save(self._shard_id, checkpoint, sync=sync)
        self._saved, self._saved_at = checkpoint, now
        if sync:
            self._synced_at = now
        self.unsaved = False

    def save_now_and_then(self) -> None:
        """Write the checkpoint if it is old, though nothing was delivered. Raises Unavailable."""
        age = self._clock.monotonic() - self._saved_at
        if age > _FILTERED_SAVE_SECONDS:
            checkpoint = self._checkpoint()
            if checkpoint.mark != self._saved.mark or (
                age > _QUIET_SAVE_SECONDS and checkpoint != self._saved
            ):
                self.save()

    def flush(self) -> None:
        """Write the checkpoint if it says anything new. Raises Unavailable."""
        if not self.closed and self._checkpoint() != self._saved:
            self.save(sync=True)

    def _checkpoint(self, closed: bool = False) -> Checkpoint:
        since = 0.0 if self._done_mark else self._saved.since
        return Checkpoint(self._done_mark, since, closed, self.caught_up_at)
