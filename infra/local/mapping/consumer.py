"""One consumer's reading of a whole stream: which shards may be read when. No threads."""

from collections.abc import Sequence

from infra.local.mapping import failure
from infra.local.mapping.checkpoint import Checkpoint
from infra.local.mapping.failure import Place
from infra.local.mapping.numbers import MappingStatus, Numbers
from infra.local.mapping.reader import ShardReader
from infra.local.mapping.source import LATEST, TRIM_HORIZON, Shard
from infra.local.mapping.wiring import Wiring


class ConsumerReader:
    """Opens a reader for each shard, once all that its parents held is done.

    An item's changes move with it from a shard to its children, so this keeps them in order.
    """

    def __init__(self, wiring: Wiring) -> None:
        self.name = wiring.config.consumer
        self.stream = wiring.stream
        self.stopped = ""
        self._wiring = wiring
        self._checkpoints = wiring.checkpoints
        self._past = Numbers()
        self._past_error = (0.0, "")
        self._readers: dict[str, ShardReader] = {}
        self._begun: list[ShardReader] = []
        self._finished: set[str] = set()
        # Whether an earlier run read anything; whether this one has looked at all shards.
        self._resumes: bool | None = None
        self._looked = False
        self._told: set[str] = set()

    def discover(self) -> list[ShardReader]:
        """Look at the stream's shards. Returns the readers that may begin now, each only once.

        Raises CheckpointDamaged, or another FanoutError if stream, disk or destination do not do
        their part; what could begin until then is returned by the next call.
        """
        shards = self.stream.shards()
        listed = {shard.shard_id for shard in shards}
        if self._resumes is None:
            self._resumes = not self._checkpoints.empty()
        start = TRIM_HORIZON
        if self._wiring.config.start == LATEST and self._checkpoints.empty():
            start = LATEST
            self._skip_closed(shards)
        for shard_id, reader in self._readers.items():
            if reader.finished:
                self._finished.add(shard_id)
            elif shard_id not in listed:
                reader.unlisted()
        vanished = set() if self._looked else self._vanished(listed)
        while ready := [shard for shard in shards if self._may_begin(shard, shards)]:
            for shard in ready:
                self._require_whole(shard, listed)
                self._begin(shard.shard_id, start)
        # Only now, when all children have begun: until then a finished reader stands for them in
        # `status`, and its checkpoint says, after a kill, that this is no first run.
        self._let_go(vanished | (self._finished - listed))
        self._looked = True
        begun, self._begun = self._begun, []
        return begun

    def _vanished(self, listed: set[str]) -> set[str]:
        """The shards that earlier runs read and that the stream has forgotten since."""
        vanished = self._checkpoints.shard_ids() - listed
        for shard_id in sorted(vanished):
            saved = self._checkpoints.load(shard_id)
            if saved is not None and not saved.closed:
                self._tell_gap(shard_id, saved.mark)
        return vanished

    def _require_whole(self, shard: Shard, listed: set[str]) -> None:
        """Tell if a shard that comes late may have lost its beginning.

        While a parent is listed, it is less than a day since it closed, and its child began.
        """
        unknown = set(shard.parents) - listed - self._finished
        resumes = self._resumes or self._looked
        if unknown and resumes and self._checkpoints.load(shard.shard_id) is None:
            self._tell_gap(shard.shard_id, "")

    def _tell_gap(self, shard_id: str, after: str) -> None:
        if shard_id in self._told:
            return
        reason, now = "the stream forgot records while nobody read it", self._wiring.clock.wall()
        place = Place.of(self._wiring.config, self.stream, shard_id)
        document = failure.gap(place, self.name, after, reason, now)
        self._wiring.destination.send(place, document, None, now)
        self._told.add(shard_id)
        self._past.gaps += 1
        self.note(reason)

    def _may_begin(self, shard: Shard, shards: Sequence[Shard]) -> bool:
        if shard.shard_id in self._readers or shard.shard_id in self._finished:
            return False
        # A parent that the stream has forgotten, and that nobody reads, holds nothing back.
        pending = {each.shard_id for each in shards} | self._readers.keys()
        return not (set(shard.parents) & pending) - self._finished

    def _begin(self, shard_id: str, start: str) -> None:
        reader = ShardReader(self._wiring, shard_id, start)
        if reader.finished:
            self._finished.add(shard_id)
        else:
            self._readers[shard_id] = reader
            self._begun.append(reader)

    def _skip_closed(self, shards: Sequence[Shard]) -> None:
        """At LATEST, what has children is past. A kill in between only makes us read more."""
        for parent in sorted({parent for shard in shards for parent in shard.parents}):
            self._checkpoints.save(parent, Checkpoint(closed=True))

    def _let_go(self, forgotten: set[str]) -> None:
        """Of finished readers, and of the checkpoints of shards that the stream has forgotten."""
        for shard_id in sorted(self._finished & self._readers.keys()):
            reader = self._readers.pop(shard_id)
            self._past.add(reader.numbers)
            self._past_error = max(self._past_error, (reader.last_error_at, reader.last_error))
        for shard_id in sorted(forgotten):
            self._checkpoints.forget(shard_id)
            self._finished.discard(shard_id)

    def note(self, error: str) -> None:
        """Show an error that concerns no single shard."""
        self._past_error = self._wiring.clock.wall(), error

    def status(self) -> MappingStatus:
        """What it does now. Any thread may ask."""
        readers = tuple(self._readers.values())
        numbers = Numbers()
        numbers.add(self._past)
        records, oldest = 0, 0.0
        for reader in readers:
            numbers.add(reader.numbers)
            count, arrived = reader.lag()
            records += count
            oldest = min(filter(None, (oldest, arrived)), default=0.0)
        errors = [(reader.last_error_at, reader.last_error) for reader in readers]
        last_error_at, last_error = max([*errors, self._past_error])
        return MappingStatus(
            consumer=self.name,
            numbers=numbers,
            shards=len(readers),
            lag_records=records,
            lag_ms=max(0, int((self._wiring.clock.wall() - oldest) * 1000)) if oldest else 0,
            caught_up_at_ms=int(min((r.caught_up_at for r in readers), default=0.0) * 1000),
            retrying=any(reader.retrying for reader in readers),
            last_error=last_error,
            last_error_at_ms=int(last_error_at * 1000),
            stopped=self.stopped,
        )
