"""HTTP/1.1 for the emulator: uvicorn, with httptools' parser, which is C.

The general server that the emulator comes with parses in Python, which doubles what a write costs.
No WebSockets, no HTTP/2, no TLS.
"""

import signal
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import uvicorn

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]

_GRACE_SECONDS = 1
# A client that is idle for long must not find its connection closed under its next request.
_KEEP_ALIVE_SECONDS = 86_400


async def serve(application: Application, host: str, port: int) -> None:
    """Serve `application` until SIGTERM or SIGINT. Raises SystemExit if the port is taken."""
    config = uvicorn.Config(
        application,
        host=host,
        port=port,
        loop="asyncio",
        http="httptools",
        ws="none",
        lifespan="on",
        interface="asgi3",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    server = uvicorn.Server(config)
    # Once stopped, it raises the signal again for whoever handled it before: that must not end
    # the process, since the journal is closed after this.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, server.handle_exit)
    await server.serve()
