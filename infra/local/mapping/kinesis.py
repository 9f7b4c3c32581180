"""A table's Kinesis stream, made from its own stream: the same records, less well behaved.

As in AWS a record may come twice, and records may change places, also those of one item. Which
ones is decided by their eventID and a seed, so that a run can be repeated. At-least-once holds
over kills: the mark of a record is the position up to which all have been emitted, those that
come late included.

The sequence numbers grow within a shard. They are derived from the stream's; after a restart a
record that is emitted again may get another number, as a repeat in AWS has one of its own.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from infra.local.mapping.kinesis_records import (
    Data,
    Envelope,
    KinesisEntry,
    kinesis_data,
    sequence_number,
)
from infra.local.mapping.lambda_records import StreamEntry
from infra.local.mapping.source import Cursor, Page, Shard, Stream, StreamGone, Trimmed
from shared.errors import InvalidSettings


@dataclass(frozen=True, slots=True)
class Disorder:
    """How a Kinesis stream misbehaves.

    Attributes:
        repeats: share of the records that come twice.
        reorders: share of the records that come late.
        distance: how many records later, at most, a late or repeated one comes.
        seed: decides which ones.
    """

    repeats: float = 0.03
    reorders: float = 0.03
    distance: int = 8
    seed: int = 0

    def steps(self, data: Data) -> int:
        """How many records later this one comes, or comes again."""
        return 1 + int(data.distance * self.distance)


class KinesisStream:
    """The Kinesis stream of a table, with `shard_count` shards per shard of the table's stream."""

    batch_info = "KinesisBatchInfo"

    def __init__(
        self, inner: Stream, shard_count: int = 1, disorder: Disorder | None = None
    ) -> None:
        """Make Kinesis records of `inner`, the stream of a table.

        Raises InvalidSettings if its ARN is not one.
        """
        parts = inner.arn.split(":", 5)
        if len(parts) != 6 or parts[2] != "dynamodb" or not parts[5].startswith("table/"):
            raise InvalidSettings(
                f"{inner.arn} is no ARN of a DynamoDB stream",
                hint="it looks like arn:aws:dynamodb:REGION:ACCOUNT:table/NAME/stream/LABEL",
            )
        _, partition, _, self._region, account, resource = parts
        table = resource.split("/")[1]
        self.arn = f"arn:{partition}:kinesis:{self._region}:{account}:stream/{table}"
        self._role = f"arn:{partition}:iam::{account}:role/{table}"
        self._inner = inner
        self._count = shard_count
        self._disorder = disorder or Disorder()

    def shards(self) -> Sequence[Shard]:
        """Every shard of the table's stream, divided by the items' keys."""
        return [
            Shard(
                self._divided(shard.shard_id, part),
                tuple(self._divided(parent, part) for parent in shard.parents),
            )
            for shard in self._inner.shards()
            for part in range(self._count)
        ]

    def public_shard_id(self, shard_id: str) -> str:
        """`shardId-` and twelve digits."""
        return f"shardId-{self._parts(shard_id)[1]:012d}"

    def open(self, shard_id: str, position: str) -> "KinesisCursor":
        """A cursor behind `position`, which is one of the table's stream."""
        original, part = self._parts(shard_id)
        envelope = Envelope(self.arn, self._role, self._region, self.public_shard_id(shard_id))
        cursor = self._inner.open(original, position)
        return KinesisCursor(cursor, envelope, self._disorder, part, self._count)

    def on_news(self, shard_id: str, wake: Callable[[], None]) -> None:
        """As the table's stream."""
        self._inner.on_news(self._parts(shard_id)[0], wake)

    def _divided(self, shard_id: str, part: int) -> str:
        # The count is part of the name: with another count, positions mean something else.
        return f"{shard_id}.{part}of{self._count}"

    def _parts(self, shard_id: str) -> tuple[str, int]:
        original, _, division = shard_id.rpartition(".")
        return original, int(division.partition("of")[0])


@dataclass(slots=True)
class _Late:
    """A record, or its repeat, that is due after `steps` more records.

    `before` is the position before it; None for a repeat, which is not missed if it is lost.
    """

    entry: StreamEntry
    data: Data
    steps: int
    before: str | None


class KinesisCursor:
    """A place in one shard, and the records on their way to a later one."""

    def __init__(
        self, inner: Cursor, envelope: Envelope, disorder: Disorder, part: int, parts: int
    ) -> None:
        self._inner = inner
        self._envelope = envelope
        self._disorder = disorder
        self._part, self._parts = part, parts
        self._late: list[_Late] = []
        self._mark = ""
        self._place = self._count = 0

    def read(self, limit: int) -> Page:
        """Read on by up to `limit` stream records; may give more, or fewer, than that."""
        try:
            page = self._inner.read(limit)
        except (Trimmed, StreamGone):
            if not self._late:
                raise
            # It will say so again; what is on its way comes first.
            page = Page((), self._mark)
        emitted: list[KinesisEntry] = []
        for entry in page.entries:
            assert isinstance(entry, StreamEntry)
            data = kinesis_data(entry, self._disorder.seed)
            if data.shard % self._parts == self._part:
                self._pass(entry, data, emitted)
            else:
                self._mark = entry.mark
        if not page.entries or page.closed:
            # Nothing comes that they could fall behind.
            late, self._late = self._late, []
            self._emit_all(late, emitted)
        self._mark = self._mark or page.mark
        caught_up_at = None if emitted else page.caught_up_at
        return Page(emitted, self._safe(), page.closed, page.more, caught_up_at, page.retry_after)

    def behind(self) -> int:
        """How many unread stream records are known to be there."""
        return self._inner.behind() + len(self._late)

    def _pass(self, entry: StreamEntry, data: Data, emitted: list[KinesisEntry]) -> None:
        disorder = self._disorder
        self._place, self._count = int(entry.sequence_number), 0
        due = []
        for late in self._late:
            late.steps -= 1
            if late.steps <= 0:
                due.append(late)
        self._late = [late for late in self._late if late.steps > 0]
        steps = disorder.steps(data)
        if data.delay < disorder.reorders:
            self._late.append(_Late(entry, data, steps, self._mark))
            self._mark = entry.mark
        else:
            self._mark = entry.mark
            self._emit(entry, data, emitted, due)
            if data.repeat < disorder.repeats:
                self._late.append(_Late(entry, data, steps, None))
        self._emit_all(due, emitted)

    def _emit_all(self, due: list[_Late], emitted: list[KinesisEntry]) -> None:
        while due:
            late = due.pop(0)
            # Those that are due and not out yet hold the mark back, too.
            self._emit(late.entry, late.data, emitted, due)

    def _emit(
        self,
        entry: StreamEntry,
        data: Data,
        emitted: list[KinesisEntry],
        due: Sequence[_Late],
    ) -> None:
        """Emit a record while those in `due` are still to come."""
        number = sequence_number(self._place, self._count)
        self._count += 1
        safe = self._safe(due)
        emitted.append(KinesisEntry(self._envelope, data, number, safe, entry.arrived))

    def _safe(self, due: Sequence[_Late] = ()) -> str:
        """The position up to which every record has been emitted."""
        held = (late for late in (*due, *self._late) if late.before is not None)
        oldest = min(held, key=lambda late: int(late.entry.mark), default=None)
        return self._mark if oldest is None else oldest.before or ""
