"""Requests of HTTP/1.1 out of the bytes of a connection. No sockets in here."""

from dataclasses import dataclass
from urllib.parse import unquote

MAX_HEAD_BYTES = 65_536
_HEAD_END = b"\r\n\r\n"
_HEX = b"0123456789abcdefABCDEF"

Headers = list[tuple[bytes, bytes]]


class BadRequest(Exception):
    """What came is no request that we can read."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request, whole.

    Attributes:
        method: in capitals.
        target: as it came: path and query.
        headers: names in small letters.
        body: without the framing of a chunked one.
        keeps_alive: whether another request may follow on the connection.
    """

    method: str
    target: str
    headers: Headers
    body: bytes
    keeps_alive: bool

    @property
    def raw_path(self) -> bytes:
        """The path as it came."""
        return self.target.partition("?")[0].encode("latin-1")

    @property
    def path(self) -> str:
        """The path, decoded."""
        path = self.target.partition("?")[0]
        return unquote(path) if "%" in path else path

    @property
    def query(self) -> bytes:
        """What follows the question mark."""
        return self.target.partition("?")[2].encode("latin-1")


@dataclass(slots=True)
class _Head:
    """A request of which the body may be missing; `length` is None for a chunked one."""

    method: str
    target: str
    headers: Headers
    keeps_alive: bool
    length: int | None
    awaits_continue: bool


class Reader:
    """Cuts what comes into requests."""

    def __init__(self) -> None:
        """Nothing has come yet."""
        self._buffer = bytearray()
        self._head: _Head | None = None
        # Of a chunked body: what is decoded, and where in the buffer the next chunk begins.
        self._chunks: list[bytes] = []
        self._place = 0

    def feed(self, data: bytes) -> None:
        """Take what came."""
        self._buffer += data

    def next(self) -> Request | None:
        """The next request, or None until more has come. Raises BadRequest."""
        if self._head is None:
            end = self._buffer.find(_HEAD_END)
            if end < 0 or end > MAX_HEAD_BYTES:
                if max(end, len(self._buffer)) > MAX_HEAD_BYTES:
                    raise BadRequest("the head of a request is too long")
                return None
            self._head = _head(bytes(self._buffer[:end]))
            del self._buffer[: end + len(_HEAD_END)]
        head = self._head
        body = self._chunked() if head.length is None else self._sized(head.length)
        if body is None:
            return None
        self._head = None
        return Request(head.method, head.target, head.headers, body, head.keeps_alive)

    def expects_continue(self) -> bool:
        """Whether the client waits to be told to send the body; true once for each request."""
        if self._head is None or not self._head.awaits_continue:
            return False
        self._head.awaits_continue = False
        return True

    def _sized(self, length: int) -> bytes | None:
        if len(self._buffer) < length:
            return None
        body = bytes(self._buffer[:length])
        del self._buffer[:length]
        return body

    def _chunked(self) -> bytes | None:
        buffer = self._buffer
        while (end := buffer.find(b"\r\n", self._place)) >= 0:
            size = _size(bytes(buffer[self._place : end]))
            begin = end + 2
            if size:
                if len(buffer) < begin + size + 2:
                    return None
                self._chunks.append(bytes(buffer[begin : begin + size]))
                self._place = begin + size + 2
                continue
            # Fields may follow the last chunk; the body ends with an empty line.
            last = end if buffer[end : end + 4] == _HEAD_END else buffer.find(_HEAD_END, begin)
            if last < 0:
                return None
            del buffer[: last + len(_HEAD_END)]
            body = b"".join(self._chunks)
            self._chunks, self._place = [], 0
            return body
        return None


def _size(line: bytes) -> int:
    digits = line.partition(b";")[0].strip()
    if not digits or digits.strip(_HEX):
        raise BadRequest("a chunk of a body has no size")
    return int(digits, 16)


def _head(text: bytes) -> _Head:
    first, *lines = text.split(b"\r\n")
    try:
        method, target, version = first.decode("latin-1").split(" ")
    except ValueError:
        raise BadRequest("the first line is none of HTTP") from None
    if not version.startswith("HTTP/1."):
        raise BadRequest("only HTTP/1.1 is spoken here")
    headers: Headers = []
    for line in lines:
        name, colon, value = line.partition(b":")
        if not colon or not name or name != name.strip():
            raise BadRequest("a line of the head is no field")
        headers.append((name.lower(), value.strip()))
    known = dict(headers)
    length: int | None = 0
    if b"chunked" in known.get(b"transfer-encoding", b"").lower():
        length = None
    elif (stated := known.get(b"content-length")) is not None:
        if not stated.isdigit():
            raise BadRequest("the length of the body is no number")
        length = int(stated)
    connection = known.get(b"connection", b"").lower()
    keeps_alive = b"keep-alive" in connection if version == "HTTP/1.0" else connection != b"close"
    awaits = known.get(b"expect", b"").lower() == b"100-continue"
    return _Head(method, target, headers, keeps_alive, length, awaits)
