"""The embedded servers in tests: starting them, clients for them, and what most tests set up first.

`local_servers` is a session fixture to be: one start for a whole run, each test with names of its
own (`unique`). Tests that kill servers start their own, on a state folder of their own.
"""

from __future__ import annotations

import os
import signal
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from infra.local.servers import Endpoints, Given, LocalServers

NOWHERE = Given(cache="redis://127.0.0.1:1/0", search="http://127.0.0.1:1")
"""Endpoints for a run whose test needs the AWS server alone."""


def local_servers() -> Iterator[LocalServers]:
    """All three servers, on temporary state; the body of a session fixture."""
    with LocalServers() as servers:
        yield servers


def aws_server(state: Path | None = None) -> LocalServers:
    """The AWS server alone, not started yet."""
    return LocalServers(state=state, given=NOWHERE)


def kill_aws(servers: LocalServers) -> None:
    """SIGKILL the AWS server and wait until its supervisor has it back."""
    server = servers["aws"]
    was = server.status()
    os.kill(was.pid, signal.SIGKILL)
    eventually(lambda: server.status().pid not in {0, was.pid}, "the server is restarted")
    assert server.status().restarts == was.restarts + 1


def client(endpoints: Endpoints, service: str) -> Any:
    """A client that tries once: a retry inside boto would hide what the test looks at."""
    return boto3.client(
        service,
        endpoint_url=endpoints.aws_url_of(service),
        region_name=endpoints.region,
        aws_access_key_id=endpoints.access_key,
        aws_secret_access_key=endpoints.secret_key,
        config=Config(
            connect_timeout=5,
            read_timeout=20,
            retries={"total_max_attempts": 1, "mode": "standard"},
            s3={"addressing_style": "path"},
        ),
    )


def unique(prefix: str) -> str:
    """A name that no other test has."""
    return f"{prefix}-{uuid.uuid4().hex[:12]}"


def make_table(dynamodb: Any, name: str, *, stream: bool = True) -> str:
    """A table keyed by PK and SK; returns its stream's ARN, or "" without one."""
    keys = ("PK", "SK")
    made = dynamodb.create_table(
        TableName=name,
        KeySchema=[
            {"AttributeName": key, "KeyType": kind}
            for key, kind in zip(keys, ("HASH", "RANGE"), strict=True)
        ],
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
        BillingMode="PAY_PER_REQUEST",
        **(
            {"StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}}
            if stream
            else {}
        ),
    )
    return made["TableDescription"].get("LatestStreamArn", "")


def iterator(streams: Any, arn: str, after: str | None = None) -> str:
    """A shard iterator: from the oldest record on, or from the one after a sequence number."""
    shard = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"][0]["ShardId"]
    where = (
        {"ShardIteratorType": "TRIM_HORIZON"}
        if after is None
        else {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": after}
    )
    return streams.get_shard_iterator(StreamArn=arn, ShardId=shard, **where)["ShardIterator"]


def read(streams: Any, position: str) -> tuple[list[dict[str, Any]], str]:
    """All records from a shard iterator on, and the iterator after them."""
    records: list[dict[str, Any]] = []
    while True:
        page = streams.get_records(ShardIterator=position)
        position = page["NextShardIterator"]
        if not page["Records"]:
            return records, position
        records += page["Records"]


def key(name: str) -> dict[str, Any]:
    """The key of an item of `make_table`."""
    return {"PK": {"S": name}, "SK": {"S": "ITEM"}}


def bump(name: str, table: str) -> dict[str, Any]:
    """An update that raises an item's version by one, making it if it is not there."""
    return {
        "TableName": table,
        "Key": key(name),
        "UpdateExpression": "SET filler = :filler ADD version :one",
        "ExpressionAttributeValues": {":one": {"N": "1"}, ":filler": {"S": "x" * 500}},
    }


def numbers(records: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """Sequence number and event id of each record."""
    return [(record["dynamodb"]["SequenceNumber"], record["eventID"]) for record in records]


def scan(dynamodb: Any, table: str) -> dict[str, dict[str, Any]]:
    """All items of a table by their PK."""
    pages = dynamodb.get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
    return {item["PK"]["S"]: item for page in pages for item in page["Items"]}


def eventually(holds: Callable[[], Any], what: str, seconds: float = 30.0) -> Any:
    """The first true answer of `holds`; fails, naming `what`, if none comes in time."""
    deadline = time.monotonic() + seconds
    while not (answer := holds()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:.0f} s: {what}")
        time.sleep(0.02)
    return answer


def is_running(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def servers_under(folder: Path) -> list[int]:
    """The processes that work in a folder: what a run left behind."""
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit() and int(process.name) != os.getpid():
            try:
                working = (process / "cwd").readlink()
            except OSError:
                continue  # gone, or not ours
            if folder in (working, *working.parents):
                found.append(int(process.name))
    return found
