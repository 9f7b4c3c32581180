"""Children die with us, whatever happens to us, and end in order when we stop them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from infra.local.servers.child import Child, spawn
from tests.support.servers import eventually, is_running

ROOT = Path(__file__).resolve().parents[3]

SLEEP = [sys.executable, "-I", "-S", "-c", "import time; time.sleep(600)"]
IGNORE = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("deaf")
time.sleep(600)
"""
DEAF = [sys.executable, "-I", "-S", "-u", "-c", IGNORE]

# The thread ends when the child has become what it should be: the kernel's death signal, set by
# then, is bound to the thread that forked.
PARENT = """
import sys, threading, time
from pathlib import Path
from infra.local.servers.child import spawn

def start():
    child = spawn(sys.argv[2:], log=Path(sys.argv[1]))
    while b"child_exec" in Path(f"/proc/{child.pid}/cmdline").read_bytes():
        time.sleep(0.005)
    started.append(child)

started = []
thread = threading.Thread(target=start)
thread.start()
thread.join()
print(started[0].pid, started[0].wait(0.3), flush=True)
time.sleep(600)
"""


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "child.log"


def ended(child: Child) -> int:
    code = child.wait(30)
    assert code is not None
    child.stop(0)
    return code


def test_a_child_outlives_the_thread_that_asked_for_it_but_not_the_process(log: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, str(log), *SLEEP],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as parent:
        assert parent.stdout is not None
        said, code = parent.stdout.readline().split()
        pid = int(said)
        assert code == b"None"
        assert is_running(pid)
        parent.kill()
    eventually(lambda: not is_running(pid), "the child is gone")


def test_a_child_is_out_of_reach_of_the_terminals_ctrl_c(log: Path) -> None:
    child = spawn(SLEEP, log=log)
    assert os.getsid(child.pid) == child.pid != os.getsid(0)
    child.stop(10)


def test_stop_asks_first(log: Path) -> None:
    child = spawn(SLEEP, log=log)
    assert child.alive()
    assert child.stop(30) == -signal.SIGTERM
    assert not is_running(child.pid)
    assert child.stop(30) == -signal.SIGTERM


def test_stop_insists_when_asking_does_not_help(log: Path) -> None:
    child = spawn(DEAF, log=log)
    eventually(lambda: "deaf" in log.read_text(), "it ignores SIGTERM")
    begun = time.monotonic()
    assert child.stop(0.2) == -signal.SIGKILL
    assert time.monotonic() - begun >= 0.2


def test_output_is_appended_to_the_log_and_an_old_log_set_aside(log: Path) -> None:
    log.write_text("before\n")
    say = [sys.executable, "-I", "-S", "-c", "import sys; print('out'); sys.exit('err')"]
    assert ended(spawn(say, log=log)) == 1
    assert sorted(log.read_text().split()) == ["before", "err", "out"]
    log.write_bytes(b"x" * 5_000_000)
    ended(spawn(say, log=log))
    assert log.stat().st_size < 100
    assert log.with_name("child.log.old").stat().st_size == 5_000_000


def test_a_program_that_cannot_be_run_says_so_in_the_log(log: Path) -> None:
    assert ended(spawn(["/nonexistent/server"], log=log)) == 1
    assert log.read_text() == "cannot run /nonexistent/server: No such file or directory\n"


def test_a_child_whose_parent_is_gone_already_does_not_start(log: Path) -> None:
    from infra.local.servers import child_exec

    not_our_parent = "1" if os.getpid() != 1 else "2"
    done = subprocess.run(
        [sys.executable, "-I", "-S", child_exec.__file__, not_our_parent, *SLEEP],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "gone" in done.stderr


def test_wait_ends_early_when_woken(log: Path) -> None:
    child = spawn(SLEEP, log=log)
    wake = os.eventfd(0)
    threading.Timer(0.05, os.eventfd_write, (wake, 1)).start()
    assert child.wait(60, wake=wake) is None
    assert child.alive()
    child.stop(30)
    os.close(wake)
