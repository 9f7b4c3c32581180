"""Streaming the index when the server misbehaves; what it streams: tests/contract."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from consumers.search.purge import purge
from consumers.search.state import documents
from shared.errors import Unavailable
from tests.support.scripted_http import Reply, Request, scripted


def page(*ids: str, **changes: Any) -> Reply:
    hits = [{"_id": name, "_version": 1, "_source": {}} for name in ids]
    answer = {"_scroll_id": "s-1", "_shards": {"failed": 0}, "timed_out": False}
    return Reply(body=orjson.dumps({**answer, "hits": {"hits": hits}, **changes}))


def pages(*replies: Reply) -> Callable[[Request], Reply]:
    coming = iter(replies)
    return lambda request: Reply(404, b"{}") if request.method == "DELETE" else next(coming)


def test_a_stream_that_is_left_early_is_given_back() -> None:
    with scripted(pages(page("a", "b"))) as server:
        stream = documents(server.url)
        assert next(stream).id == "a"
        stream.close()
    given_back = server.requests[-1]
    assert (given_back.method, given_back.path) == ("DELETE", "/_search/scroll")
    assert orjson.loads(given_back.body) == {"scroll_id": ["s-1"]}


@pytest.mark.parametrize("part", [{"_shards": {"failed": 1}}, {"timed_out": True}])
def test_a_part_is_not_taken_for_the_whole(part: dict[str, Any]) -> None:
    with (
        scripted(pages(page("a"), page("b", **part))) as server,
        pytest.raises(Unavailable, match="a part of the index"),
    ):
        list(documents(server.url))


def test_a_page_that_was_lost_on_its_way_is_not_skipped() -> None:
    replies = pages(page("a"), Reply(hang_up=True), page("c"), page())
    with scripted(replies) as server, pytest.raises(Unavailable):
        list(documents(server.url))


def test_a_purge_that_failed_in_part_says_so() -> None:
    answer = {"deleted": 2, "failures": [{}], "timed_out": False}
    with (
        scripted(lambda _: Reply(body=orjson.dumps(answer))) as server,
        pytest.raises(Unavailable, match="removed 2 tombstones"),
    ):
        purge(server.url, 1)
