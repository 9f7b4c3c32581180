"""The event source mapping on a real table's stream, with handlers in real worker processes."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from infra.local.mapping.source import LATEST, TRIM_HORIZON, StreamGone, Trimmed
from infra.local.mapping.streams import DynamoStream
from infra.local.servers import LocalServers
from shared.clients import forget_clients
from tests.support.mapped import SOURCES, Five, took
from tests.support.servers import (
    aws_server,
    client,
    eventually,
    is_running,
    kill_aws,
    make_table,
    unique,
)

ROOT = Path(__file__).resolve().parents[2]
IN_ORDER = ("one", "two")


@dataclass
class Table:
    """A table with its stream, and where given-up records go."""

    name: str
    arn: str
    queue_url: str
    bucket: str
    dynamodb: Any
    sqs: Any
    s3: Any

    def write(self, order: int, version: int, **more: Any) -> None:
        key = {"PK": {"S": f"ORDER#{order}"}, "SK": {"S": "ORDER"}}
        item = {**key, "version": {"N": str(version)}, **more}
        self.dynamodb.put_item(TableName=self.name, Item=item)

    def messages(self) -> list[dict[str, Any]]:
        found = self.sqs.receive_message(QueueUrl=self.queue_url, MaxNumberOfMessages=10)
        return [json.loads(each["Body"]) for each in found.get("Messages", ())]


def table_on(servers: LocalServers, patch: pytest.MonkeyPatch) -> Table:
    ends = servers.endpoints
    for name, value in ends.environment().items():
        patch.setenv(name, value)
    forget_clients()
    dynamodb, sqs, s3 = (client(ends, service) for service in ("dynamodb", "sqs", "s3"))
    name = unique("mapping")
    arn = make_table(dynamodb, name)
    s3.create_bucket(Bucket=name)
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    return Table(name, arn, url, name, dynamodb, sqs, s3)


@pytest.fixture
def table(either_servers: LocalServers, monkeypatch: pytest.MonkeyPatch) -> Iterator[Table]:
    yield table_on(either_servers, monkeypatch)
    forget_clients()


def drained(five: Five) -> None:
    moment = time.time()

    def done() -> bool:
        return all(each.caught_up_at_ms / 1000 > moment for each in five.mappings.status())

    try:
        eventually(done, "all is delivered", 60)
    except AssertionError:
        raise AssertionError(five.mappings.status()) from None


def check_complete(folder: Path, orders: int, versions: int, names: Sequence[str] = ()) -> None:
    """Each consumer was given each change; those on the stream, each item's in order."""
    expected = {
        (f"ORDER#{order}", str(v)) for order in range(orders) for v in range(1, versions + 1)
    }
    for name in names or SOURCES:
        given = [entry for batch in took(folder, name) for entry in batch]
        assert {(entry["key"], entry["version"]) for entry in given} == expected, name
        if name not in IN_ORDER:
            continue
        firsts: dict[str, list[int]] = defaultdict(list)
        for key, version in dict.fromkeys((entry["key"], int(entry["version"])) for entry in given):
            firsts[key].append(version)
        assert all(history == sorted(history) for history in firsts.values()), name


def test_five_consumers_are_given_every_change_in_order(table: Table, tmp_path: Path) -> None:
    five = Five(tmp_path, table.arn, table.queue_url, table.bucket)
    five.mappings.start()
    try:
        for version in range(1, 4):
            for order in range(30):
                table.write(order, version)
        other = {"PK": {"S": "SCORE#1"}, "SK": {"S": "USER#1"}, "version": {"N": "1"}}
        table.dynamodb.put_item(TableName=table.name, Item=other)
        drained(five)
    finally:
        five.stop()
    check_complete(tmp_path, 30, 3)
    for name, source in SOURCES.items():
        given = [entry for batch in five.took(name) for entry in batch]
        numbers = [int(entry["number"]) for entry in given]
        assert numbers == sorted(set(numbers)), name
        assert all(len(batch) <= 25 + 8 for batch in five.took(name))
        repeats = len(given) - len({entry["id"] for entry in given})
        assert (repeats > 0) == (name not in IN_ORDER), name
        assert all((len(entry["number"]) == 56) == (name not in IN_ORDER) for entry in given)
        assert source
    for status in five.mappings.status():
        assert status.numbers.filtered >= 1
        assert status.lag_records == status.lag_ms == 0
    assert not table.messages()


def test_18_an_identical_put_writes_no_record(table: Table, tmp_path: Path) -> None:
    five = Five(tmp_path, table.arn, table.queue_url, table.bucket)
    five.mappings.start()
    try:
        table.write(0, 1)
        table.write(0, 1)
        drained(five)
    finally:
        five.stop()
    assert [len(batch) for batch in five.took("one")] == [1]


def test_poison_that_is_never_parked_reaches_the_queue_with_its_payload(
    table: Table, tmp_path: Path
) -> None:
    five = Five(tmp_path, table.arn, table.queue_url, table.bucket)
    table.write(0, 1)
    table.write(1, 1, poison={"BOOL": True}, data={"B": b"\x00\xff"})
    table.write(2, 1)
    five.mappings.start()
    try:
        drained(five)
    finally:
        five.stop()
    messages = table.messages()
    by_function = {
        each["requestContext"]["functionArn"].rpartition("-")[2]: each for each in messages
    }
    assert by_function.keys() == SOURCES.keys()
    message = by_function["one"]
    assert message["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert message["requestContext"]["approximateInvokeCount"] == 3
    assert message["DDBStreamBatchInfo"]["streamArn"] == table.arn
    assert "payload" not in message
    pointer = message.pop("pointer")
    body = json.loads(
        table.s3.get_object(Bucket=pointer["bucket"], Key=pointer["key"])["Body"].read()
    )
    payload = body.pop("payload")
    assert body == message
    images = [entry["dynamodb"]["NewImage"] for entry in payload["Records"]]
    assert [image["PK"]["S"] for image in images] == ["ORDER#1", "ORDER#2"]
    assert images[0]["data"] == {"B": "AP8="}
    assert by_function["three"]["KinesisBatchInfo"]["shardId"] == "shardId-000000000000"
    # Everything is either delivered or there.
    assert [entry["key"] for batch in five.took("one") for entry in batch] == ["ORDER#0"]


def test_a_worker_that_crashes_gets_its_batch_again(table: Table, tmp_path: Path) -> None:
    five = Five(tmp_path, table.arn, table.queue_url, table.bucket)
    five.mappings.start()
    try:
        for order in range(20):
            table.write(order, 1, **({"crash": {"S": f"at-{order}"}} if order % 7 == 3 else {}))
        drained(five)
    finally:
        five.stop()
    check_complete(tmp_path, 20, 1)
    assert not table.messages()
    for name in SOURCES:
        assert five.functions[name].workers_started == 4, name


def start(folder: Path, table: Table) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "tests.support.mapped"),
            *(str(folder), table.arn, table.queue_url, table.bucket),
        ],
        stdout=subprocess.PIPE,
        # So slow that a kill hits batches that handlers have and nobody has written down.
        env={**os.environ, "PYTHONPATH": str(ROOT), "RECORD_AFTER": "0.1"},
        cwd=ROOT,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"up\n"
    return process


def children_of(pid: int) -> list[int]:
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        # A thread that reads ahead may end meanwhile; it has no children.
        with suppress(FileNotFoundError, ProcessLookupError):
            found += map(int, (task / "children").read_text().split())
    return found


def test_a_run_that_is_killed_at_any_moment_goes_on_where_it_was(
    table: Table, tmp_path: Path
) -> None:
    chance = random.Random(5)
    version = 0
    for _ in range(4):
        with start(tmp_path, table) as process:
            for _ in range(2):
                version += 1
                for order in range(15):
                    table.write(order, version)
            time.sleep(chance.uniform(0, 0.3))
            workers = children_of(process.pid)
            process.send_signal(signal.SIGKILL)
        eventually(lambda: not any(map(is_running, workers)), "no worker is left")  # noqa: B023
    five = Five(tmp_path, table.arn, table.queue_url, table.bucket)
    five.mappings.start()
    try:
        drained(five)
    finally:
        five.stop()
    check_complete(tmp_path, 15, version)
    assert not table.messages()


def test_a_server_that_is_killed_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with aws_server() as servers:
        table = table_on(servers, monkeypatch)
        five = Five(tmp_path / "five", table.arn, table.queue_url, table.bucket)
        (tmp_path / "five").mkdir()
        five.mappings.start()
        try:
            for order in range(10):
                table.write(order, 1)
            kill_aws(servers)
            for order in range(10):
                table.write(order, 2)
            drained(five)
        finally:
            five.stop()
            forget_clients()
    check_complete(tmp_path / "five", 10, 2)


def test_positions_of_a_real_stream(table: Table) -> None:
    source = DynamoStream(table.arn)
    (shard,) = source.shards()
    latest = source.open(shard.shard_id, LATEST)
    table.write(0, 1)
    latest_before = latest.read(10)
    table.write(1, 1)
    assert len([*latest_before.entries, *latest.read(10).entries]) in {1, 2}
    first = source.open(shard.shard_id, TRIM_HORIZON).read(1)
    assert len(first.entries) == 1
    rest = source.open(shard.shard_id, first.mark).read(10)
    assert [entry.view["dynamodb"]["Keys"]["PK"]["S"] for entry in rest.entries] == ["ORDER#1"]
    with pytest.raises(StreamGone):
        source.open("shardId-00000000000000000000-ffffffff", TRIM_HORIZON).read(1)
    with pytest.raises(StreamGone):
        DynamoStream(table.arn.replace(table.name, "nowhere")).shards()


def test_a_position_that_the_stream_forgot(
    servers: LocalServers, monkeypatch: pytest.MonkeyPatch
) -> None:
    # On the embedded server alone: DynamoDB Local forgets nothing, and calls such a number invalid.
    table = table_on(servers, monkeypatch)
    table.write(0, 1)
    source = DynamoStream(table.arn)
    (shard,) = source.shards()
    first = source.open(shard.shard_id, TRIM_HORIZON).read(1)
    before = str(int(first.mark) - 1).zfill(len(first.mark))
    with pytest.raises(Trimmed):
        source.open(shard.shard_id, before).read(1)
    forget_clients()
