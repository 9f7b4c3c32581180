"""Handlers under AWS's own runtime client, in processes of their own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from infra.local.lambda_runtime import Function, NotRun
from infra.local.lambda_runtime import function as module
from infra.local.lambda_runtime.invocation import Failure
from tests.support.servers import eventually, is_running

ROOT = Path(__file__).resolve().parents[3]
TINY = "tests.support.handlers.tiny.handler"
REGION = {"AWS_REGION": "eu-west-1"}

Make = Callable[..., Function]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[Function] = []

    def build(handler: str = TINY, timeout: float = 30, **options: Any) -> Function:
        environment = {**REGION, **options.pop("environment", {})}
        log = tmp_path / "function.log"
        made.append(Function("fanout-tiny", handler, environment, log, timeout, **options))
        return made[-1]

    yield build
    for function in made:
        function.stop()


def asked(function: Function, **event: Any) -> Any:
    return function.invoke(json.dumps(event).encode())


def answer(function: Function, **event: Any) -> Any:
    invocation = asked(function, **event)
    assert invocation.failure is None, invocation
    assert invocation.function_error is None
    return json.loads(invocation.response)


def test_a_handler_finds_what_lambda_gives_it(make: Make) -> None:
    os.environ["UNRELATED_TO_LAMBDA"] = "1"
    function = make(environment={"FANOUT_TABLE": "orders"}, timeout=20, memory_mb=256)
    invocation = asked(function, do="context")
    found = json.loads(invocation.response)
    assert found["requestId"] == invocation.request_id
    assert found["arn"] == function.arn
    assert found["arn"] == "arn:aws:lambda:eu-west-1:000000000000:function:fanout-tiny"
    assert (found["name"], found["version"]) == ("fanout-tiny", "$LATEST")
    assert int(found["memory"]) == 256
    assert 15_000 < found["remaining"] <= 20_000
    assert found["trace"].startswith("Root=1-")
    environment = found["environment"]
    assert environment["FANOUT_TABLE"] == "orders"
    assert environment["AWS_REGION"] == "eu-west-1"
    assert environment["_HANDLER"] == TINY
    assert environment["AWS_LAMBDA_FUNCTION_NAME"] == "fanout-tiny"
    # A setting of this shell must not be what makes a function work.
    assert "UNRELATED_TO_LAMBDA" not in environment
    del os.environ["UNRELATED_TO_LAMBDA"]


def test_one_worker_serves_one_event_after_the_other(make: Make) -> None:
    function = make()
    first, second = asked(function), asked(function)
    assert (first.cold, second.cold) == (True, False)
    assert json.loads(first.response) == json.loads(second.response)
    assert first.request_id != second.request_id
    assert function.workers_started == 1


def test_payloads_up_to_lambdas_limit_go_through(make: Make) -> None:
    function = make()
    for size in (0, 1, 70_000, 5_900_000):
        assert answer(function, padding="x" * size)["got"] == size
    assert answer(function, padding="é\ud800")["got"] == 2


def test_a_handler_that_raises_keeps_its_worker(make: Make) -> None:
    function = make()
    before = answer(function)["pid"]
    invocation = asked(function, do="raise")
    assert invocation.response is None
    assert invocation.function_error == "Unhandled"
    assert invocation.failure is Failure.RAISED
    assert (invocation.error_type, invocation.error_message) == ("ValueError", "as asked")
    assert invocation.summary() == "the handler raised: ValueError"
    assert answer(function)["pid"] == before
    assert "as asked" in function.log_path.read_text()


@pytest.mark.parametrize(("do", "how"), [("exit", "code 7"), ("crash", "signal 11")])
def test_a_crash_is_a_function_error_and_the_next_event_gets_a_new_worker(
    make: Make, do: str, how: str
) -> None:
    function = make()
    before = answer(function)["pid"]
    invocation = asked(function, do=do)
    assert invocation.function_error == "Unhandled"
    assert invocation.failure is Failure.CRASHED
    assert how in invocation.error_message
    assert answer(function)["pid"] != before
    assert function.workers_started == 2


@pytest.mark.parametrize("event", [{"do": "sleep", "seconds": 600}, {"do": "hang without answer"}])
def test_a_timeout_ends_the_worker(make: Make, event: dict[str, Any]) -> None:
    function = make(timeout=1)
    before = answer(function)["pid"]
    invocation = asked(function, **event)
    assert invocation.function_error == "Unhandled"
    assert invocation.failure is Failure.TIMEOUT
    assert invocation.error_type == "Sandbox.Timedout"
    assert invocation.duration_ms >= 1_000
    assert not is_running(before)
    assert answer(function)["pid"] != before


def test_a_worker_killed_while_idle_is_nobodys_fault(make: Make) -> None:
    function = make()
    before = answer(function)["pid"]
    os.kill(before, signal.SIGKILL)
    eventually(lambda: not is_running(before), "it is gone")
    invocation = asked(function)
    assert invocation.failure is None
    assert invocation.cold
    assert json.loads(invocation.response)["pid"] != before


def test_a_worker_killed_at_work_is_a_function_error(make: Make) -> None:
    function = make()
    pid = answer(function)["pid"]
    threading.Timer(0.3, os.kill, (pid, signal.SIGKILL)).start()
    invocation = asked(function, do="sleep", seconds=600)
    assert invocation.failure is Failure.CRASHED
    assert "signal 9" in invocation.error_message


def test_a_response_over_lambdas_limit_is_an_error(make: Make) -> None:
    function = make()
    invocation = asked(function, do="large")
    assert invocation.failure is Failure.RESPONSE
    assert invocation.function_error == "Unhandled"
    assert answer(function)["got"] == 0


@pytest.mark.parametrize(
    ("handler", "error", "says"),
    [
        ("tests.support.handlers.broken.handler", "RuntimeError", "FANOUT_TABLE is not set"),
        ("tests.support.handlers.nowhere.handler", "Runtime.ImportModuleError", "nowhere"),
        ("tests.support.handlers.tiny.nothing", "Runtime.HandlerNotFound", "nothing"),
    ],
)
def test_a_function_that_cannot_be_initialized_says_why(
    make: Make, handler: str, error: str, says: str
) -> None:
    function = make(handler)
    for _ in range(2):
        invocation = asked(function)
        assert invocation.function_error == "Unhandled"
        assert invocation.failure is Failure.INIT
        assert invocation.error_type == error
        assert says in invocation.summary()
    assert function.workers_started == 2
    assert not function.pids()


def test_an_initialization_that_ends_or_hangs_says_so(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ends.py").write_text("import os\nos._exit(5)\n")
    (tmp_path / "hangs.py").write_text("import time\ntime.sleep(600)\n")
    paths = {"PYTHONPATH": f"{ROOT}:{tmp_path}"}
    ended = asked(make("ends.handler", environment=paths))
    assert ended.failure is Failure.INIT
    assert "code 5" in ended.error_message
    monkeypatch.setattr(module, "INIT_SECONDS", 1.0)
    hung = asked(make("hangs.handler", environment=paths))
    assert hung.failure is Failure.INIT
    assert "not initialized within" in hung.error_message


def test_what_a_worker_printed_outlives_it(make: Make) -> None:
    function = make(timeout=60)
    pid = answer(function)["pid"]
    answer(function, do="print", text="metrics of the last batch")
    os.kill(pid, signal.SIGKILL)
    # An invocation that meets a dying worker fails, as it should: that is another test's matter.
    eventually(lambda: not is_running(pid), "it is gone")
    answer(function, do="print", text="a new worker's")
    lines = function.log_path.read_text().splitlines()
    assert lines.index("metrics of the last batch") < lines.index("a new worker's")


def test_a_big_log_is_kept_whole(make: Make) -> None:
    function = make()
    function.log_path.write_bytes(b"counted\n" * 1_000_000)
    answer(function, do="print", text="after it")
    assert function.log_path.stat().st_size > 8_000_000
    assert function.log_path.read_bytes().endswith(b"after it\n")


def test_invocations_at_a_time_have_workers_of_their_own(make: Make) -> None:
    function = make()
    found: list[Any] = []

    def invoke() -> None:
        found.append(asked(function, do="sleep", seconds=0.5))

    threads = [threading.Thread(target=invoke) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({json.loads(each.response)["pid"] for each in found}) == 3
    assert len(function.pids()) == 3
    answer(function)
    assert function.workers_started == 3


def test_over_its_concurrency_a_function_is_throttled(make: Make) -> None:
    function = make(concurrency=1)
    function.warm()
    busy = threading.Thread(target=asked, args=(function,), kwargs={"do": "sleep", "seconds": 2})
    busy.start()
    eventually(lambda: not function._idle, "the one worker is busy")
    with pytest.raises(NotRun, match="already"):
        asked(function)
    busy.join()
    assert answer(function)


def test_a_warm_function_has_its_handler_loaded(make: Make) -> None:
    function = make()
    function.warm()
    function.warm()
    assert function.workers_started == 1
    assert not asked(function).cold
    broken = make("tests.support.handlers.broken.handler")
    broken.warm()
    assert asked(broken).failure is Failure.INIT


def test_a_stopped_function_leaves_nothing_and_runs_nothing(make: Make, tmp_path: Path) -> None:
    function = make()
    idle = answer(function)["pid"]
    failed: list[Any] = []

    def work() -> None:
        failed.append(asked(function, do="sleep", seconds=600, touch=str(tmp_path / "began")))

    busy = threading.Thread(target=work)
    busy.start()
    eventually((tmp_path / "began").exists, "it works")
    function.stop()
    function.stop()
    busy.join(30)
    assert failed[0].failure is Failure.CRASHED
    with pytest.raises(NotRun, match="stopped"):
        asked(function)
    eventually(lambda: not is_running(idle), "no worker is left")
    assert not function.pids()


PARENT = """
import json, sys, threading
from pathlib import Path
from infra.local.lambda_runtime import Function
function = Function("f", "tests.support.handlers.tiny.handler", {}, Path(sys.argv[1]), 600)
thread = threading.Thread(target=function.warm)
thread.start()
thread.join()
print(*function.pids(), flush=True)
function.invoke(json.dumps({"do": "sleep", "seconds": 600}).encode())
"""


def test_workers_end_with_us_even_when_we_are_killed(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path / "log")],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        time.sleep(0.2)  # the thread that started it is long gone, and it works on
        assert is_running(pid)
        parent.kill()
    eventually(lambda: not is_running(pid), "the worker is gone")
