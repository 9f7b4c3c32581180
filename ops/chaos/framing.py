"""Where a request or an answer ends on the wire: HTTP/1.1, and Redis' RESP2 and 3."""

import asyncio
from dataclasses import dataclass, field

_END_OF_HEAD = b"\r\n\r\n"
_LINE = b"\r\n"
# Redis' types whose text follows with its length, and those that have members: how many for each
# that is counted.
_BULK = (b"$", b"=", b"!")
_MEMBERS = {b"*": 1, b"~": 1, b">": 1, b"%": 2}


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it came.

    Attributes:
        raw: its bytes.
        method: HTTP's, or Redis' command in upper case.
        path: HTTP's, with the query.
        headers: with their names in lower case.
        body: of an HTTP request.
    """

    raw: bytes
    method: str
    path: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


async def read_http_request(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> Request | None:
    """The next request; None if the client has closed the connection.

    A client that asks whether to send its body is told to, so that a request always comes whole.
    """
    head = await _head(reader)
    if head is None:
        return None
    lines = head.decode("latin-1").split("\r\n")
    method, path, _ = lines[0].split(" ", 2)
    headers = _headers(lines)
    if headers.pop("expect", "") == "100-continue":
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        await writer.drain()
        lines = [line for line in lines if not line.lower().startswith("expect:")]
        head = "\r\n".join(lines).encode("latin-1")
    body = await _body(reader, headers)
    return Request(head + body, method, path, headers, body)


async def read_http_answer(reader: asyncio.StreamReader, request: Request) -> bytes:
    """The answer to `request`, whole. Raises EOFError if the connection ends before."""
    head = await _head(reader)
    if head is None:
        raise EOFError("no answer")
    lines = head.decode("latin-1").split("\r\n")
    status, headers = int(lines[0].split(" ")[1]), _headers(lines)
    if request.method == "HEAD" or status in (204, 304):
        return head
    if "content-length" not in headers and headers.get("transfer-encoding") != "chunked":
        return head + await reader.read()
    return head + await _body(reader, headers)


def _headers(lines: list[str]) -> dict[str, str]:
    pairs = (line.partition(":") for line in lines[1:] if line)
    return {name.lower(): value.strip() for name, _, value in pairs}


async def _head(reader: asyncio.StreamReader) -> bytes | None:
    try:
        return await reader.readuntil(_END_OF_HEAD)
    except asyncio.IncompleteReadError as end:
        if end.partial:
            raise
        return None


async def _body(reader: asyncio.StreamReader, headers: dict[str, str]) -> bytes:
    if headers.get("transfer-encoding") != "chunked":
        return await reader.readexactly(int(headers.get("content-length", "0")))
    parts = []
    while True:
        line = await reader.readuntil(_LINE)
        size = int(line.partition(b";")[0], 16)
        parts += [line, await reader.readexactly(size + len(_LINE))]
        if not size:
            return b"".join(parts)


async def read_redis_request(
    reader: asyncio.StreamReader, _writer: asyncio.StreamWriter
) -> Request | None:
    """The next command, an array of bulk strings; None if the client has closed."""
    try:
        raw = await reader.readuntil(_LINE)
    except asyncio.IncompleteReadError as end:
        if end.partial:
            raise
        return None
    name = ""
    for _ in range(int(raw[1:])):
        length = await reader.readuntil(_LINE)
        text = await reader.readexactly(int(length[1:]) + len(_LINE))
        name = name or text[:-2].decode("latin-1").upper()
        raw += length + text
    return Request(raw, name)


async def read_redis_answer(reader: asyncio.StreamReader, _request: Request) -> bytes:
    """The answer, whole. Raises EOFError if the connection ends before."""
    line = await reader.readuntil(_LINE)
    kind, count = line[:1], line[1:-2]
    if kind in _BULK and count != b"-1":
        return line + await reader.readexactly(int(count) + len(_LINE))
    if kind in _MEMBERS:
        for _ in range(int(count) * _MEMBERS[kind]):
            line += await read_redis_answer(reader, _request)
    return line
