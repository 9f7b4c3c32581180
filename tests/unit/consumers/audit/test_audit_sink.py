"""The archive's sink before an S3 that answers as a test says: what no server can be made to do."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from hashlib import sha256

import pytest

from consumers.audit.projection import ArchiveLine
from consumers.audit.sink import ArchiveSink, open_sink
from shared import aws_s3
from shared.clock import Deadline
from shared.errors import InvalidSettings, Unavailable
from shared.runtime import WriteResult
from shared.settings import Settings
from tests.support.scripted_http import Reply, Request, scripted

LINES = [ArchiveLine(488_888, str(10**20), b'{"number":1}\n')]


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.delenv("AWS_SESSION_TOKEN", raising=False)
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.setattr(aws_s3, "_PAUSE_SECONDS", 0.0)


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ArchiveSink]:
    def at(url: str) -> ArchiveSink:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", url)
        return open_sink(Settings(archive_bucket="bucket"))

    return at


Opened = Callable[[str], ArchiveSink]


def keeping(objects: dict[str, bytes], lost: set[int]) -> Callable[[Request], Reply]:
    """An S3 that keeps what is put, and of these requests, by number, forgets to answer."""
    count = 0

    def answer(request: Request) -> Reply:
        nonlocal count
        count += 1
        reply = Reply()
        if request.method == "HEAD":
            digest = b64encode(sha256(objects[request.path]).digest()).decode()
            reply = Reply(headers=(("x-amz-checksum-sha256", digest),))
        elif request.path in objects and "if-none-match" in request.headers:
            reply = Reply(412, b"<Error><Code>PreconditionFailed</Code></Error>")
        else:
            objects[request.path] = request.body
        return Reply(hang_up=True) if count in lost else reply

    return answer


@pytest.mark.parametrize(
    ("lost", "asked"),
    [
        (set(), ["PUT"]),
        # The lost one was carried out: the next finds the name taken, and by these very bytes.
        ({1}, ["PUT", "PUT", "HEAD"]),
        ({1, 3}, ["PUT", "PUT", "HEAD", "HEAD"]),
    ],
)
def test_an_answer_that_is_lost_loses_nothing(
    lost: set[int], asked: list[str], opened: Opened
) -> None:
    objects: dict[str, bytes] = {}
    with scripted(keeping(objects, lost)) as server:
        result = opened(server.url).write(LINES, Deadline(60))
    assert [request.method for request in server.requests] == asked
    assert result == WriteResult(conflicts=1 if lost else 0)
    assert len(objects) == 1


def test_other_bytes_of_a_known_checksum_are_not_taken_for_ours(opened: Opened) -> None:
    objects: dict[str, bytes] = {}
    with scripted(keeping(objects, set())) as server:
        sink = opened(server.url)
        assert sink.write(LINES, Deadline(60)) == WriteResult()
        ((path, whole),) = objects.items()
        objects[path] = b"forged"
        assert sink.write(LINES, Deadline(60)) == WriteResult()
    assert [request.method for request in server.requests] == ["PUT", "PUT", "HEAD", "PUT"]
    assert objects == {path: whole}


def test_answers_that_are_lost_for_good_delay(opened: Opened) -> None:
    with scripted(lambda _: Reply(hang_up=True)) as server:
        sink = opened(server.url)
        result = sink.write(LINES, Deadline(60))
        with pytest.raises(Unavailable):
            sink.probe(Deadline(60))
    assert not result.rejected
    assert isinstance(result.unavailable[0], Unavailable)
    assert result.unavailable[0].hint
    assert [request.method for request in server.requests] == ["PUT", "PUT", "HEAD", "HEAD"]


def test_a_comparison_without_an_answer_is_not_taken_for_one(opened: Opened) -> None:
    objects: dict[str, bytes] = {}
    with scripted(keeping(objects, {3, 4})) as server:
        sink = opened(server.url)
        assert sink.write(LINES, Deadline(60)) == WriteResult()
        result = sink.write(LINES, Deadline(60))
    assert "comparing" in result.unavailable[0].reason


@pytest.mark.parametrize("status", [301, 307, 400])
def test_a_bucket_in_another_region_is_told_with_what_to_do(status: int, opened: Opened) -> None:
    elsewhere = Reply(
        status,
        b"<Error><Code>PermanentRedirect</Code></Error>",
        headers=(("x-amz-bucket-region", "ap-south-1"),),
    )
    with scripted(lambda _: elsewhere) as server:
        sink = opened(server.url)
        result = sink.write(LINES, Deadline(60))
        with pytest.raises(Unavailable, match=str(status)) as caught:
            sink.probe(Deadline(60))
    assert "PermanentRedirect" in result.unavailable[0].reason
    for failure in (result.unavailable[0], caught.value):
        assert "ap-south-1" in failure.hint
        assert "AWS_REGION" in failure.hint


def test_a_setting_that_is_no_bucket_stops_the_start(opened: Opened) -> None:
    with pytest.raises(InvalidSettings):
        open_sink(Settings(archive_bucket="s3://bucket/"))
