"""`fanout up` killed with SIGKILL, again and again: the next one resumes, and nothing is lost."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.servers import eventually, is_running, servers_under

ROOT = Path(__file__).resolve().parents[2]
_ROUNDS = 3


class CommandLine:
    """The `fanout` command on one state folder, as a person uses it."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.started: list[subprocess.Popen[str]] = []
        self._environment = {**os.environ, "FANOUT_STATE": str(state), "PYTHONPATH": str(ROOT)}

    def popen(self, *arguments: str) -> "subprocess.Popen[str]":
        running = subprocess.Popen(
            [sys.executable, "-m", "ops.cli", *arguments],
            env=self._environment,
            cwd=self.state,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.started.append(running)
        return running

    def run(self, *arguments: str, seconds: float = 120) -> tuple[int, str]:
        running = self.popen(*arguments)
        try:
            output, _ = running.communicate(timeout=seconds)
        finally:
            running.kill()
        return running.returncode, output

    def up(self) -> "subprocess.Popen[str]":
        running = self.popen("up")

        def is_up() -> bool:
            if running.poll() is not None:
                raise AssertionError(running.stdout.read() if running.stdout else "")
            path = self.state / "deployment.json"
            return path.exists() and json.loads(path.read_text())["pid"] == running.pid

        eventually(is_up, "the pipeline is up", 60)
        return running

    def json(self, *arguments: str) -> Any:
        code, output = self.run(*arguments, "--json")
        assert code in (0, 1), output
        return json.loads(output)


@pytest.fixture
def fanout(tmp_path: Path) -> Iterator[CommandLine]:
    line = CommandLine(tmp_path)
    try:
        yield line
    finally:
        for running in line.started:
            running.kill()
            running.communicate()
    eventually(lambda: not servers_under(tmp_path), "nothing is left running")


def _children(parent: int) -> list[int]:
    """The processes that `parent` has started."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has ended just now
        if int(fields[1]) == parent:
            found.append(int(status.parent.name))
    return found


def _all_gone(children: list[int]) -> None:
    eventually(lambda: not any(map(is_running, children)), "its children died too")


@pytest.mark.timeout(300)
def test_killed_at_any_moment_nothing_is_lost(fanout: CommandLine) -> None:
    rng = random.Random(11)
    for number in range(_ROUNDS):
        up = fanout.up()
        writing = fanout.popen(
            "traffic",
            "--orders",
            "150",
            "--scores",
            "150",
            f"--seed={number}",
            f"--prefix={number}-",
        )
        time.sleep(rng.uniform(1.0, 4.0))
        writing.kill()
        writing.wait()
        children = _children(up.pid)
        assert len(children) == 8, "three servers and five workers"
        os.kill(up.pid, signal.SIGKILL)
        up.wait()
        _all_gone(children)
    up = fanout.up()
    code, output = fanout.run("traffic", "--orders", "30", "--scores", "30", "--prefix=last-")
    assert code == 0, output
    code, output = fanout.run("verify", "--timeout", "60")
    assert code == 0, output
    counted = fanout.json("verify")
    assert counted["parity"] is True
    assert all(each["checked"] for each in counted["projections"])
    code, output = fanout.run("down")
    assert code == 0, output
    assert up.wait(timeout=30) == 0


@pytest.mark.timeout(120)
def test_commands_without_a_pipeline_say_what_to_do(fanout: CommandLine) -> None:
    for command in ("status", "verify", "traffic", "search", "history"):
        arguments = [command, "ord-1"] if command in ("history", "search") else [command]
        code, output = fanout.run(*arguments)
        assert code == 2, (command, output)
        assert "fanout up" in output, (command, output)
        assert "Traceback" not in output, (command, output)
