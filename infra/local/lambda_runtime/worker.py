"""One worker: a handler in a process of its own, and the Runtime API that it talks to.

Lambda's Runtime API, version 2018-06-01: the worker asks for the next invocation, which stays
unanswered until there is one, and posts its response or error. Source: Lambda developer guide,
"Using the Lambda runtime API for custom runtimes".

No thread serves it: whoever invokes also does the talking, so a round trip costs no switch
between threads, and the end of the process is seen in the same wait as its answer.
"""

import os
import select
import socket
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import orjson

from infra.local.lambda_runtime.wire import Connection, Disconnected, Request, TooLarge
from infra.local.servers.child import Child, spawn
from infra.local.servers.ports import LOOPBACK

_API = "/2018-06-01/runtime"
_NEXT = f"{_API}/invocation/next"
_JSON = "Content-Type: application/json\r\n"
_ACCEPTED = b'{"status":"OK"}\n'
# For answers that a live worker takes at once.
_ANSWER_SECONDS = 10.0
_GRACE_SECONDS = 2.0


class WorkerGone(Exception):
    """The process has ended; no handler has seen what was to be sent."""


class WorkerEnded(Exception):
    """The process ended while the handler had an invocation."""


class InitFailed(Exception):
    """The worker could not load its handler; `error_type` and the text are the runtime's."""

    def __init__(self, error_type: str, message: str) -> None:
        super().__init__(message)
        self.error_type = error_type


class Worker:
    """A worker process. One thread at a time may use it."""

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], log: Path, folder: Path
    ) -> None:
        """Start it: `environment` is all it gets, besides the address of the Runtime API."""
        self._log = log
        self._connections: list[Connection] = []
        self._idle: Connection | None = None
        self._listener = socket.create_server((LOOPBACK, 0))
        self._listener.setblocking(False)
        address = f"{LOOPBACK}:{self._listener.getsockname()[1]}"
        try:
            self._child: Child = spawn(
                command,
                log=log,
                environment={**environment, "AWS_LAMBDA_RUNTIME_API": address},
                folder=folder,
                keep_bytes=None,  # metrics are collected from it
            )
        except BaseException:
            self._listener.close()
            raise
        self._exit = os.pidfd_open(self._child.pid)

    @property
    def pid(self) -> int:
        """The worker's process id."""
        return self._child.pid

    def initialize(self, end: float) -> None:
        """Wait until the handler is loaded, until `end` on the monotonic clock.

        Raises InitFailed, TimeoutError or WorkerGone.
        """
        while self._idle is None:
            try:
                connection, request = self._request(end)
            except WorkerEnded as ended:
                raise WorkerGone(str(ended)) from None
            if not self._is_next(connection, request):
                self._accept(connection, f"{_API}/init/error", request)
                raise InitFailed(*error_of(request.body))

    def invoke(
        self, request_id: str, headers: str, payload: bytes, end: float
    ) -> tuple[bool, bytes]:
        """Hand over one invocation and wait for its outcome, until `end`.

        Args:
            request_id: goes into the paths of the worker's answer.
            headers: Runtime API headers, as lines that end in CR LF.
            payload: the event's JSON text.
            end: on the monotonic clock.

        Returns (True, response) or (False, error document).
        Raises WorkerGone if it had ended before, WorkerEnded, TimeoutError or TooLarge; after
        any of them the worker must be killed.
        """
        self.initialize(end)
        connection, self._idle = self._idle, None
        assert connection is not None  # initialize
        if _readable(self._exit):
            raise WorkerGone(self._ending())
        try:
            connection.answer("200 OK", headers, payload, end)
        except Disconnected:
            # No handler runs before the whole event is there.
            raise WorkerGone(self._ending()) from None
        answers = (
            f"{_API}/invocation/{request_id}/response",
            (f"{_API}/invocation/{request_id}/error"),
        )
        while True:
            connection, request = self._request(end)
            if request.path in answers:
                self._accept(connection, request.path, request)
                return request.path == answers[0], request.body
            if self._is_next(connection, request):
                raise WorkerEnded("the runtime asked for the next event without an answer")
            self._accept(connection, "", request)

    def kill(self) -> None:
        """End it at once, as Lambda ends an execution environment. Idempotent."""
        self._child.kill()
        self.stop(0)

    def stop(self, grace: float = _GRACE_SECONDS) -> None:
        """End it and let go of its sockets. Idempotent."""
        self._child.stop(grace)
        for connection in self._connections:
            connection.close()
        self._connections.clear()
        self._listener.close()
        if self._exit >= 0:
            os.close(self._exit)
            self._exit = -1

    def _request(self, end: float) -> tuple[Connection, Request]:
        """The worker's next request, from whichever of its connections."""
        while True:
            ready = self._wait(end)
            if self._listener.fileno() in ready:
                self._connections.append(Connection(self._listener.accept()[0]))
                continue
            for connection in self._connections:
                if connection.fileno() in ready:
                    try:
                        return connection, connection.read(end)
                    except Disconnected:
                        connection.close()
                        self._connections.remove(connection)
                        break
            else:
                # Only now: what the process sent before it ended has been read.
                if self._exit in ready:
                    raise WorkerEnded(self._ending())

    def _wait(self, end: float) -> set[int]:
        poller = select.poll()
        connections = (connection.fileno() for connection in self._connections)
        for descriptor in (self._listener.fileno(), self._exit, *connections):
            poller.register(descriptor, select.POLLIN)
        ready = poller.poll(max(0.0, end - time.monotonic()) * 1000)
        if not ready:
            raise TimeoutError
        return {descriptor for descriptor, _ in ready}

    def _is_next(self, connection: Connection, request: Request) -> bool:
        if (request.method, request.path) != ("GET", _NEXT):
            return False
        self._idle = connection
        return True

    def _accept(self, connection: Connection, path: str, request: Request) -> None:
        known = request.method == "POST" and request.path == path
        status = "202 Accepted" if known else "404 Not Found"
        end = time.monotonic() + _ANSWER_SECONDS
        try:
            connection.answer(status, _JSON, _ACCEPTED if known else b"{}", end)
        except Disconnected:
            return  # its request was read; that it is gone shows in the next wait
        if not known:
            raise WorkerEnded(f"the runtime asked for {request.method} {request.path[:80]}")

    def _ending(self) -> str:
        code = self._child.wait(_GRACE_SECONDS)
        how = "closed its connection" if code is None else f"ended with {_exit_text(code)}"
        return f"the worker {how}; its output is in {self._log}"


def error_of(document: bytes) -> tuple[str, str]:
    """(errorType, errorMessage) of an error document of the runtime client."""
    try:
        error = orjson.loads(document)
        return str(error["errorType"]), str(error["errorMessage"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return "Runtime.Unknown", document[:200].decode("utf-8", "replace")


def _exit_text(code: int) -> str:
    return f"code {code}" if code >= 0 else f"signal {-code}"


def _readable(descriptor: int) -> bool:
    poller = select.poll()
    poller.register(descriptor, select.POLLIN)
    return bool(poller.poll(0))


__all__ = ["InitFailed", "TooLarge", "Worker", "WorkerEnded", "WorkerGone", "error_of"]
