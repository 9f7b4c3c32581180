"""The archive's sink against S3: one object a batch and hour, the same again, and every failure."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from consumers.audit.projection import ArchiveLine
from consumers.audit.sink import ArchiveSink, open_sink
from infra.local.servers import LocalServers
from shared.archive_compression import lines_of
from shared.archive_format import read_name
from shared.aws_s3 import CALL_SECONDS
from shared.clients import aws_client
from shared.clock import Deadline
from shared.errors import DeadlineNear, Unavailable
from shared.runtime import WriteResult
from shared.settings import Settings
from tests.support import archive
from tests.support import records as make

HOUR = 488888  # 2025-10-09T08:00Z
WRITTEN = WriteResult()


@pytest.fixture(scope="module", autouse=True)
def clients(servers: LocalServers) -> Iterator[None]:
    with archive.clients_of(servers):
        yield


@pytest.fixture
def bucket() -> str:
    return archive.make_bucket()


def lines(*numbers: int, hour: int = HOUR) -> list[ArchiveLine]:
    return [ArchiveLine(hour, str(10**20 + n), b'{"number":%d}\n' % n) for n in numbers]


def test_a_batch_is_one_object_in_the_folder_of_its_hour(bucket: str) -> None:
    batch = lines(1, 2, 3)
    assert ArchiveSink(bucket).write(batch, Deadline(60)) == WRITTEN
    (key,) = archive.keys_in(bucket)
    assert key.startswith(
        "audit/date=2025-10-09/hour=08/"
        "0000000000000000000100000000000000000001-0000000000000000000100000000000000000003-"
    )
    assert read_name(key) is not None
    assert list(lines_of(archive.body_of(bucket, key))) == [line.line for line in batch]


def test_a_redelivered_batch_is_the_same_object(bucket: str) -> None:
    sink, batch = ArchiveSink(bucket), lines(1, 2, 3)
    sink.write(batch, Deadline(60))
    assert sink.write(batch, Deadline(60)) == WriteResult(conflicts=3)
    versions = aws_client("s3").list_object_versions(Bucket=bucket)["Versions"]
    assert len(versions) == 1, "it was written again"


def test_another_cut_is_another_object(bucket: str) -> None:
    sink = ArchiveSink(bucket)
    for cut in (lines(1, 2, 3), lines(2, 3, 4), lines(3)):
        assert sink.write(cut, Deadline(60)) == WRITTEN
    assert len(archive.keys_in(bucket)) == 3


def test_the_same_range_with_other_content_is_another_object(bucket: str) -> None:
    sink = ArchiveSink(bucket)
    sink.write(lines(1, 2, 3), Deadline(60))
    assert sink.write(lines(1, 3), Deadline(60)) == WRITTEN
    assert len(archive.keys_in(bucket)) == 2


def test_hours_are_kept_apart(bucket: str) -> None:
    batch = [*lines(1, 2), *lines(3, hour=HOUR + 1), *lines(4), *lines(5, hour=HOUR + 16)]
    assert ArchiveSink(bucket).write(batch, Deadline(60)) == WRITTEN
    found = {
        key.removeprefix("audit/").rpartition("/")[0]: [
            int(line[10:-2]) for line in lines_of(archive.body_of(bucket, key))
        ]
        for key in archive.keys_in(bucket)
    }
    assert found == {
        "date=2025-10-09/hour=08": [1, 2, 4],
        "date=2025-10-09/hour=09": [3],
        "date=2025-10-10/hour=00": [5],
    }


def test_s3_keeps_the_checksum(bucket: str) -> None:
    ArchiveSink(bucket).write(lines(1), Deadline(60))
    (key,) = archive.keys_in(bucket)
    head = aws_client("s3").head_object(Bucket=bucket, Key=key, ChecksumMode="ENABLED")
    assert head["ChecksumSHA256"]
    assert head["ContentType"] == "application/x-ndjson"
    assert "ObjectLockMode" not in head


def test_object_lock_keeps_each_object_for_the_days_set(bucket: str) -> None:
    settings = Settings(archive_bucket=bucket, archive_lock_days=30)
    begun = datetime.now(UTC).replace(microsecond=0)
    assert open_sink(settings).write(lines(1), Deadline(60)) == WRITTEN
    (key,) = archive.keys_in(bucket)
    head = aws_client("s3").head_object(Bucket=bucket, Key=key)
    assert head["ObjectLockMode"] == "GOVERNANCE"
    kept = head["ObjectLockRetainUntilDate"] - begun
    assert timedelta(days=30) <= kept < timedelta(days=30, minutes=10)


def test_foreign_bytes_under_our_name_are_not_taken_for_ours(bucket: str) -> None:
    sink = ArchiveSink(bucket)
    sink.write(lines(1, 2), Deadline(60))
    (key,) = archive.keys_in(bucket)
    whole = archive.body_of(bucket, key)
    archive.put(bucket, key, b"forged")
    assert sink.write(lines(1, 2), Deadline(60)) == WRITTEN
    assert archive.keys_in(bucket) == [key]
    assert archive.body_of(bucket, key) == whole


def test_a_missing_bucket_delays() -> None:
    result = ArchiveSink("no-such-bucket").write(lines(1, 2), Deadline(60))
    assert list(result.unavailable) == [0]
    assert isinstance(result.unavailable[0], Unavailable)
    assert "NoSuchBucket" in result.unavailable[0].reason
    assert "FANOUT_ARCHIVE_BUCKET" in result.unavailable[0].hint
    assert not result.rejected


def test_without_time_nothing_is_begun(bucket: str) -> None:
    result = ArchiveSink(bucket).write(lines(1, 2), Deadline(CALL_SECONDS - 1))
    assert isinstance(result.unavailable[0], DeadlineNear)
    assert archive.keys_in(bucket) == []


class Once(Deadline):
    """Leaves time for one call."""

    def require(self, seconds: float, what: str) -> None:
        super().require(seconds, what)
        self._end = 0


def test_what_there_was_time_for_is_written(bucket: str) -> None:
    batch = [*lines(1, 2), *lines(3, hour=HOUR + 1), *lines(4), *lines(5, hour=HOUR + 1)]
    result = ArchiveSink(bucket).write(batch, Once(60))
    assert list(result.unavailable) == [2]
    assert isinstance(result.unavailable[2], DeadlineNear)
    (key,) = archive.keys_in(bucket)
    assert "hour=08" in key
    # Redelivered from there on, another cut: nothing is missing then.
    assert ArchiveSink(bucket).write(batch[2:], Deadline(60)) == WRITTEN
    assert len(archive.keys_in(bucket)) == 3


def test_no_operations_no_object(bucket: str) -> None:
    assert ArchiveSink(bucket).write([], Deadline(0)) == WRITTEN
    assert archive.keys_in(bucket) == []


def test_the_probe_tells_whether_the_bucket_is_there(bucket: str) -> None:
    ArchiveSink(bucket).probe(Deadline(60))
    with pytest.raises(Unavailable):
        ArchiveSink("no-such-bucket").probe(Deadline(60))
    with pytest.raises(DeadlineNear):
        ArchiveSink(bucket).probe(Deadline(1))


@contextmanager
def s3_that_answers(status: int, code: str) -> Iterator[list[str]]:
    """An S3 that refuses everything in one way: what the emulator cannot be made to do."""
    asked: list[str] = []

    class Refuse(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            asked.append(self.command)
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            body = f"<Error><Code>{code}</Code></Error>".encode() if code else b""
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_PUT = do_HEAD = answer  # noqa: N815  the names http.server asks for

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Refuse)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
        aws_client.cache_clear()
        try:
            yield asked
        finally:
            server.shutdown()
            thread.join()
            server.server_close()
            aws_client.cache_clear()


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (503, "SlowDown"),
        (500, "InternalError"),
        (503, ""),
        (400, "RequestTimeout"),
        (403, "AccessDenied"),
        (403, "RequestTimeTooSkewed"),
        (404, "NoSuchBucket"),
        (400, "InvalidRequest"),
        (409, "ConditionalRequestConflict"),
        (400, "SomethingNobodyHasHeardOf"),
    ],
)
def test_whatever_s3_says_no_line_is_ever_given_up(status: int, code: str) -> None:
    with s3_that_answers(status, code):
        result = ArchiveSink("bucket").write(lines(1), Deadline(60))
        with pytest.raises(Unavailable):
            ArchiveSink("bucket").probe(Deadline(60))
    assert not result.rejected
    assert isinstance(result.unavailable[0], Unavailable)
    assert (code or str(status)) in result.unavailable[0].reason
    assert result.unavailable[0].hint


def test_a_name_that_is_taken_but_hidden_from_us_is_written_again() -> None:
    # 412 to everything, also to the comparison and to the write without a condition.
    with s3_that_answers(412, "PreconditionFailed") as asked:
        result = ArchiveSink("bucket").write(lines(1), Deadline(60))
    assert asked == ["PUT", "HEAD", "PUT"]
    assert isinstance(result.unavailable[0], Unavailable), "taken for written"


def test_nobody_at_the_other_end_delays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    aws_client.cache_clear()
    result = ArchiveSink("bucket").write(lines(1), Deadline(60))
    with pytest.raises(Unavailable, match="ConnectionRefusedError"):
        ArchiveSink("bucket").probe(Deadline(60))
    aws_client.cache_clear()
    assert isinstance(result.unavailable[0], Unavailable)
    assert "can be reached" in result.unavailable[0].hint


def test_a_line_of_a_real_record_fits(bucket: str) -> None:
    assert archive.write(bucket, [make.stream_record(None, make.order())]) == WRITTEN
