"""The archive in S3: one object for each batch and hour."""

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from consumers.audit.projection import ArchiveLine
from shared.archive_compression import compress
from shared.archive_format import object_key
from shared.archive_store import unavailable
from shared.clients import CONNECT_SECONDS, READ_SECONDS, aws_client
from shared.clock import Deadline
from shared.errors import Retryable
from shared.runtime import WriteResult
from shared.settings import Settings

_ATTEMPTS = 2
# The longest that one call may take with all its attempts, and the pause between them.
CALL_SECONDS = _ATTEMPTS * (CONNECT_SECONDS + READ_SECONDS) + 2.0

_TAKEN = frozenset({"PreconditionFailed", "412"})


@dataclass(frozen=True, slots=True)
class ArchiveSink:
    """Writes lines into the archive. Used by one invocation at a time.

    Attributes:
        bucket: the archive's bucket.
        lock_days: for how long Object Lock keeps each object; 0 leaves that to the bucket.
    """

    bucket: str
    lock_days: int = 0

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
        from botocore.exceptions import BotoCoreError, ClientError

        deadline.require(CALL_SECONDS, "looking at the archive's bucket")
        try:
            self._client().head_bucket(Bucket=self.bucket)
        except (BotoCoreError, ClientError) as error:
            raise unavailable("looking at the archive's bucket", error) from error

    def _put(self, lines: Sequence[ArchiveLine], deadline: Deadline) -> bool:
        """Write the lines of one hour; False if the archive had the very object already."""
        body = compress(line.line for line in lines)
        digest = sha256(body)
        checksum = b64encode(digest.digest()).decode()
        first, last = lines[0].sequence_number, lines[-1].sequence_number
        request = {
            "Bucket": self.bucket,
            "Key": object_key(lines[0].hour, first, last, digest.hexdigest()),
            "Body": body,
            # S3 refuses a body that was damaged on its way, and keeps the checksum.
            "ChecksumSHA256": checksum,
            "ContentType": "application/x-ndjson",
            **self._retention(),
        }
        if self._created({**request, "IfNoneMatch": "*"}, deadline):
            return True
        if self._holds(request["Key"], checksum, deadline):
            return False
        # The name says which bytes belong there, and others are: put the right ones on top.
        return self._created(request, deadline)

    def _created(self, request: dict[str, Any], deadline: Deadline) -> bool:
        """Put an object; False if it was to be new and there is one of that name."""
        from botocore.exceptions import BotoCoreError, ClientError

        deadline.require(CALL_SECONDS, "archiving a batch")
        try:
            self._client().put_object(**request)
        except ClientError as error:
            if "IfNoneMatch" in request and error.response["Error"]["Code"] in _TAKEN:
                return False
            raise unavailable("archiving a batch", error) from error
        except BotoCoreError as error:
            raise unavailable("archiving a batch", error) from error
        return True

    def _holds(self, key: str, checksum: str, deadline: Deadline) -> bool:
        """Whether the object of that name has these very bytes, as far as S3 lets us see."""
        from botocore.exceptions import BotoCoreError, ClientError

        deadline.require(CALL_SECONDS, "comparing with the archive")
        try:
            answer = self._client().head_object(Bucket=self.bucket, Key=key, ChecksumMode="ENABLED")
        except ClientError:
            # Not ours to read, or gone by now: writing it again does no harm.
            return False
        except BotoCoreError as error:
            raise unavailable("comparing with the archive", error) from error
        return bool(answer.get("ChecksumSHA256") == checksum)

    def _retention(self) -> dict[str, Any]:
        if not self.lock_days:
            return {}
        until = datetime.now(UTC) + timedelta(days=self.lock_days)
        return {"ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": until}

    def _client(self) -> Any:
        # Made at the first use, once per process.
        return aws_client("s3", _ATTEMPTS)


def open_sink(settings: Settings) -> ArchiveSink:
    """The sink of these settings; nothing is connected yet."""
    return ArchiveSink(settings.archive_bucket, settings.archive_lock_days)
