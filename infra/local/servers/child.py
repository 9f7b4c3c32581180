"""Child processes that cannot outlive us, not even when we are killed with SIGKILL.

The kernel sends a child its death signal when the *thread* that forked it ends, not the process
(prctl(2), PR_SET_PDEATHSIG). So one thread, which lives as long as this process, does every fork:
a server started by a short-lived worker thread lives on.

Each child leads a session of its own: Ctrl-C at the terminal reaches only us, and we stop the
children in order.
"""

import os
import queue
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from infra.local.servers import child_exec

LOG_KEEP_BYTES = 4_000_000


class _Forker:
    """The thread that forks, one per process."""

    _ours: "_Forker | None" = None
    _making = threading.Lock()

    def __init__(self) -> None:
        self.pid = os.getpid()
        self._orders: queue.SimpleQueue[tuple[Future[subprocess.Popen[bytes]], dict[str, Any]]] = (
            queue.SimpleQueue()
        )
        threading.Thread(target=self._work, name="forker", daemon=True).start()

    @classmethod
    def ours(cls) -> "_Forker":
        """This process's forker. A process forked from ours gets its own."""
        with cls._making:
            if cls._ours is None or cls._ours.pid != os.getpid():
                cls._ours = cls()
            return cls._ours

    def fork(self, **order: Any) -> subprocess.Popen[bytes]:
        answer: Future[subprocess.Popen[bytes]] = Future()
        self._orders.put((answer, order))
        return answer.result()

    def _work(self) -> None:
        while True:
            answer, order = self._orders.get()
            try:
                answer.set_result(subprocess.Popen(**order))
            except BaseException as error:  # noqa: BLE001  handed to the thread that asked
                answer.set_exception(error)


class Child:
    """A running child process. One thread at a time may wait for it or stop it."""

    def __init__(self, popen: subprocess.Popen[bytes]) -> None:
        self._popen = popen
        self.pid = popen.pid
        self._pidfd = os.pidfd_open(popen.pid)

    def alive(self) -> bool:
        """Whether it still runs."""
        return self._popen.poll() is None

    def wait(self, seconds: float | None = None, *, wake: int | None = None) -> int | None:
        """Wait for its end, without polling.

        Args:
            seconds: at most this long; for ever when None.
            wake: a file descriptor that ends the wait early once it is readable.

        Returns the exit code (negative: the signal that ended it), or None if it still runs.
        """
        poller = select.poll()
        poller.register(self._pidfd, select.POLLIN)
        if wake is not None:
            poller.register(wake, select.POLLIN)
        poller.poll(None if seconds is None else max(0.0, seconds) * 1000)
        return self._popen.poll()

    def stop(self, grace: float) -> int:
        """End it: SIGTERM, and after `grace` seconds SIGKILL to its whole session.

        Returns the exit code. Idempotent.
        """
        if self._popen.poll() is None:
            self._popen.terminate()
            if self.wait(grace) is None:
                self.kill()
        code = self._popen.wait()
        if self._pidfd >= 0:
            os.close(self._pidfd)
            self._pidfd = -1
        return code

    def kill(self) -> None:
        """SIGKILL to it and to all that it started in its session."""
        if self._popen.poll() is None:
            os.killpg(self.pid, signal.SIGKILL)


def spawn(
    command: Sequence[str],
    *,
    log: Path,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    keep_bytes: int | None = LOG_KEEP_BYTES,
) -> Child:
    """Start `command` as a child that dies with this process.

    Args:
        command: absolute path of the program, and its arguments.
        log: file that gets its output, appended; a big old one is set aside as `.old` first.
        environment: the child's whole environment; ours when None.
        folder: its working folder; ours when None.
        keep_bytes: how big a log may be and still be appended to; None for any size, where it is
            read as data.

    Raises OSError if nothing can be forked or the log cannot be written. A program that cannot
    be run shows as a child that ends at once, with the reason in its log.
    """
    if keep_bytes is not None and log.exists() and log.stat().st_size > keep_bytes:
        log.replace(log.with_name(log.name + ".old"))
    with log.open("ab") as output:
        return Child(
            _Forker.ours().fork(
                args=[
                    sys.executable,
                    "-I",
                    "-S",
                    child_exec.__file__,
                    str(os.getpid()),
                    *command,
                ],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=None if environment is None else dict(environment),
                cwd=folder,
                start_new_session=True,
            )
        )
