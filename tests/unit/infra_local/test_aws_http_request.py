"""Requests are cut from the wire's bytes the same way however these arrive."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.local.servers.aws.http_request import MAX_HEAD_BYTES, BadRequest, Reader, Request

SIZED = b"POST /bucket/a%20b?x=1&y HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = (
    b"PUT /k HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n"
    b"5\r\nhello\r\n12;name=value\r\n\r\n0\r\n\r\nlonger \r\n..\r\n0\r\n\r\n"
)
TRAILED = b"PUT /k HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nsum: 1\r\n\r\n"
BARE = b"GET / HTTP/1.1\r\n\r\n"


def read(*parts: bytes) -> list[Request]:
    reader, found = Reader(), []
    for part in parts:
        reader.feed(part)
        while (request := reader.next()) is not None:
            found.append(request)
    return found


def test_a_request_in_its_parts() -> None:
    (request,) = read(SIZED)
    assert (request.method, request.path, request.query) == ("POST", "/bucket/a b", b"x=1&y")
    assert request.raw_path == b"/bucket/a%20b"
    assert request.headers == [(b"host", b"h"), (b"content-length", b"5")]
    assert request.body == b"hello"
    assert request.keeps_alive


def test_a_chunked_body() -> None:
    (request,) = read(CHUNKED)
    assert request.body == b"hello\r\n0\r\n\r\nlonger \r\n.."
    (request,) = read(TRAILED)
    assert request.body == b"x"


@given(st.lists(st.sampled_from([SIZED, CHUNKED, TRAILED, BARE]), max_size=5), st.data())
def test_any_cut_of_the_bytes_gives_the_same_requests(sent: list[bytes], data) -> None:
    wire = b"".join(sent)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(wire)), max_size=8)))
    parts = [wire[a:b] for a, b in zip([0, *cuts], [*cuts, len(wire)], strict=True)]
    assert read(*parts) == [request for each in sent for request in read(each)]


@pytest.mark.parametrize(
    ("first", "keeps"),
    [
        (b"GET / HTTP/1.1\r\n", True),
        (b"GET / HTTP/1.1\r\nConnection: Close\r\n", False),
        (b"GET / HTTP/1.0\r\n", False),
        (b"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n", True),
    ],
)
def test_who_keeps_the_connection(first: bytes, keeps: bool) -> None:
    (request,) = read(first + b"\r\n")
    assert request.keeps_alive is keeps


def test_a_client_that_waits_is_told_once() -> None:
    reader = Reader()
    reader.feed(b"PUT /k HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
    assert reader.next() is None
    assert reader.expects_continue()
    assert not reader.expects_continue()
    reader.feed(b"ok")
    request = reader.next()
    assert request is not None
    assert request.body == b"ok"


@pytest.mark.parametrize(
    "wire",
    [
        b"nonsense\r\n\r\n",
        b"GET / HTTP/2\r\n\r\n",
        b"GET / HTTP/1.1\r\nno field\r\n\r\n",
        b"GET / HTTP/1.1\r\nspace : x\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        b"PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n",
        b"GET / HTTP/1.1\r\n" + b"a" * (MAX_HEAD_BYTES + 1),
    ],
)
def test_what_is_no_request_is_refused(wire: bytes) -> None:
    with pytest.raises(BadRequest):
        read(wire)
