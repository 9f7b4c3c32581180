"""Workers, servers and the pipeline itself killed with SIGKILL, or stopped and continued."""

import os
import random
import signal
import threading
import time
from collections.abc import Callable

from infra.local.servers.server import Server
from infra.local.servers.stack import LocalServers
from ops.chaos.pipeline_process import PipelineProcess
from shared.errors import FanoutError

# A cold start of OpenSearch takes ten seconds, and more where others work too.
_RECOVER_SECONDS = 120.0
_LOOK_SECONDS = 0.02


class Processes:
    """The processes of a running pipeline. Safe to share between threads."""

    def __init__(
        self, servers: LocalServers, delivering: PipelineProcess, ended: threading.Event
    ) -> None:
        """`ended` cuts every wait short."""
        self._servers, self._delivering = servers, delivering
        self._ended = ended

    def kill_workers(self, consumer: str) -> int:
        """Kill all of a consumer's workers; returns how many there were."""
        return sum(_send(pid, signal.SIGKILL) for pid in self._workers(consumer))

    def kill_worker(self, consumer: str, rng: random.Random) -> int:
        """Kill one of them."""
        return self._one(consumer, rng, lambda pid: _send(pid, signal.SIGKILL))

    def stop_worker(self, consumer: str, rng: random.Random, seconds: float) -> int:
        """Stop one of them for so long."""
        return self._one(consumer, rng, lambda pid: self._stop(pid, seconds))

    def kill_server(self, name: str) -> int:
        """Kill a server and wait until its supervisor has brought it back."""
        server = self._servers[name]
        pid = self._await_up(server, 0)
        killed = _send(pid, signal.SIGKILL)
        self._await_up(server, pid)
        return killed

    def stop_server(self, name: str, seconds: float) -> int:
        """Stop a server for so long."""
        pid = self._await_up(self._servers[name], 0)
        return self._stop(pid, seconds)

    def kill_pipeline(self) -> int:
        """Kill the process that delivers, and start it again."""
        return self._delivering.kill()

    def _workers(self, consumer: str) -> tuple[int, ...]:
        return self._delivering.workers(consumer)

    def _one(self, consumer: str, rng: random.Random, act: Callable[[int], int]) -> int:
        pids = self._workers(consumer)
        return act(rng.choice(pids)) if pids else 0

    def _stop(self, pid: int, seconds: float) -> int:
        if not _send(pid, signal.SIGSTOP):
            return 0
        try:
            self._ended.wait(seconds)
        finally:
            _send(pid, signal.SIGCONT)
        return 1

    def _await_up(self, server: Server, not_pid: int) -> int:
        """The process id of the server once it runs, as another process than `not_pid`."""
        left = int(_RECOVER_SECONDS / _LOOK_SECONDS)
        while (pid := server.status().pid) in (0, not_pid):
            left -= 1
            if not left:
                raise FanoutError(
                    f"the {server.program.name} server did not come back",
                    hint=f"see its log, {server.log}",
                )
            time.sleep(_LOOK_SECONDS)
        return pid


def _send(pid: int, number: int) -> int:
    """1 if the process was there to get the signal."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return 0
    return 1
