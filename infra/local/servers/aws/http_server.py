"""HTTP/1.1 for the emulator, as much as AWS's clients speak: ASGI behind a protocol of asyncio.

The general server that the emulator comes with parses in Python and sends a response's head and
body apart, each of which wakes up the client: together half as long again as a write to the table.
Here a request is read whole, and a response leaves in one piece. No WebSockets, no HTTP/2, no TLS.
"""

import asyncio
import contextlib
import logging
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from http import HTTPStatus
from typing import Any

from infra.local.servers.aws.http_request import BadRequest, Reader, Request

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]

_GRACE_SECONDS = 1.0
_NO_BODY = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})
_PHRASES = {status.value: status.phrase for status in HTTPStatus}
_LOG = logging.getLogger("fanout.aws")


class Connection(asyncio.Protocol):
    """One client's connection: one request after the other."""

    def __init__(self, application: Application, connections: "set[Connection]") -> None:
        """`connections` holds this one as long as it is open."""
        self._application = application
        self._connections = connections
        self._reader = Reader()
        self._gone = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()
        self._task: asyncio.Task[None] | None = None
        self._stopping = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Asyncio: it is open."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._client = transport.get_extra_info("peername")
        self._server = transport.get_extra_info("sockname")
        self._connections.add(self)

    def connection_lost(self, _error: Exception | None) -> None:
        """Asyncio: it is closed. A request that is being served is served to its end."""
        self._connections.discard(self)
        self._gone.set()
        self._writable.set()

    def data_received(self, data: bytes) -> None:
        """Asyncio: more of a request."""
        self._reader.feed(data)
        if self._task is None:
            self._next()

    def pause_writing(self) -> None:
        """Asyncio: the client does not read as fast as we write."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """Asyncio: it has caught up."""
        self._writable.set()

    def stop(self) -> asyncio.Task[None] | None:
        """Take no more requests. Returns the one that is being served."""
        self._stopping = True
        if self._task is None:
            self._transport.close()
        return self._task

    def _next(self) -> None:
        try:
            request = self._reader.next()
        except BadRequest as error:
            self._refuse(HTTPStatus.BAD_REQUEST, str(error))
            return
        if request is not None:
            self._task = asyncio.get_running_loop().create_task(self._serve(request))
        elif self._reader.expects_continue():
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _refuse(self, status: HTTPStatus, text: str) -> None:
        body = text.encode()
        head = f"HTTP/1.1 {status} {status.phrase}\r\nconnection: close\r\n"
        self._transport.write(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
        self._transport.close()

    async def _serve(self, request: Request) -> None:
        response = _Response(self, head_only=request.method == "HEAD")
        body: Message | None = {"type": "http.request", "body": request.body, "more_body": False}

        async def receive() -> Message:
            nonlocal body
            if body is not None:
                message, body = body, None
                return message
            await self._gone.wait()
            return {"type": "http.disconnect"}

        try:
            await self._application(self._scope(request), receive, response.send)
        except Exception:  # noqa: BLE001 - whatever it is, it is told, and the server goes on
            _LOG.exception("%s %s failed", request.method, request.target[:80])
            if not response.begun:
                self._refuse(HTTPStatus.INTERNAL_SERVER_ERROR, "")
        finally:
            self._task = None
        if not response.ended or self._stopping or not request.keeps_alive:
            self._transport.close()
        elif not self._gone.is_set():
            self._next()

    def _scope(self, request: Request) -> Message:
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "scheme": "http",
            "method": request.method,
            "path": request.path,
            "raw_path": request.raw_path,
            "query_string": request.query,
            "root_path": "",
            "headers": request.headers,
            "client": self._client,
            "server": self._server,
        }

    async def write(self, data: bytes) -> None:
        """Send; waits while too much is under way. What a client no longer wants is dropped."""
        if not self._gone.is_set():
            self._transport.write(data)
        await self._writable.wait()


class _Response:
    """Sends one response; in one piece if its body comes in one."""

    def __init__(self, connection: Connection, *, head_only: bool) -> None:
        self._connection = connection
        self._head_only = head_only
        self._start: Message = {}
        self._chunked = False
        self.begun = self.ended = False

    async def send(self, message: Message) -> None:
        """ASGI's `send`."""
        if message["type"] == "http.response.start":
            self._start = message
            return
        body, more = message.get("body", b""), message.get("more_body", False)
        data = body
        if not self.begun:
            data = self._head(None if more else len(body))
            self.begun = True
            if not self._head_only:
                data += self._framed(body)
        elif self._head_only:
            data = b""
        else:
            data = self._framed(body)
        if not more:
            self.ended = True
            if self._chunked and not self._head_only:
                data += b"0\r\n\r\n"
        await self._connection.write(data)

    def _head(self, length: int | None) -> bytes:
        status, headers = self._start["status"], self._start.get("headers", ())
        lines = [f"HTTP/1.1 {status} {_PHRASES.get(status, '')}".encode()]
        lines += [b"%b: %b" % (name, value) for name, value in headers]
        sized = any(name.lower() == b"content-length" for name, _ in headers)
        if not sized and status not in _NO_BODY:
            self._chunked = length is None
            lines.append(b"transfer-encoding: chunked" if length is None else _length(length))
        return b"\r\n".join([*lines, b"", b""])

    def _framed(self, body: bytes) -> bytes:
        if not self._chunked or not body:
            return body
        return b"%x\r\n%b\r\n" % (len(body), body)


def _length(length: int) -> bytes:
    return b"content-length: %d" % length


async def serve(application: Application, host: str, port: int) -> None:
    """Serve `application` until SIGTERM or SIGINT. Raises OSError if the port is taken."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    connections: set[Connection] = set()
    async with _life(application):
        server = await loop.create_server(lambda: Connection(application, connections), host, port)
        await stop.wait()
        server.close()
        if serving := [task for each in tuple(connections) if (task := each.stop())]:
            await asyncio.wait(serving, timeout=_GRACE_SECONDS)


@contextlib.asynccontextmanager
async def _life(application: Application) -> AsyncIterator[None]:
    """The application's life as a whole, told to it as ASGI's lifespan."""
    told: asyncio.Queue[Message] = asyncio.Queue()
    heard: asyncio.Queue[Message] = asyncio.Queue()

    async def send(message: Message) -> None:
        heard.put_nowait(message)

    async def live() -> None:
        await application({"type": "lifespan"}, told.get, send)

    task = asyncio.create_task(live())
    try:
        await _tell("lifespan.startup", told, heard, task)
        yield
        await _tell("lifespan.shutdown", told, heard, task)
    finally:
        task.cancel()


async def _tell(
    what: str,
    told: asyncio.Queue[Message],
    heard: asyncio.Queue[Message],
    task: "asyncio.Task[None]",
) -> None:
    told.put_nowait({"type": what})
    answer = asyncio.create_task(heard.get())
    await asyncio.wait((answer, task), return_when=asyncio.FIRST_COMPLETED)
    if not answer.done():
        answer.cancel()
        task.result()  # raises what ended it
        raise RuntimeError(f"the application ended at {what}")
    if answer.result()["type"] != f"{what}.complete":
        raise RuntimeError(str(answer.result().get("message", what)))
