"""One connection to Redis or Valkey, as little of RESP2 as a sink of UNLINK and PING needs.

Why not redis-py: any part of it imports all of it, 112 ms of a cold start against 17 ms for
`socket` and `urllib.parse`; it packs a 500-key UNLINK in 1.0 ms against 0.2 ms, and removes 2,800
keys in 5.8 ms against 1.5 ms (Python 3.11, redis-py 8.1, two cores, loopback; median of five for
imports, best of seven for the rest). What is left out is what this sink has no use for: other
replies, pools, Pub/Sub, scripts. Cluster mode needs a slot map and redirections, and there
redis-py is used (consumers.cache.cluster), as it is by readers (shared.cache).

RESP2 as in the Redis protocol specification; the URL as registered with IANA for `redis` and
`rediss`: `redis://[[user]:password@]host[:port][/database]`.
"""

import socket
from dataclasses import dataclass, field
from typing import BinaryIO
from urllib.parse import unquote, urlsplit

from shared.errors import InvalidSettings

DEFAULT_PORT = 6379
CONNECT_SECONDS = 1.0
# For each answer; and with less time than this nothing is begun. A server at work answers within
# milliseconds.
READ_SECONDS = 2.0
LEAST_SECONDS = 0.25
# A reply of this length is no reply to what we ask.
_LONGEST_LINE = 65_536


class Refused(Exception):
    """The server answered with an error; `code` is its first word, such as READONLY.

    The rest of its text is dropped: it may quote what was sent.
    """

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


# Without slots, which make the class a second time.
@dataclass(frozen=True)
class Endpoint:
    """Where the server is and how to sign in. `database` is 0 to 15 as a rule."""

    host: str
    port: int = DEFAULT_PORT
    database: int = 0
    username: str = ""
    password: str = field(default="", repr=False)
    tls: bool = False

    @classmethod
    def parse(cls, url: str) -> "Endpoint":
        """Read a `redis://` or `rediss://` URL. Raises InvalidSettings, which quotes none of it."""
        try:
            parts = urlsplit(url)
            path = parts.path.strip("/")
            if parts.scheme not in {"redis", "rediss"} or not parts.hostname or parts.query:
                raise ValueError("not a plain Redis URL")
            return cls(
                host=parts.hostname,
                port=parts.port or DEFAULT_PORT,
                database=int(path) if path else 0,
                username=unquote(parts.username or ""),
                password=unquote(parts.password or ""),
                tls=parts.scheme == "rediss",
            )
        except ValueError:
            raise InvalidSettings(
                "FANOUT_CACHE_URL is no Redis URL that the cache consumer can use",
                hint="set redis://[[user]:password@]host[:port][/database]; rediss:// for TLS",
            ) from None


def encode(*parts: bytes) -> bytes:
    """One command on the wire: an array of bulk strings."""
    return b"".join(
        [b"*%d\r\n" % len(parts), *[b"$%d\r\n%b\r\n" % (len(part), part) for part in parts]]
    )


class Connection:
    """An open, signed-in connection. After any exception it is good for nothing but `close`."""

    __slots__ = ("_answers", "_socket")

    def __init__(self, endpoint: Endpoint, seconds: float) -> None:
        """Connect, sign in and choose the database, each step within `seconds`.

        Raises OSError if the server cannot be reached, Refused if it will not have us.
        """
        address = (endpoint.host, endpoint.port)
        self._socket = socket.create_connection(address, min(seconds, CONNECT_SECONDS))
        try:
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            if endpoint.tls:
                self._socket = _encrypted(self._socket, endpoint.host)
            self._answers: BinaryIO = self._socket.makefile("rb")
            if endpoint.password:
                user = [endpoint.username.encode()] if endpoint.username else []
                self.send(encode(b"AUTH", *user, endpoint.password.encode()), seconds)
                self.answer(seconds)
            if endpoint.database:
                self.send(encode(b"SELECT", b"%d" % endpoint.database), seconds)
                self.answer(seconds)
        except BaseException:
            self._socket.close()
            raise

    def send(self, commands: bytes, seconds: float) -> None:
        """Send encoded commands, one behind the other; each will be answered, in their order.

        Raises TimeoutError if the server has not taken them within `seconds`, OSError if the
        connection breaks. For commands with short answers: none is read before all are sent, so
        answers that fill the wire would stop the server from reading on.
        """
        self._socket.settimeout(seconds)
        self._socket.sendall(commands)

    def answer(self, seconds: float) -> bytes:
        """Read the next answer, a status or an integer, as text.

        Raises TimeoutError if the server is silent for `seconds`, OSError if the connection
        breaks, Refused if the answer is an error.
        """
        self._socket.settimeout(seconds)
        line = self._answers.readline(_LONGEST_LINE)
        if not line.endswith(b"\r\n"):
            raise ConnectionResetError("the server closed the connection")
        kind, text = line[:1], line[1:-2]
        if kind == b"-":
            raise Refused(text.split(b" ", 1)[0].decode("ascii", "replace"))
        if kind not in b"+:":
            raise ConnectionAbortedError("the server speaks no RESP2, or is out of step")
        return text

    def close(self) -> None:
        """Let go of the connection."""
        self._answers.close()
        self._socket.close()


def _encrypted(plain: socket.socket, host: str) -> socket.socket:
    # Imported late: without TLS it would be a tenth of the cold start for nothing.
    import ssl

    return ssl.create_default_context().wrap_socket(plain, server_hostname=host)
