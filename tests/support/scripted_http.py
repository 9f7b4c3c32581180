"""An HTTP server that answers as a test says: for faults that a real one cannot be made to show."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple


class Request(NamedTuple):
    """What a client sent."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    connection: int  # which of the client's connections it came over, from 1


class Reply(NamedTuple):
    """What to answer. `hang_up` closes the connection without a word, `stall` says nothing."""

    status: int = 200
    body: bytes = b""
    hang_up: bool = False
    stall: bool = False
    hang_up_after: bool = False  # answers, then closes without having announced it
    headers: tuple[tuple[str, str], ...] = ()


@dataclass
class Script:
    """A running server: its URL, what it was asked, and what is to come."""

    url: str = ""
    requests: list[Request] = field(default_factory=list)
    done: threading.Event = field(default_factory=threading.Event)


@contextmanager
def scripted(answer: Callable[[Request], Reply]) -> Iterator[Script]:
    """Serve on loopback; `answer` is called for each request, in the order of their arrival."""
    script = Script()
    connections: list[int] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            connections.append(1)
            self.number = len(connections)
            super().setup()

        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            request = Request(self.command, self.path, dict(self.headers), body, self.number)
            script.requests.append(request)
            reply = answer(request)
            if reply.stall:
                script.done.wait(60)
            if reply.stall or reply.hang_up:
                self.close_connection = True
                return
            self.send_response(reply.status)
            self.send_header("Content-Length", str(len(reply.body)))
            for name, value in reply.headers:
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(reply.body)
            self.close_connection = reply.hang_up_after

        do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = handle_any  # noqa: N815 - http.server's names

        def log_message(self, *_: object) -> None:
            """Silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    script.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield script
    finally:
        script.done.set()
        server.shutdown()
        server.server_close()
        thread.join()
