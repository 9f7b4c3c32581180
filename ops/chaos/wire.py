"""A proxy between the workers and one server, that misbehaves as told.

It passes whole requests on, one at a time for each connection, and whole answers back; so a fault
hits exactly what it is meant to: before the request was carried out, or after.
"""

import asyncio
import contextlib
import random
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from infra.local.servers.ports import LOOPBACK, free_port
from ops.chaos.framing import Request

# Longer than any client waits.
_HOLD_SECONDS = 40.0
_PIECES = 5
_LIMIT = 1 << 26


class Act(StrEnum):
    """What becomes of one request."""

    SLOW = "slow"
    CUT = "cut"
    LATE = "late"
    UNANSWERED = "unanswered"
    MISREPORTED = "misreported"
    THROTTLE = "throttle"
    KILL = "kill"


class Dialect(Protocol):
    """What a wire has to know of its server."""

    async def read_request(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, /
    ) -> Request | None:
        """The next request; None at the end."""

    async def read_answer(self, reader: asyncio.StreamReader, request: Request, /) -> bytes:
        """The answer to it, whole."""

    def refuse(self, request: Request, rng: random.Random, /) -> bytes:
        """An answer that says: not now."""

    def fail(self, request: Request, rng: random.Random, /) -> bytes:
        """An answer that says: something went wrong."""

    def spare_some(
        self, request: Request, rng: random.Random, /
    ) -> tuple[Request, Callable[[bytes], bytes]] | None:
        """A smaller request and what completes its answer, where a server refuses by item."""

    def writer_of(self, request: Request, /) -> str | None:
        """The consumer that made it, if it is a write."""


@dataclass(slots=True)
class Order:
    """What a wire is told to do to the next requests.

    Attributes:
        act: what.
        requests: to how many.
        rng: decides the details.
        kill: ends the workers of a consumer; for KILL.
        touched: to how many it was done so far.
        over: set once all are done.
    """

    act: Act
    requests: int
    rng: random.Random
    kill: Callable[[str], object] = lambda _: None
    touched: int = 0
    over: threading.Event = field(default_factory=threading.Event)


class _Dropped(Exception):
    """The connection ends here, on purpose."""


class Wire:
    """One proxy. Its coroutines run in one loop; `order` and `address` belong to any thread."""

    def __init__(self, port: int, dialect: Dialect) -> None:
        """Lead to the server at `port` of this machine; nothing is bound yet."""
        self.port = free_port()
        self._server_port = port
        self._dialect = dialect
        self._order: Order | None = None
        self._listener: asyncio.Server | None = None
        # With their tasks, of which the loop itself keeps none alive.
        self._clients: dict[asyncio.StreamWriter, object] = {}

    def tell(self, order: Order | None) -> None:
        """Do this to the next requests; None for nothing more."""
        self._order = order

    @property
    def is_told(self) -> bool:
        """Whether there is something to do to the next requests."""
        return self._order is not None

    async def listen(self) -> None:
        """Take connections, at the same port each time."""
        self._listener = await asyncio.start_server(self._serve, LOOPBACK, self.port, limit=_LIMIT)

    async def refuse(self) -> None:
        """Take no connections, and reset those that are open."""
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        for client in tuple(self._clients):
            client.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._clients[writer] = asyncio.current_task()
        server = _Upstream(self._server_port)
        try:
            # Whatever ends a connection, the client sees it end; that is all a proxy can say.
            # Cancelled is who is still at it when the run ends.
            with contextlib.suppress(OSError, EOFError, asyncio.CancelledError, _Dropped):
                while (request := await self._dialect.read_request(reader, writer)) is not None:
                    await self._exchange(request, reader, writer, server)
        finally:
            self._clients.pop(writer, None)
            server.close()
            writer.transport.abort()

    def _take(self, request: Request) -> Order | None:
        order = self._order
        if order is None or order.over.is_set():
            return None
        if order.act is Act.KILL and self._dialect.writer_of(request) is None:
            return None
        order.touched += 1
        if order.touched == order.requests:
            order.over.set()
        return order

    async def _exchange(
        self,
        request: Request,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        server: "_Upstream",
    ) -> None:
        async def carry_out(part: Request = request) -> bytes:
            return await server.ask(part, self._dialect.read_answer)

        order = self._take(request)
        if order is None:
            writer.write(await carry_out())
            await writer.drain()
            return
        rng = order.rng
        match order.act:
            case Act.SLOW:
                await _dribble(await carry_out(), writer, rng)
            case Act.CUT:
                await self._cut(request, writer, server, rng)
            case Act.LATE:
                await carry_out()
                # The client gives up and closes; until then it is let wait.
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(reader.read(1), _HOLD_SECONDS)
                raise _Dropped
            case Act.UNANSWERED:
                await carry_out()
                raise _Dropped
            case Act.MISREPORTED:
                await carry_out()
                writer.write(self._dialect.fail(request, rng))
            case Act.THROTTLE:
                spared = self._dialect.spare_some(request, rng) if rng.random() < 0.5 else None
                if spared is None:
                    writer.write(self._dialect.refuse(request, rng))
                else:
                    writer.write(spared[1](await carry_out(spared[0])))
            case Act.KILL:
                if rng.random() < 0.5:
                    await carry_out()
                order.kill(self._dialect.writer_of(request) or "")
                raise _Dropped
        await writer.drain()

    async def _cut(
        self,
        request: Request,
        writer: asyncio.StreamWriter,
        server: "_Upstream",
        rng: random.Random,
    ) -> None:
        match rng.randrange(3):
            case 0:
                pass  # nothing of it reached the server
            case 1:
                await server.say(request.raw[: rng.randrange(1, len(request.raw))])
            case _:
                answer = await server.ask(request, self._dialect.read_answer)
                writer.write(answer[: rng.randrange(1, len(answer))])
                await writer.drain()
                writer.close()  # what was written still goes out
                await writer.wait_closed()
        raise _Dropped


async def _dribble(answer: bytes, writer: asyncio.StreamWriter, rng: random.Random) -> None:
    size = -(-len(answer) // _PIECES)
    for start in range(0, len(answer), size):
        await asyncio.sleep(rng.uniform(0.02, 0.25))
        writer.write(answer[start : start + size])
        await writer.drain()


class _Upstream:
    """A client's connection onward, opened when there is something to say."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def say(self, raw: bytes) -> asyncio.StreamReader:
        if self._reader is None or self._writer is None or self._reader.at_eof():
            self.close()
            self._reader, self._writer = await asyncio.open_connection(
                LOOPBACK, self._port, limit=_LIMIT
            )
        self._writer.write(raw)
        await self._writer.drain()
        return self._reader

    async def ask(
        self,
        request: Request,
        read_answer: Callable[[asyncio.StreamReader, Request], Awaitable[bytes]],
    ) -> bytes:
        return await read_answer(await self.say(request.raw), request)

    def close(self) -> None:
        if self._writer is not None:
            self._writer.transport.abort()
        self._reader = self._writer = None
