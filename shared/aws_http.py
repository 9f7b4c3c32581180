"""HTTP/1.1 to one server over a few kept-alive connections: a request at a time on each.

Sending and waiting are two steps, so that one thread can have several requests under way.
`http.client` would add 25 ms to a cold start and 100 µs to a call, urllib3 more (docs/adr/0009).
Certificates and host names are checked against the system's authorities, or AWS_CA_BUNDLE's.
"""

import os
import select
import socket
from collections import deque
from time import monotonic
from typing import NamedTuple

from shared.aws_endpoints import Endpoint
from shared.clients import CONNECT_SECONDS

# Routers on the way forget a connection after minutes, without telling anyone.
_MAX_IDLE_SECONDS = 60.0
_MAX_HEAD = 1 << 16
_MAX_BODY = 1 << 26
_CHUNK = 1 << 16
_LINE = b"\r\n"


class Garbled(OSError):
    """What came back is no HTTP/1 answer, or not the whole of one."""


class Answer(NamedTuple):
    """What the server answered; names of headers are in lower case."""

    status: int
    headers: dict[bytes, bytes]
    body: bytes


class Connections:
    """Connects when needed and keeps up to `kept` idle ones. Safe to share between threads."""

    def __init__(self, endpoint: Endpoint, kept: int) -> None:
        """Nothing is connected yet."""
        self._endpoint = endpoint
        self._idle: deque[tuple[socket.socket, float]] = deque()
        self._kept = kept

    def send(self, head: bytes, body: bytes, seconds: float) -> "Exchange":
        """Send a request; `head` ends with the empty line.

        All of it, connecting apart, has ended after `seconds`. Raises OSError if it could not
        be sent; whether it took effect is then unknown.
        """
        connection = self._take()
        end = monotonic() + seconds
        try:
            connection.settimeout(seconds)
            connection.sendall(head + body)
        except BaseException:
            connection.close()
            raise
        # What a HEAD is told of a body's length is that of the body it did not ask for.
        return Exchange(self, connection, end, has_body=not head.startswith(b"HEAD "))

    def _take(self) -> socket.socket:
        while True:
            try:
                # The one used last: it is the likeliest to be still there.
                connection, since = self._idle.pop()
            except IndexError:
                return _connect(self._endpoint)
            # Nothing is due: what can be read is its end.
            if monotonic() - since < _MAX_IDLE_SECONDS and not _is_readable(connection):
                return connection
            connection.close()

    def put_back(self, connection: socket.socket) -> None:
        """Keep a connection on which nothing is under way."""
        if len(self._idle) < self._kept:
            self._idle.append((connection, monotonic()))
        else:
            connection.close()

    def close(self) -> None:
        """Let go of what is idle; the next request connects anew."""
        while self._idle:
            self._idle.pop()[0].close()

    def __del__(self) -> None:
        """As `close`."""
        self.close()


class Exchange:
    """A request under way: either `answer` or `drop` is called, once."""

    __slots__ = ("_connection", "_connections", "_end", "_has_body", "_keeps", "_received")

    def __init__(
        self, connections: Connections, connection: socket.socket, end: float, *, has_body: bool
    ) -> None:
        self._connections = connections
        self._connection = connection
        self._end = end
        self._has_body = has_body
        self._received = bytearray()
        self._keeps = False

    def answer(self) -> Answer:
        """Wait for the whole answer.

        Raises OSError if none came in time; whether the request took effect is then unknown.
        """
        try:
            answer = self._read()
        except BaseException:
            # Half an answer may be on its way: only a new connection starts in step.
            self.drop()
            raise
        if self._keeps and not self._received:
            self._connections.put_back(self._connection)
        else:
            self.drop()
        return answer

    def drop(self) -> None:
        """Wait for nothing; whether the request takes effect is unknown."""
        self._connection.close()

    def _read(self) -> Answer:
        first, *lines = self._until(_LINE + _LINE).split(_LINE)
        version, _, rest = first.partition(b" ")
        if not version.startswith(b"HTTP/1.") or not rest[:3].isdigit() or rest[:1] < b"2":
            raise Garbled("no HTTP/1 answer")
        headers: dict[bytes, bytes] = {}
        for line in lines:
            name, _, value = line.partition(b":")
            headers[name.lower()] = value.strip()
        self._keeps = version == b"HTTP/1.1" and headers.get(b"connection", b"").lower() != b"close"
        if not self._has_body:
            body = b""
        elif b"transfer-encoding" in headers:
            body = self._chunks()
        elif b"content-length" in headers:
            body = self._exactly(_number(headers[b"content-length"], 10))
        else:
            body = self._rest()
        return Answer(int(rest[:3]), headers, body)

    def _chunks(self) -> bytes:
        body = bytearray()
        while size := _number(self._until(_LINE).partition(b";")[0], 16):
            body += self._exactly(size)
            if len(body) > _MAX_BODY or self._until(_LINE):
                raise Garbled("chunks that do not fit together")
        while self._until(_LINE):
            pass  # trailers
        return bytes(body)

    def _until(self, mark: bytes) -> bytes:
        while (at := self._received.find(mark)) < 0:
            if len(self._received) > _MAX_HEAD:
                raise Garbled("a head without an end")
            self._receive()
        return self._cut(at, len(mark))

    def _exactly(self, size: int) -> bytes:
        while len(self._received) < size:
            self._receive()
        return self._cut(size, 0)

    def _rest(self) -> bytes:
        # Without a length the end of the connection is the end of the answer.
        self._keeps = False
        while self._receive(may_end=True):
            if len(self._received) > _MAX_BODY:
                raise Garbled("an answer without an end")
        return self._cut(len(self._received), 0)

    def _cut(self, size: int, mark: int) -> bytes:
        found = bytes(self._received[:size])
        del self._received[: size + mark]
        return found

    def _receive(self, *, may_end: bool = False) -> bool:
        left = self._end - monotonic()
        if left <= 0:
            raise TimeoutError("no whole answer in time")
        self._connection.settimeout(left)
        chunk = self._connection.recv(_CHUNK)
        if not chunk and not may_end:
            raise Garbled("the connection was closed")
        self._received += chunk
        return bool(chunk)


def _connect(endpoint: Endpoint) -> socket.socket:
    plain = socket.create_connection((endpoint.host, endpoint.port), CONNECT_SECONDS)
    try:
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if not endpoint.secure:
            return plain
        # Imported late: an emulator is spoken to without.
        import ssl

        context = ssl.create_default_context(cafile=os.environ.get("AWS_CA_BUNDLE") or None)
        return context.wrap_socket(plain, server_hostname=endpoint.host)
    except BaseException:
        plain.close()
        raise


def _is_readable(connection: socket.socket) -> bool:
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    return bool(poll.poll(0))


def _number(text: bytes, base: int) -> int:
    try:
        number = int(text, base)
    except ValueError:
        number = -1
    if not 0 <= number <= _MAX_BODY:
        raise Garbled("a length that is none")
    return number
