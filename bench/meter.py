"""A way to the embedded servers on which requests are counted, and the write units asked for.

Between a handler and a server it passes requests and answers on as they are, but for one thing:
DynamoDB is asked to tell what each write consumed, which a client would have to ask for itself.
Whatever the handler's client is, it is counted here as a server sees it.
"""

import json
import threading
from dataclasses import dataclass
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self
from urllib.parse import urlsplit

_SECONDS = 30.0
_TRANSACT = "TransactWriteItems"
# Of one connection, not of what is passed on; Content-Length is written anew.
_HOP = frozenset({"connection", "content-length", "keep-alive", "transfer-encoding"})


@dataclass(slots=True)
class Counted:
    """What went through.

    Attributes:
        requests: of any kind.
        table_units, index_units: write units that DynamoDB counted.
    """

    requests: int = 0
    table_units: float = 0.0
    index_units: float = 0.0


class Meter:
    """The way to one server; listens on loopback until it is closed."""

    def __init__(self, server: str) -> None:
        """`server` is the http:// URL of the server behind."""
        parts = urlsplit(server)
        assert parts.hostname
        self._behind = (parts.hostname, parts.port or 80)
        self._lock = threading.Lock()
        self._counted = Counted()
        meter = self

        class Handler(_Passing):
            behind = self._behind

            def count(self, answer: bytes, transaction: bool) -> None:
                meter._count(answer, transaction)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def take(self) -> Counted:
        """What went through since the last time."""
        with self._lock:
            counted, self._counted = self._counted, Counted()
        return counted

    def _count(self, answer: bytes, transaction: bool) -> None:
        consumed = json.loads(answer).get("ConsumedCapacity", []) if transaction else []
        with self._lock:
            self._counted.requests += 1
            for each in consumed:
                indexes = each.get("GlobalSecondaryIndexes", {}).values()
                index_units = sum(index["CapacityUnits"] for index in indexes)
                self._counted.index_units += index_units
                self._counted.table_units += each["CapacityUnits"] - index_units

    def __enter__(self) -> Self:
        """It runs already."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(_SECONDS)


class _Passing(BaseHTTPRequestHandler):
    """Passes the requests of one connection on."""

    protocol_version = "HTTP/1.1"
    behind = ("", 0)

    def count(self, answer: bytes, transaction: bool) -> None:
        """Told of each answer."""
        raise NotImplementedError

    def _pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        transaction = self.headers.get("X-Amz-Target", "").endswith(_TRANSACT)
        if transaction:
            body = json.dumps({**json.loads(body), "ReturnConsumedCapacity": "INDEXES"}).encode()
        headers = {k: v for k, v in self.headers.items() if k.lower() not in _HOP}
        connection = HTTPConnection(*self.behind, timeout=_SECONDS)
        try:
            connection.request(self.command, self.path, body, headers)
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        self.count(content, transaction)
        self.send_response_only(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in _HOP:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    # http.server's own names.
    do_GET = do_PUT = do_POST = do_HEAD = _pass_on  # noqa: N815
