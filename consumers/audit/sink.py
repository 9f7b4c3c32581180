"""The archive in S3: one object for each batch and hour."""

from base64 import b64encode
from collections.abc import Sequence
from hashlib import sha256
from time import gmtime, strftime, time

from consumers.audit.projection import ArchiveLine
from shared.archive_compression import compress
from shared.archive_format import object_key
from shared.archive_store import unavailable
from shared.aws_s3 import CALL_SECONDS, Bucket, Refused
from shared.clock import Deadline
from shared.errors import Retryable
from shared.runtime import WriteResult
from shared.settings import Settings

_TAKEN = frozenset({"PreconditionFailed", "412"})
_DAY_SECONDS = 86_400


class ArchiveSink:
    """Writes lines into the archive. Used by one invocation at a time."""

    __slots__ = ("_bucket", "_lock_days")

    def __init__(self, bucket: str, lock_days: int = 0) -> None:
        """Nothing is connected yet.

        Args:
            bucket: name of the archive's bucket.
            lock_days: for how long Object Lock keeps each object; 0 leaves that to the bucket.

        Raises InvalidSettings if S3 cannot be found by these, or there are no credentials.
        """
        self._bucket = Bucket(bucket)
        self._lock_days = lock_days

    def write(self, operations: Sequence[ArchiveLine], deadline: Deadline) -> WriteResult:
        """Write one object for each hour in which changes were made.

        Nothing is ever rejected: no line is such that S3 could not keep it. The first object
        that is not written ends the batch; those before it stand, and the redelivered records
        are written again under the same name, or in another cut as repeats.
        Lines that were in the archive already count as conflicts.
        """
        hours: dict[int, list[int]] = {}
        for index, operation in enumerate(operations):
            hours.setdefault(operation.hour, []).append(index)
        repeats = 0
        for indexes in hours.values():
            try:
                if not self._put([operations[index] for index in indexes], deadline):
                    repeats += len(indexes)
            except Retryable as failure:
                return WriteResult(unavailable={indexes[0]: failure}, conflicts=repeats)
        return WriteResult(conflicts=repeats)

    def probe(self, deadline: Deadline) -> None:
        """Ask S3 whether the bucket is there and ours; raises Retryable if not."""
        deadline.require(CALL_SECONDS, "looking at the archive's bucket")
        try:
            self._bucket.head_bucket()
        except (Refused, OSError) as error:
            raise unavailable("looking at the archive's bucket", error) from error

    def _put(self, lines: Sequence[ArchiveLine], deadline: Deadline) -> bool:
        """Write the lines of one hour; False if the archive had the very object already."""
        body = compress(line.line for line in lines)
        digest = sha256(body).digest()
        first, last = lines[0].sequence_number, lines[-1].sequence_number
        key = object_key(lines[0].hour, first, last, digest.hex())
        if self._created(key, body, digest, deadline, new=True):
            return True
        if self._holds(key, digest, deadline):
            return False
        # The name says which bytes belong there, and others are: put the right ones on top.
        return self._created(key, body, digest, deadline, new=False)

    def _created(
        self, key: str, body: bytes, digest: bytes, deadline: Deadline, *, new: bool
    ) -> bool:
        """Put an object; False if it was to be new and there is one of that name."""
        deadline.require(CALL_SECONDS, "archiving a batch")
        try:
            self._bucket.put_object(key, body, digest, self._headers(), new=new)
        except Refused as refusal:
            if new and refusal.code in _TAKEN:
                return False
            raise unavailable("archiving a batch", refusal) from refusal
        except OSError as error:
            raise unavailable("archiving a batch", error) from error
        return True

    def _holds(self, key: str, digest: bytes, deadline: Deadline) -> bool:
        """Whether the object of that name has these very bytes, as far as S3 lets us see."""
        deadline.require(CALL_SECONDS, "comparing with the archive")
        try:
            return self._bucket.head_object(key) == b64encode(digest)
        except Refused:
            # Not ours to read, or gone by now: writing it again does no harm.
            return False
        except OSError as error:
            raise unavailable("comparing with the archive", error) from error

    def _headers(self) -> dict[str, str]:
        headers = {"content-type": "application/x-ndjson"}
        if self._lock_days:
            until = gmtime(time() + self._lock_days * _DAY_SECONDS)
            headers["x-amz-object-lock-mode"] = "GOVERNANCE"
            headers["x-amz-object-lock-retain-until-date"] = strftime("%Y-%m-%dT%H:%M:%SZ", until)
        return headers


def open_sink(settings: Settings) -> ArchiveSink:
    """The sink of these settings; nothing is connected yet. Raises InvalidSettings."""
    return ArchiveSink(settings.archive_bucket, settings.archive_lock_days)
