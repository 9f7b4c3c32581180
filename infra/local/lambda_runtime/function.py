"""A function: its handler, its settings, and the workers that run it."""

import os
import random
import sys
import threading
import time
import uuid
from collections.abc import Mapping
from pathlib import Path

from infra.local.lambda_runtime.environment import ROOT, lambda_environment
from infra.local.lambda_runtime.invocation import Failure, Invocation, NotRun
from infra.local.lambda_runtime.wire import TooLarge
from infra.local.lambda_runtime.worker import (
    InitFailed,
    Worker,
    WorkerEnded,
    WorkerGone,
    error_of,
)

# Lambda gives an initialization 10 s; a busy laptop that starts five functions may take longer.
INIT_SECONDS = 60.0
ACCOUNT = "000000000000"


class Function:
    """A Lambda function on this machine.

    Each invocation has a worker of its own, as in Lambda: an idle one, else a new one is
    started. A worker that crashed or ran out of time is replaced by the next invocation.
    """

    def __init__(
        self,
        name: str,
        handler: str,
        environment: Mapping[str, str],
        log_path: Path,
        timeout_seconds: float,
        *,
        memory_mb: int = 512,
        concurrency: int = 0,
    ) -> None:
        """Describe the function; nothing is started yet.

        Args:
            name: the function's name, as `fanout-audit`.
            handler: dotted path, as `consumers.audit.handler.handler`.
            environment: its settings, region and credentials included.
            log_path: gets what its workers print, appended as they print it.
            timeout_seconds: after which an invocation is ended, with its worker.
            memory_mb: told to the handler; not enforced.
            concurrency: workers at most, as reserved concurrency; 0 for no bound.
        """
        region = environment.get("AWS_REGION", "us-east-1")
        self.name = name
        self.arn = f"arn:aws:lambda:{region}:{ACCOUNT}:function:{name}"
        self.log_path = log_path
        self._handler = handler
        self._environment = lambda_environment(name, handler, environment, memory_mb)
        self._timeout = timeout_seconds
        self._concurrency = concurrency
        self._lock = threading.Lock()
        self._idle: list[Worker] = []
        self._busy: set[Worker] = set()
        self._started = 0
        self._stopped = False

    @property
    def workers_started(self) -> int:
        """How many workers were started so far; more than one means that some were lost."""
        return self._started

    def pids(self) -> tuple[int, ...]:
        """The process ids of the workers that run now."""
        with self._lock:
            return tuple(worker.pid for worker in (*self._idle, *self._busy))

    def warm(self) -> None:
        """Start a worker and load the handler, unless one is there already.

        Raises NotRun if it could not be started. A handler that cannot be loaded shows when it
        is invoked.
        """
        worker, fresh = self._take()
        usable = True
        try:
            if fresh:
                worker.initialize(time.monotonic() + INIT_SECONDS)
        except (InitFailed, WorkerGone, TimeoutError, TooLarge):
            usable = False
        finally:
            self._give_back(worker, usable)

    def invoke(self, payload: bytes) -> Invocation:
        """Run the handler on one event, given as JSON text; blocks until it has ended.

        Whatever the handler does, and if its worker dies, the Invocation tells. Raises NotRun
        if the function could not be run: no worker could be started, all allowed ones are
        busy, or the function was stopped.
        """
        worker, cold = self._take()
        usable = False
        try:
            try:
                invocation = self._run(worker, payload, cold)
            except WorkerGone:
                if cold:
                    raise
                # It died while it was idle: nobody's fault, and nothing of this event was seen.
                worker = self._replace(worker)
                invocation = self._run(worker, payload, cold=True)
            usable = invocation.failure in (None, Failure.RAISED)
            return invocation
        except WorkerGone as gone:
            return _failed("", Failure.INIT, "Runtime.ExitError", str(gone), cold=True)
        finally:
            self._give_back(worker, usable)

    def stop(self) -> None:
        """End all workers; an invocation that still runs fails. Idempotent."""
        with self._lock:
            self._stopped = True
            idle, self._idle = self._idle, []
            busy = tuple(self._busy)
        for worker in idle:
            worker.stop()
        for worker in busy:
            # Its invocation sees the end of the process, and lets go of the rest.
            os.kill(worker.pid, 9)

    def _run(self, worker: Worker, payload: bytes, cold: bool) -> Invocation:
        request_id = str(uuid.uuid4())
        if cold:
            try:
                worker.initialize(time.monotonic() + INIT_SECONDS)
            except InitFailed as error:
                return _failed(request_id, Failure.INIT, error.error_type, str(error), cold=True)
            except TimeoutError:
                text = f"not initialized within {INIT_SECONDS:.0f} s; see {self.log_path}"
                return _failed(request_id, Failure.INIT, "Sandbox.Timedout", text, cold=True)
        begun = time.monotonic()
        headers = self._headers(request_id)
        failure, error_type, text, response = Failure.CRASHED, "Runtime.ExitError", "", None
        try:
            returned, body = worker.invoke(request_id, headers, payload, begun + self._timeout)
            if returned:
                response = body
            else:
                failure, (error_type, text) = Failure.RAISED, error_of(body)
        except TimeoutError:
            failure, error_type = Failure.TIMEOUT, "Sandbox.Timedout"
            text = f"Task timed out after {self._timeout:.2f} seconds"
        except WorkerEnded as ended:
            text = str(ended)
        except TooLarge:
            failure, error_type = Failure.RESPONSE, "Function.ResponseSizeTooLarge"
        duration = (time.monotonic() - begun) * 1000
        if response is not None:
            return Invocation(request_id, response, duration_ms=duration, cold=cold)
        return _failed(request_id, failure, error_type, text, cold=cold, duration_ms=duration)

    def _headers(self, request_id: str) -> str:
        now = time.time()
        trace = f"{int(now):08x}-{random.getrandbits(96):024x}"
        return (
            f"Lambda-Runtime-Aws-Request-Id: {request_id}\r\n"
            f"Lambda-Runtime-Deadline-Ms: {int((now + self._timeout) * 1000)}\r\n"
            f"Lambda-Runtime-Invoked-Function-Arn: {self.arn}\r\n"
            f"Lambda-Runtime-Trace-Id: Root=1-{trace};"
            f"Parent={random.getrandbits(64):016x};Sampled=0\r\n"
            "Content-Type: application/json\r\n"
        )

    def _take(self) -> tuple[Worker, bool]:
        """A worker, and whether it is new."""
        with self._lock:
            if self._stopped:
                raise NotRun(f"{self.name} was stopped")
            if self._idle:
                worker = self._idle.pop()
                self._busy.add(worker)
                return worker, False
            if self._concurrency and len(self._busy) >= self._concurrency:
                raise NotRun(
                    f"{self.name} runs {len(self._busy)} times already",
                    hint="raise the consumer's concurrency",
                )
            worker = self._start()
            self._busy.add(worker)
            return worker, True

    def _start(self) -> Worker:
        command = [sys.executable, "-m", "awslambdaric", self._handler]
        try:
            worker = Worker(command, self._environment, self.log_path, ROOT)
        except OSError as error:
            raise NotRun(
                f"no worker of {self.name} can be started: {error.strerror}",
                hint="free memory or disk space, or end other processes",
            ) from error
        self._started += 1
        return worker

    def _replace(self, dead: Worker) -> Worker:
        dead.kill()
        with self._lock:
            if self._stopped:
                raise NotRun(f"{self.name} was stopped")
            worker = self._start()
            self._busy.discard(dead)
            self._busy.add(worker)
        return worker

    def _give_back(self, worker: Worker, usable: bool) -> None:
        with self._lock:
            self._busy.discard(worker)
            if usable and not self._stopped:
                self._idle.append(worker)
                return
        worker.kill()


def _failed(
    request_id: str,
    failure: Failure,
    error_type: str,
    text: str,
    *,
    cold: bool,
    duration_ms: float = 0.0,
) -> Invocation:
    return Invocation(request_id, None, failure, error_type, text, duration_ms, cold)
