"""One embedded server: started, found ready, restarted when it dies, stopped.

A thread per server owns its process from the first fork to the last wait, so that no two threads
ever race for one process.
"""

import contextlib
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from infra.local.servers.child import Child, spawn
from infra.local.servers.ports import free_port, is_free, listens
from shared.errors import FanoutError

READY_SECONDS = 30.0
GRACE_SECONDS = 5.0
# Between restarts: doubled from the first to the last, and back to the first after a calm spell.
FIRST_BACKOFF_SECONDS = 0.1
LAST_BACKOFF_SECONDS = 5.0
CALM_SECONDS = 10.0
_PORT_TRIES = 5
_LOG_TAIL_LINES = 12
_LOG_TAIL_BYTES = 8_000


class ServerFailed(FanoutError):
    """An embedded server did not come up; `reason` ends with the tail of its log."""


@dataclass(frozen=True, slots=True)
class Program:
    """What to run as a server.

    Attributes:
        name: `aws`, `cache` or `search`; also names its log.
        command: given the port and the server's own folder, the program and its arguments.
        ready: given the port, whether the server answers as it should; may raise OSError.
        url: given the port, where clients find it.
        environment: variables set on top of ours, given the port and the folder.
    """

    name: str
    command: Callable[[int, Path], Sequence[str]]
    ready: Callable[[int], bool]
    url: Callable[[int], str]
    environment: Callable[[int, Path], Mapping[str, str]] = field(default=lambda _port, _folder: {})


@dataclass(frozen=True, slots=True)
class ServerStatus:
    """What a server does at one moment. `pid` is 0 while it is down."""

    name: str
    url: str
    pid: int
    restarts: int
    log: Path
    trouble: str


class Server:
    """A server with its supervisor.

    `start` blocks until the server answers; from then on a server that dies is started again
    on the same port, after a growing pause. After `stop`, `start` brings it back on that port.
    """

    def __init__(
        self, program: Program, folder: Path, logs: Path, *, ready_seconds: float = READY_SECONDS
    ) -> None:
        self.program = program
        self.log = logs / f"{program.name}.log"
        self.port = 0
        self.restarts = 0
        self.trouble = ""
        self._folder = folder
        self._ready_seconds = ready_seconds
        self._child: Child | None = None
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()
        self._wake = -1

    @property
    def url(self) -> str:
        """Where clients find it; the same for its whole life."""
        return self.program.url(self.port)

    def status(self) -> ServerStatus:
        """What it does now."""
        child = self._child
        return ServerStatus(
            name=self.program.name,
            url=self.url,
            pid=child.pid if child is not None and child.alive() else 0,
            restarts=self.restarts,
            log=self.log,
            trouble=self.trouble,
        )

    def start(self) -> None:
        """Start it and wait until it answers.

        Raises ServerFailed if it ends first, or does not answer in time.
        """
        if self._thread is not None:
            return
        self._stopping.clear()
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        try:
            self._child = self._first()
        except BaseException:
            os.close(self._wake)
            raise
        name = f"supervise {self.program.name}"
        self._thread = threading.Thread(target=self._supervise, name=name, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop it and its supervisor; returns when its process is gone. Idempotent."""
        if self._thread is None:
            return
        self._stopping.set()
        os.eventfd_write(self._wake, 1)
        self._thread.join()
        self._thread = None
        os.close(self._wake)

    def _first(self) -> Child:
        if self.port:  # it ran before: clients know its port
            return self._run()
        for tries_left in range(_PORT_TRIES - 1, -1, -1):
            self.port = free_port()
            try:
                return self._run()
            except ServerFailed:
                # Somebody else may have taken the port between the choice and the server's bind.
                if is_free(self.port) or not tries_left:
                    self.port = 0
                    raise
        raise AssertionError("the loop above returns or raises")

    def _run(self) -> Child:
        """Fork the server and wait until it answers; on failure it is gone again."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        log_from = self.log.stat().st_size if self.log.exists() else 0
        environment = {**os.environ, **self.program.environment(self.port, self._folder)}
        begun = time.monotonic()
        child = spawn(
            self.program.command(self.port, self._folder),
            log=self.log,
            environment=environment,
            folder=self._folder,
        )
        try:
            self._await_ready(child, begun, log_from)
        except BaseException:
            child.stop(0)
            raise
        return child

    def _await_ready(self, child: Child, begun: float, log_from: int) -> None:
        pause = 0.005
        while True:
            code = child.wait(pause, wake=self._wake)
            waited = time.monotonic() - begun
            if code is not None:
                raise self._failure(f"ended with {_exit(code)} after {waited:.1f} s", log_from)
            if self._stopping.is_set():
                raise ServerFailed(f"the {self.program.name} server was stopped while it started")
            with contextlib.suppress(OSError):  # refused, reset, timed out: not ready yet
                if listens(child.pid, self.port) and self.program.ready(self.port):
                    return
            if waited > self._ready_seconds:
                raise self._failure(f"did not answer within {self._ready_seconds:g} s", log_from)
            pause = min(0.05, pause * 1.5)

    def _failure(self, what: str, log_from: int) -> ServerFailed:
        tail = _tail(self.log, log_from)
        said = "its log says:\n" + tail if tail else "its log is empty"
        return ServerFailed(
            f"the {self.program.name} server {what} on port {self.port}; {said}\n",
            hint=f"the whole log is {self.log}; an endpoint of your own can replace this server",
        )

    def _supervise(self) -> None:
        backoff = FIRST_BACKOFF_SECONDS
        while True:
            child, begun = self._child, time.monotonic()
            if child is not None:
                code = child.wait(wake=self._wake)
                if self._stopping.is_set():
                    child.stop(GRACE_SECONDS)
                    return
                if code is None:
                    continue
                self.trouble = f"ended with {_exit(code)}"
                child.stop(0)  # gone already: lets go of its descriptor
                if time.monotonic() - begun > CALM_SECONDS:
                    backoff = FIRST_BACKOFF_SECONDS
            if self._stopping.wait(backoff):
                return
            backoff = min(backoff * 2, LAST_BACKOFF_SECONDS)
            self.restarts += 1
            try:
                self._child = self._run()
            except (FanoutError, OSError) as error:
                self._child, self.trouble = None, str(error)


def _exit(code: int) -> str:
    return f"code {code}" if code >= 0 else f"signal {-code}"


def _tail(log: Path, start: int) -> str:
    """The last lines that were written to the log from byte `start` on."""
    size = log.stat().st_size
    with log.open("rb") as source:
        source.seek(max(start if start <= size else 0, size - _LOG_TAIL_BYTES))
        text = source.read().decode("utf-8", "replace")
    return "\n".join(text.strip().splitlines()[-_LOG_TAIL_LINES:])
