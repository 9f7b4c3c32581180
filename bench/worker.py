"""`python -m bench.worker`: one side of a comparison, in a process of its own.

So no side pays for, or gains from, what the other imports, allocates or sets up, the garbage
collector's settings included. Orders come on stdin, answers go out on stdout's first descriptor,
one JSON document a line; what the side itself prints goes to a file that is emptied before each
call, as Lambda takes a function's output away.
"""

import gc
import importlib
import json
import os
import sys
import time
import traceback
import tracemalloc
from typing import Any, BinaryIO

_LONGEST_TRACEBACK = 3_000
_SHOWN = 10**9


class Context:
    """What a handler is told of its invocation, as far as ours and Powertools look at it."""

    function_name = "bench"
    function_version = "$LATEST"
    memory_limit_in_mb = 512
    invoked_function_arn = "arn:aws:lambda:eu-west-1:111122223333:function:bench"
    aws_request_id = "8a1b2c3d-0000-4000-8000-000000000000"

    @staticmethod
    def get_remaining_time_in_millis() -> int:
        """A minute, always."""
        return 60_000


def resolve(name: str) -> Any:
    """The object that `module:attribute` names."""
    module, _, attribute = name.partition(":")
    return getattr(importlib.import_module(module), attribute)


class Worker:
    """Obeys orders, one at a time."""

    def __init__(self, output: int) -> None:
        """`output`: the descriptor of the file that what the side prints goes to."""
        self._output = output
        self._inputs: dict[str, Any] = {}
        self._call = 0

    def load(self, target: str) -> dict[str, Any]:
        """Import what is measured; tells how long that took."""
        began = time.perf_counter()
        self._target = resolve(target)
        return {"seconds": time.perf_counter() - began}

    def prepare(self, name: str, factory: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Make the inputs of later calls, under a name."""
        self._inputs = {name: resolve(factory)(**arguments)}
        return {}

    def run(self, name: str, calls: int) -> dict[str, Any]:
        """Call so often, each time with a fresh input; nanoseconds of each call, wall and CPU."""
        wall, cpu = [], []
        for _ in range(calls):
            argument = self._fresh(name)
            began_cpu, began = time.process_time_ns(), time.perf_counter_ns()
            answer = self._target(argument, Context)
            ended, ended_cpu = time.perf_counter_ns(), time.process_time_ns()
            wall.append(ended - began)
            cpu.append(ended_cpu - began_cpu)
            _refuse_failures(answer)
        return {"wall": wall, "cpu": cpu}

    def show(self, name: str, call: int = 0) -> dict[str, Any]:
        """Call once with the input of a call; tells what was printed and answered.

        The same call has the same input on every side, and none has that of a timed call.
        """
        argument = self._inputs[name](_SHOWN + call)
        self._empty()
        answer = self._target(argument, Context)
        _refuse_failures(answer)
        sys.stdout.flush()
        size = os.fstat(self._output).st_size
        return {"printed": os.pread(self._output, size, 0).decode(), "answer": answer}

    def peak(self, name: str) -> dict[str, Any]:
        """Bytes that a call allocates at the most beyond what stood before; not its first call."""
        _refuse_failures(self._target(self._fresh(name), Context))
        argument = self._fresh(name)
        gc.collect()
        tracemalloc.start()
        before, _ = tracemalloc.get_traced_memory()
        _refuse_failures(self._target(argument, Context))
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return {"bytes": most - before}

    def _fresh(self, name: str) -> Any:
        self._call += 1
        argument = self._inputs[name](self._call)
        self._empty()
        return argument

    def _empty(self) -> None:
        sys.stdout.flush()
        os.ftruncate(self._output, 0)


def _refuse_failures(answer: Any) -> None:
    """A handler that reports failures has not done the work that is measured."""
    if isinstance(answer, dict) and answer.get("batchItemFailures"):
        raise RuntimeError(f"the handler reported failures: {answer['batchItemFailures'][:3]}")


def serve(worker: Worker, orders: BinaryIO, answers: BinaryIO) -> None:
    """Obey until the orders end."""
    for line in orders:
        order = json.loads(line)
        answer = getattr(worker, order.pop("do"))(**order)
        answers.write(json.dumps(answer).encode() + b"\n")
        answers.flush()


def main() -> None:
    """Keep stdout for the answers, and give what is measured a stdout of its own."""
    with os.fdopen(os.dup(1), "wb") as answers:
        output = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
        os.dup2(output, 1)
        try:
            serve(Worker(output), sys.stdin.buffer, answers)
        except Exception:  # noqa: BLE001 - told, and the worker ends
            # The end of it: Powertools' errors hold a traceback for each record.
            sys.stderr.write(traceback.format_exc()[-_LONGEST_TRACEBACK:])
            sys.exit(1)


if __name__ == "__main__":
    main()
