"""As much HTTP/1.1 as Lambda's Runtime API needs, over one socket at a time.

The client is the runtime client of AWS in a process of ours: it keeps one connection and sends
one request after the other, each with a Content-Length. A general HTTP server would cost more
than the whole round trip.
"""

import socket
import time
from dataclasses import dataclass

MAX_HEAD_BYTES = 65_536
# What Lambda takes as a response, and a little for JSON around it.
MAX_BODY_BYTES = 6 * 1024 * 1024 + 4_096


class Disconnected(Exception):
    """The peer closed the connection, or broke it off in the middle of a request."""


class TooLarge(Exception):
    """A request whose body is over the limit; it was not read."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request: method, path, and headers by their lower-case names."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Connection:
    """The server's end of one connection."""

    __slots__ = ("_buffer", "_socket")

    def __init__(self, accepted: socket.socket) -> None:
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = accepted
        self._buffer = bytearray()

    def fileno(self) -> int:
        """For `select.poll`."""
        return self._socket.fileno()

    def close(self) -> None:
        """Close it. Idempotent."""
        self._socket.close()

    def read(self, end: float) -> Request:
        """Read one request until `end` on the monotonic clock.

        Raises TimeoutError, Disconnected or TooLarge.
        """
        head = self._read_head(end)
        lines = head.split("\r\n")
        try:
            method, path, _ = lines[0].split(" ")
        except ValueError:
            raise Disconnected(f"no HTTP request: {lines[0][:80]!r}") from None
        headers: dict[str, str] = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        length = headers.get("content-length") or "0"
        if not length.isdigit() or "chunked" in headers.get("transfer-encoding", ""):
            raise Disconnected("a request body without a length")
        if int(length) > MAX_BODY_BYTES:
            raise TooLarge
        if headers.get("expect", "").lower() == "100-continue":
            self._send(b"HTTP/1.1 100 Continue\r\n\r\n", end)
        return Request(method, path, headers, self._read_body(int(length), end))

    def _read_head(self, end: float) -> str:
        buffer = self._buffer
        while (at := buffer.find(b"\r\n\r\n")) < 0:
            if len(buffer) > MAX_HEAD_BYTES:
                raise Disconnected("a request head without an end")
            self._receive(end)
        head = buffer[:at].decode("latin-1")
        del buffer[: at + 4]
        return head

    def _read_body(self, length: int, end: float) -> bytes:
        buffer = self._buffer
        while len(buffer) < length:
            self._receive(end)
        body = bytes(buffer[:length])
        del buffer[:length]
        return body

    def _receive(self, end: float) -> None:
        self._limit(end)
        try:
            received = self._socket.recv(262_144)
        except TimeoutError:
            raise
        except OSError as error:
            raise Disconnected(str(error)) from error
        if not received:
            raise Disconnected("the connection was closed")
        self._buffer += received

    def answer(self, status: str, headers: str, body: bytes, end: float) -> None:
        """Send a response: `status` as `200 OK`, `headers` as lines that end in CR LF.

        Raises TimeoutError or Disconnected.
        """
        head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
        self._send(head.encode("latin-1") + body, end)

    def _send(self, data: bytes, end: float) -> None:
        self._limit(end)
        try:
            self._socket.sendall(data)
        except TimeoutError:
            raise
        except OSError as error:
            raise Disconnected(str(error)) from error

    def _limit(self, end: float) -> None:
        left = end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._socket.settimeout(left)
