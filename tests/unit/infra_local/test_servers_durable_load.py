"""SIGKILL at any moment under load: nothing acknowledged is lost, nothing is half done."""

from __future__ import annotations

import random
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from infra.local.servers import LocalServers
from infra.local.servers import server as server_module
from tests.support.servers import (
    aws_server,
    bump,
    client,
    eventually,
    iterator,
    kill_aws,
    make_table,
    numbers,
    read,
    scan,
    unique,
)

KILLS = 3
WRITERS = 3
SEED = 20_260_117


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServers]:
    with (
        pytest.MonkeyPatch.context() as patch,
        aws_server(tmp_path_factory.mktemp("durable")) as servers,
    ):
        # So many kills in a row would make the supervisor wait longer and longer.
        patch.setattr(server_module, "LAST_BACKOFF_SECONDS", 0.1)
        yield servers


@pytest.fixture(scope="module")
def dynamodb(servers: LocalServers) -> Any:
    return client(servers.endpoints, "dynamodb")


@pytest.fixture(scope="module")
def streams(servers: LocalServers) -> Any:
    return client(servers.endpoints, "dynamodbstreams")


class Writer(threading.Thread):
    """Writes versions 1, 2, 3… to items of its own until told to stop, and notes the answers.

    An unanswered write is repeated under a condition, so that it is made once.
    """

    def __init__(self, dynamodb: Any, table: str, number: int) -> None:
        super().__init__(name=f"writer {number}", daemon=True)
        self.enough = threading.Event()
        self.acknowledged: dict[str, int] = defaultdict(int)
        self.unanswered = 0
        self._dynamodb = dynamodb
        self._table = table
        self._number = number
        self._random = random.Random(SEED + number)

    def run(self) -> None:
        while not self.enough.is_set():
            if self._random.random() < 0.5:
                self._write([f"single-{self._number}-{self._random.randrange(5)}"])
            else:
                pair = f"{self._number}-{self._random.randrange(5)}"
                self._write([f"left-{pair}", f"right-{pair}"])

    def _write(self, names: list[str]) -> None:
        version = self.acknowledged[names[0]] + 1
        while not self._try(names, version):
            self.unanswered += 1
            if self.enough.is_set():
                return  # the test looks at whether it was made
            time.sleep(0.02)
        for name in names:
            self.acknowledged[name] = version

    def _try(self, names: list[str], version: int) -> bool:
        condition = "attribute_not_exists(version) OR version < :version"
        updates = []
        for name in names:
            update = bump(name, self._table)
            update["ConditionExpression"] = condition
            update["ExpressionAttributeValues"][":version"] = {"N": str(version)}
            updates.append(update)
        try:
            if len(updates) == 1:
                self._dynamodb.update_item(**updates[0])
            else:
                self._dynamodb.transact_write_items(
                    TransactItems=[{"Update": update} for update in updates]
                )
        except ClientError as error:
            code = error.response["Error"]["Code"]
            assert code in {"ConditionalCheckFailedException", "TransactionCanceledException"}, code
            return True  # an earlier try was made after all
        except BotoCoreError:
            return False
        return True


class Reader(threading.Thread):
    """Reads the stream as it grows, through every restart, by one chain of iterators."""

    def __init__(self, streams: Any, arn: str) -> None:
        super().__init__(name="reader", daemon=True)
        self.enough = threading.Event()
        self.records: list[dict[str, Any]] = []
        self.failures = 0
        self._streams = streams
        self._position = iterator(streams, arn)

    def run(self) -> None:
        while not self.enough.is_set():
            try:
                page = self._streams.get_records(ShardIterator=self._position)
            except BotoCoreError:
                self.failures += 1
                time.sleep(0.02)
                continue
            self.records += page["Records"]
            self._position = page["NextShardIterator"]
            time.sleep(0.005)


def test_nothing_acknowledged_is_lost_to_kills_under_load(
    servers: LocalServers, dynamodb: Any, streams: Any
) -> None:
    table = unique("load")
    arn = make_table(dynamodb, table)
    writers = [Writer(dynamodb, table, number) for number in range(WRITERS)]
    reader = Reader(streams, arn)
    moments = random.Random(SEED)
    for thread in (*writers, reader):
        thread.start()
    for _ in range(KILLS):
        time.sleep(moments.uniform(0.3, 0.8))
        kill_aws(servers)
    time.sleep(0.3)
    for writer in writers:
        writer.enough.set()
    for writer in writers:
        writer.join(60)
        assert not writer.is_alive()
    records, _ = read(streams, iterator(streams, arn))
    eventually(lambda: len(reader.records) >= len(records), "the reader has seen all")
    reader.enough.set()
    reader.join(60)

    # The kills did hit somebody, and there was something to lose.
    assert sum(writer.unanswered for writer in writers) > 0
    assert reader.failures > 0
    acknowledged = {k: v for writer in writers for k, v in writer.acknowledged.items()}
    assert sum(acknowledged.values()) > 100

    items = scan(dynamodb, table)
    versions = {name: int(item["version"]["N"]) for name, item in items.items()}
    for name, version in acknowledged.items():
        assert versions[name] - version in {0, 1}, name
    for name, version in versions.items():
        if name.startswith("left-"):
            assert versions[name.replace("left-", "right-")] == version

    # A record for each version, each holding the image that the one before it left.
    images: dict[str, Any] = {}
    for record in records:
        change = record["dynamodb"]
        name = change["Keys"]["PK"]["S"]
        assert change.get("OldImage") == images.get(name)
        assert record["eventName"] == ("MODIFY" if name in images else "INSERT")
        images[name] = change["NewImage"]
    assert images == items
    sequence = [int(number) for number, _ in numbers(records)]
    assert sequence == sorted(set(sequence))
    # Who read along saw the very same, record by record.
    assert numbers(reader.records) == numbers(records)
