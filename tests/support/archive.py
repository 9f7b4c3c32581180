"""An archive in tests: a bucket of the embedded S3, and batches written into it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from consumers.audit.projection import project
from consumers.audit.sink import ArchiveSink
from infra.local.servers import LocalServers
from shared.archive import Change, Damage
from shared.clients import aws_client
from shared.clock import Deadline
from shared.envelopes import read_records
from shared.records import Record
from shared.runtime import WriteResult
from tests.support.servers import unique

Raw = dict[str, Any]


@contextmanager
def clients_of(servers: LocalServers) -> Iterator[None]:
    """The project's own AWS clients lead to these servers."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in servers.endpoints.environment().items():
            patch.setenv(name, value)
        aws_client.cache_clear()
        yield
    aws_client.cache_clear()


def make_bucket() -> str:
    """A new bucket, made as the archive's is: with Object Lock, and so with versions."""
    name = unique("archive")
    aws_client("s3").create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
    return name


def write(bucket: str, entries: Sequence[Raw], seconds: float = 60.0) -> WriteResult:
    """Archive the records of one batch, as the consumer does."""
    made = list(read_records({"Records": list(entries)}))
    operations = [project(record) for record in made if isinstance(record, Record)]
    assert len(operations) == len(entries)
    return ArchiveSink(bucket).write(operations, Deadline(seconds))


def keys_in(bucket: str) -> list[str]:
    """The names of all objects."""
    answer = aws_client("s3").list_objects_v2(Bucket=bucket)
    assert not answer["IsTruncated"]
    return [entry["Key"] for entry in answer.get("Contents", ())]


def put(bucket: str, key: str, body: bytes) -> None:
    """Lay bytes under a name, whatever was there."""
    aws_client("s3").put_object(Bucket=bucket, Key=key, Body=body)


def body_of(bucket: str, key: str) -> bytes:
    """An object's bytes."""
    data: bytes = aws_client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    return data


def remove(bucket: str, key: str) -> None:
    """Take an object away."""
    aws_client("s3").delete_object(Bucket=bucket, Key=key)


def changes(entries: Iterator[Change | Damage]) -> list[Change]:
    """All entries, none of them damage."""
    found = list(entries)
    assert [entry for entry in found if isinstance(entry, Damage)] == []
    return [entry for entry in found if isinstance(entry, Change)]
