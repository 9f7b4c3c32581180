"""The three servers together: up, supervised, replaceable, and gone without a trace."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from infra.local.servers import AWS_ITSELF, Given, LocalServers, ServerFailed, StateTaken
from infra.local.servers import server as server_module
from infra.local.servers.ports import free_port, is_free, listens
from infra.local.servers.programs import AWS, CACHE, SEARCH
from infra.local.servers.server import Program, Server
from tests.support.servers import eventually, is_running, servers_under

ROOT = Path(__file__).resolve().parents[3]

SLEEP = [sys.executable, "-I", "-S", "-c", "import time; time.sleep(600)"]
PARENT = """
import json, sys, time
from pathlib import Path
from infra.local.servers import LocalServers

with LocalServers(Path(sys.argv[1]) if len(sys.argv) > 1 else None) as servers:
    pids = [status.pid for status in servers.status()]
    print(json.dumps({"folder": str(servers.folder), "pids": pids}), flush=True)
    time.sleep(600)
"""


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary state goes: the test's own folder, so that what is left shows."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def start_parent(temporary: Path) -> Any:
    """Starts a process that starts the servers; returns it with what it says of them."""
    parents: list[subprocess.Popen[bytes]] = []

    def start(*arguments: str) -> tuple[subprocess.Popen[bytes], dict[str, Any]]:
        parent = subprocess.Popen(
            [sys.executable, "-c", PARENT, *arguments],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(temporary)},
        )
        parents.append(parent)
        assert parent.stdout is not None
        return parent, json.loads(parent.stdout.readline())

    yield start
    for parent in parents:
        parent.kill()
        parent.communicate()


def one(program: Program, folder: Path, **options: Any) -> Server:
    return Server(program, folder / program.name, folder / "logs", **options)


def pong(port: int) -> bool:
    with contextlib.suppress(OSError):
        return CACHE.ready(port)
    return False


def test_all_start_answer_and_leave_nothing(temporary: Path) -> None:
    with LocalServers() as servers:
        assert servers.folder.parent == temporary
        status = servers.status()
        assert [each.name for each in status] == ["aws", "cache", "search"]
        for each, program in zip(status, (AWS, CACHE, SEARCH), strict=True):
            port = servers[each.name].port
            assert listens(each.pid, port)
            assert program.ready(port)
            assert each.restarts == 0
            assert each.log.exists()
            assert f"127.0.0.1:{port}" in each.url
        endpoints = servers.endpoints
        assert endpoints.aws_url == servers["aws"].url
        assert endpoints.cache_url.startswith("redis://127.0.0.1:")
        assert endpoints.search_url == servers["search"].url
        assert endpoints.environment()["AWS_ENDPOINT_URL"] == endpoints.aws_url
        pids = [each.pid for each in status]
        assert sorted(servers_under(temporary)) == sorted(pids)
    assert not [pid for pid in pids if is_running(pid)]
    assert not servers_under(temporary)
    assert not list(temporary.iterdir())


def test_nothing_listens_beyond_loopback(temporary: Path) -> None:
    with LocalServers() as servers:
        ports = {f"{servers[name].port:04X}" for name in ("aws", "cache", "search")}
        seen = set()
        for table in ("tcp", "tcp6"):
            for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
                address, _, port = line.split()[1].rpartition(":")
                if line.split()[3] == "0A" and port in ports:
                    seen.add((address, port))
        assert {address for address, _ in seen} == {"0100007F"}
        assert {port for _, port in seen} == ports


def test_killing_the_parent_takes_all_servers_along(start_parent: Callable[..., Any]) -> None:
    parent, said = start_parent()
    assert len(said["pids"]) == 3
    assert all(is_running(pid) for pid in said["pids"])
    os.kill(parent.pid, signal.SIGKILL)
    eventually(lambda: not any(map(is_running, said["pids"])), "all servers are gone")


def test_ctrl_c_stops_all_in_order(start_parent: Callable[..., Any]) -> None:
    parent, said = start_parent()
    parent.send_signal(signal.SIGINT)
    parent.wait(60)
    assert not [pid for pid in said["pids"] if is_running(pid)]
    assert not Path(said["folder"]).exists()


def test_what_a_killed_run_left_is_removed_by_the_next(
    start_parent: Callable[..., Any], temporary: Path
) -> None:
    killed, left = start_parent()
    _, living = start_parent()
    killed.kill()
    killed.wait()
    nothing = Given("http://127.0.0.1:1", "redis://h:1", "http://h:1")
    with LocalServers(temporary / "fanout-notes", given=nothing):
        pass  # state that was meant to be kept, in a place like this
    assert Path(left["folder"]).exists()
    with LocalServers(given=nothing):
        assert not Path(left["folder"]).exists()
    assert Path(living["folder"]).exists()
    assert all(is_running(pid) for pid in living["pids"])
    assert (temporary / "fanout-notes").exists()


def test_a_given_endpoint_starts_nothing(temporary: Path) -> None:
    given = Given(aws="http://127.0.0.1:4", search="https://search.example:9200")
    with LocalServers(given=given) as servers:
        assert [each.name for each in servers.status()] == ["cache"]
        assert len(servers_under(temporary)) == 1
        assert servers.endpoints.aws_url == "http://127.0.0.1:4"
        assert servers.endpoints.search_url == "https://search.example:9200"
        assert pong(servers["cache"].port)


def test_aws_itself_gets_the_callers_credentials(temporary: Path) -> None:
    given = Given(aws=AWS_ITSELF, cache="redis://h:1", search="http://h:1")
    with LocalServers(given=given) as servers:
        endpoints = servers.endpoints
        assert (endpoints.aws_url, endpoints.access_key, endpoints.secret_key) == (None,) * 3
        assert "AWS_ACCESS_KEY_ID" not in endpoints.environment()


def test_a_crashed_server_is_back_on_its_port(tmp_path: Path) -> None:
    server = one(CACHE, tmp_path)
    server.start()
    try:
        port, url = server.port, server.url
        pids = [server.status().pid]
        for crash in (1, 2):
            os.kill(pids[-1], signal.SIGKILL)
            eventually(lambda: server.status().pid not in {0, *pids} and pong(port), "it is back")
            pids.append(server.status().pid)
            assert server.status().restarts == crash
            assert "signal 9" in server.status().trouble
        assert (server.port, server.url) == (port, url)
    finally:
        server.stop()
    assert is_free(port)


def test_a_stopped_server_stays_down_and_comes_back_on_its_port(tmp_path: Path) -> None:
    server = one(CACHE, tmp_path)
    server.start()
    port = server.port
    server.stop()
    server.stop()
    assert server.status().pid == 0
    assert is_free(port)
    server.start()
    assert server.port == port
    assert pong(port)
    assert server.restarts == 0
    server.stop()


def test_a_server_that_cannot_stay_up_is_tried_again_with_pauses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_module, "FIRST_BACKOFF_SECONDS", 0.01)
    server = one(CACHE, tmp_path)
    server.start()
    good = CACHE.command
    broken = [sys.executable, "-I", "-S", "-c", "import sys; sys.exit('no memory')"]
    answers: list[Any] = [broken, broken]
    server.program = Program(
        name="cache",
        command=lambda port, folder: answers.pop() if answers else good(port, folder),
        ready=CACHE.ready,
        url=CACHE.url,
    )
    os.kill(server.status().pid, signal.SIGKILL)
    eventually(lambda: server.restarts == 3, "two failed restarts, then a good one")
    eventually(lambda: pong(server.port), "it answers again")
    server.stop()


def test_a_server_that_does_not_come_up_shows_its_log(tmp_path: Path) -> None:
    script = "import sys; print('line of interest'); sys.exit(3)"
    program = Program(
        name="search",
        command=lambda _port, _folder: [sys.executable, "-I", "-S", "-c", script],
        ready=lambda _port: False,
        url=str,
    )
    with pytest.raises(ServerFailed) as caught:
        one(program, tmp_path).start()
    text = str(caught.value)
    assert "search server ended with code 3" in text
    assert "line of interest" in text
    assert str(tmp_path / "logs" / "search.log") in text


def test_a_server_that_never_answers_is_given_up_and_stopped(tmp_path: Path) -> None:
    program = Program(
        name="cache",
        command=lambda _port, _folder: SLEEP,
        ready=lambda _port: True,
        url=str,
    )
    with pytest.raises(ServerFailed, match=r"did not answer within 0.3 s.*log is empty"):
        one(program, tmp_path, ready_seconds=0.3).start()
    assert not servers_under(tmp_path)


def test_one_server_that_fails_stops_the_others(
    temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OSMEM_SERVER_BIN", "/nonexistent/search")
    with pytest.raises(ServerFailed, match="cannot run /nonexistent/search"), LocalServers():
        pass
    assert not servers_under(temporary)
    assert not list(temporary.iterdir())


def test_a_port_taken_meanwhile_is_left_to_its_owner(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        choices = [free_port(), taken]
        good = choices[0]
        monkeypatch.setattr(server_module, "free_port", choices.pop)
        server = one(CACHE, tmp_path)
        server.start()
        assert server.port == good
        server.stop()


def test_another_servers_answer_is_not_mistaken_for_ours(tmp_path: Path) -> None:
    ours, theirs = one(CACHE, tmp_path / "a"), one(CACHE, tmp_path / "b", ready_seconds=1)
    ours.start()
    theirs.port = ours.port
    with pytest.raises(ServerFailed, match="Address already in use"):
        theirs.start()
    ours.stop()


def test_a_state_folder_has_one_owner_at_a_time(
    tmp_path: Path, start_parent: Callable[..., Any]
) -> None:
    state = tmp_path / "state"
    parent, said = start_parent(str(state))
    with pytest.raises(StateTaken, match=rf"in use by process {parent.pid}.*stop that run"):
        LocalServers(state).__enter__()
    assert all(is_running(pid) for pid in said["pids"])
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    with LocalServers(state) as servers:
        assert servers.folder == state
    assert state.exists()
