"""The real engines as servers of ours: on loopback alone, with a memory that outlives a kill."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

from infra.local.engines.programs import REAL_READY_SECONDS, REDIS, dynamodb
from infra.local.servers import Endpoints, LocalServers, Server
from tests.support.engines import ON_REAL_ENGINES, need_real_engines
from tests.support.servers import (
    bump,
    client,
    eventually,
    iterator,
    key,
    make_table,
    numbers,
    read,
    scan,
)

pytestmark = [*ON_REAL_ENGINES]

_LISTEN = "0A"


def listening(pid: int) -> set[str]:
    """The addresses, in hexadecimal, on which a process listens."""
    sockets = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        try:
            sockets.add(str(descriptor.readlink()))
        except FileNotFoundError:
            continue
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == _LISTEN and f"socket:[{fields[9]}]" in sockets:
                found.add(fields[1].rpartition(":")[0])
    return found


def test_nothing_listens_beyond_loopback(real_servers: LocalServers) -> None:
    status = real_servers.status()
    assert [each.name for each in status] == ["aws", "dynamodb", "cache", "search"]
    assert {each.name: listening(each.pid) for each in status} == {
        each.name: {"0100007F"} for each in status
    }


def test_redis_is_redis_where_it_is_installed(real_servers: LocalServers) -> None:
    command = Path(f"/proc/{real_servers['cache'].status().pid}/cmdline").read_bytes()
    program = Path(os.fsdecode(command.split(b"\0")[0])).name
    on_path = any((Path(each) / REDIS).exists() for each in os.get_exec_path())
    assert (REDIS in program) == on_path


def test_dynamodb_and_its_streams_are_elsewhere_than_the_rest(real_servers: LocalServers) -> None:
    ends = real_servers.endpoints
    assert ends.aws_url_of("dynamodb") == ends.aws_url_of("dynamodbstreams") == ends.dynamodb_url
    assert ends.aws_url_of("s3") == ends.aws_url_of("sqs") == ends.aws_url != ends.dynamodb_url


def test_what_dynamodb_local_acknowledged_outlives_a_kill(tmp_path: Path) -> None:
    need_real_engines()
    server = Server(
        dynamodb(), tmp_path / "data", tmp_path / "logs", ready_seconds=REAL_READY_SECONDS
    )
    server.start()
    try:
        ends = Endpoints(server.url, "", "")
        table: Any = client(ends, "dynamodb")
        streams = client(ends, "dynamodbstreams")
        arn = make_table(table, "kept")
        for _ in range(30):
            table.update_item(**bump("a", "kept"))
        before, _ = read(streams, iterator(streams, arn))
        pid = server.status().pid
        os.kill(pid, signal.SIGKILL)
        eventually(lambda: server.status().pid not in {0, pid}, "it is restarted", 120)
        assert scan(table, "kept")["a"]["version"] == {"N": "30"}
        table.put_item(TableName="kept", Item=key("b"))
        after, _ = read(streams, iterator(streams, arn))
        assert numbers(after)[:-1] == numbers(before)
        last = before[-1]["dynamodb"]["SequenceNumber"]
        behind, _ = read(streams, iterator(streams, arn, after=last))
        assert [record["dynamodb"]["Keys"] for record in behind] == [key("b")]
    finally:
        server.stop()
