"""Each fault of the wire against the real servers: what the client sees, and what was done."""

from __future__ import annotations

import random
import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import orjson
import pytest
import redis
import urllib3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ReadTimeoutError
from botocore.session import get_session

from infra.local.deployment import Deployment
from infra.local.servers import LocalServers
from ops.chaos.switchboard import Switchboard
from ops.chaos.wire import Act, Order
from shared.cache_client import connect
from tests.support.servers import eventually

FAILURES = (OSError, urllib3.exceptions.HTTPError, BotoCoreError, redis.RedisError)


@dataclass
class Behind:
    """Clients of the servers: through the wires, and directly."""

    board: Switchboard
    seen: Deployment
    direct: Deployment
    http: urllib3.PoolManager
    bucket: str = ""
    killed: list[str] = field(default_factory=list)

    def s3(self, deployment: Deployment, seconds: float = 30.0) -> Any:
        return _s3(deployment.aws_url, seconds)

    def put(self, key: str, seconds: float = 30.0, size: int = 10_000) -> None:
        self.s3(self.seen, seconds).put_object(Bucket=self.bucket, Key=key, Body=b"x" * size)

    def stored(self, key: str) -> int | None:
        try:
            return int(
                self.s3(self.direct).head_object(Bucket=self.bucket, Key=key)["ContentLength"]
            )
        except ClientError:
            return None

    def index(self, name: str, deployment: Deployment | None = None) -> int:
        url = f"{(deployment or self.seen).search_url}/wired/_doc/{name}"
        return self.http.request("PUT", url, body=b'{"a":1}', headers=JSON).status

    def indexed(self, name: str) -> bool:
        url = f"{self.direct.search_url}/wired/_doc/{name}"
        return self.http.request("GET", url).status == 200

    def cache(self, deployment: Deployment) -> Any:
        client = connect(deployment.cache_url, cluster=False, seconds=30)
        client.ping()  # what it says of itself first is not to be spoiled
        return client

    def during(
        self, name: str, act: Act, call: Any, requests: int = 1, seed: int = 0
    ) -> tuple[int, Any]:
        """Spoil a call; returns how many requests were touched, and what the call raised."""
        order = Order(act, requests, random.Random(seed), self.killed.append)
        with ThreadPoolExecutor(1) as pool:
            spoiling = pool.submit(self.board.spoil, name, order, 20)
            while not self.board.is_told(name):
                threading.Event().wait(0.005)
            try:
                call()
                raised = None
            except (*FAILURES, ClientError) as error:
                raised = error
            order.over.set()
            return spoiling.result(), raised


@cache
def _s3(url: str, seconds: float) -> Any:
    return get_session().create_client(
        "s3",
        region_name="us-east-1",
        endpoint_url=url,
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(
            retries={"total_max_attempts": 1},
            read_timeout=seconds,
            s3={"addressing_style": "path"},
        ),
    )


JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def behind(servers: LocalServers) -> Iterator[Behind]:
    endpoints = servers.endpoints
    direct = Deployment(
        region="us-east-1",
        aws_url=endpoints.aws_url or "",
        cache_url=endpoints.cache_url,
        search_url=endpoints.search_url,
        table="",
        ledger_table="",
        bucket="",
        topic_arn="",
        stream_arn="",
    )
    with Switchboard() as board:
        http = urllib3.PoolManager(retries=False, timeout=30.0)
        made = Behind(board, board.connect(direct), direct, http)
        made.bucket = f"wire-{uuid.uuid4().hex[:8]}"
        made.s3(direct).create_bucket(Bucket=made.bucket)
        assert made.index("first", direct) in (200, 201)
        yield made


def test_without_orders_everything_passes(behind: Behind) -> None:
    behind.put("plain", size=300_000)
    assert behind.stored("plain") == 300_000
    assert behind.index("plain") in (200, 201)
    cache = behind.cache(behind.seen)
    cache.set("plain", b"\r\n" * 1_000)
    assert cache.get("plain") == b"\r\n" * 1_000
    assert cache.mget("plain", "absent") == [b"\r\n" * 1_000, None]
    listed = behind.s3(behind.seen).list_objects_v2(Bucket=behind.bucket)
    assert "plain" in {entry["Key"] for entry in listed["Contents"]}


def test_throttled_is_not_carried_out(behind: Behind) -> None:
    touched, raised = behind.during("aws", Act.THROTTLE, lambda: behind.put("throttled"))
    assert touched == 1
    assert raised.response["Error"]["Code"] == "SlowDown"
    assert behind.stored("throttled") is None
    statuses: list[int] = []
    touched, _ = behind.during(
        "search", Act.THROTTLE, lambda: statuses.append(behind.index("throttled"))
    )
    assert touched == 1
    assert statuses[0] in (429, 503)
    assert not behind.indexed("throttled")
    cache = behind.cache(behind.seen)
    _, raised = behind.during("cache", Act.THROTTLE, lambda: cache.set("throttled", "1"))
    assert isinstance(raised, redis.RedisError)
    assert behind.cache(behind.direct).get("throttled") is None


def test_misreported_is_carried_out_and_says_it_was_not(behind: Behind) -> None:
    _, raised = behind.during("aws", Act.MISREPORTED, lambda: behind.put("misreported"))
    assert raised.response["ResponseMetadata"]["HTTPStatusCode"] in (500, 503)
    assert behind.stored("misreported") == 10_000
    statuses: list[int] = []
    behind.during("search", Act.MISREPORTED, lambda: statuses.append(behind.index("misreported")))
    assert statuses[0] in (502, 503, 504)
    assert behind.indexed("misreported")


def test_unanswered_is_carried_out(behind: Behind) -> None:
    _, raised = behind.during("aws", Act.UNANSWERED, lambda: behind.put("unanswered"))
    assert isinstance(raised, BotoCoreError)
    assert behind.stored("unanswered") == 10_000
    _, raised = behind.during("search", Act.UNANSWERED, lambda: behind.index("unanswered"))
    assert isinstance(raised, urllib3.exceptions.HTTPError)
    assert behind.indexed("unanswered")


def test_late_is_carried_out_and_answered_after_the_timeout(behind: Behind) -> None:
    _, raised = behind.during("aws", Act.LATE, lambda: behind.put("late", seconds=0.5))
    assert isinstance(raised, ReadTimeoutError)
    eventually(lambda: behind.stored("late") == 10_000, "it is carried out")


def test_slow_is_answered_in_the_end(behind: Behind) -> None:
    touched, raised = behind.during("aws", Act.SLOW, lambda: behind.put("slow"))
    assert (touched, raised) == (1, None)
    assert behind.stored("slow") == 10_000


def test_a_cut_connection_shows_and_anything_may_have_happened(behind: Behind) -> None:
    outcomes, failures = set(), 0
    for seed in range(12):
        key = f"cut-{seed}"
        touched, raised = behind.during("aws", Act.CUT, lambda key=key: behind.put(key), seed=seed)
        assert touched == 1
        # An answer cut within its headers may pass for a short one.
        assert raised is not None or behind.stored(key) is not None
        outcomes.add(behind.stored(key))
        failures += raised is not None
    assert outcomes == {None, 10_000}, "whole or not at all"
    assert failures > 8


def test_killed_amid_a_write_before_or_after_it(behind: Behind) -> None:
    outcomes = set()
    for seed in range(8):
        behind.killed.clear()
        key = f"killed-{seed}"
        _, raised = behind.during("aws", Act.KILL, lambda key=key: behind.put(key), seed=seed)
        assert raised is not None
        assert behind.killed == ["audit"]
        outcomes.add(behind.stored(key))
    assert outcomes == {None, 10_000}


def test_only_so_many_requests_are_spoiled(behind: Behind) -> None:
    def three() -> None:
        for number in range(3):
            assert behind.index(f"many-{number}") in ((429, 503) if number < 2 else (200, 201))

    assert behind.during("search", Act.THROTTLE, three, requests=2) == (2, None)


def test_refused_and_back_at_the_same_place(behind: Behind) -> None:
    cache = behind.cache(behind.seen)
    cache.set("refused", "1")

    def meanwhile() -> None:
        for _ in range(3):
            with pytest.raises(redis.RedisError):
                behind.cache(behind.seen).ping()
        assert behind.cache(behind.direct).ping() is True

    behind.board.refuse("cache", meanwhile)
    assert behind.cache(behind.seen).get("refused") == b"1"


def test_a_bulk_request_of_which_some_items_find_no_room(behind: Behind) -> None:
    lines = [
        orjson.dumps(part) + b"\n"
        for number in range(20)
        for part in ({"index": {"_id": f"bulk-{number}"}}, {"number": number})
    ]
    url = f"{behind.seen.search_url}/wired/_bulk?filter_path=errors%2Citems.%2A.status"
    answers: list[dict[str, Any]] = []

    def bulk() -> None:
        answer = behind.http.request("POST", url, body=b"".join(lines), headers=JSON)
        answers.append(orjson.loads(answer.data))

    seeds = iter(range(20))
    while not answers or "items" not in answers[-1]:  # the whole of it is refused as often
        behind.during("search", Act.THROTTLE, bulk, seed=next(seeds))
    assert answers[-1]["errors"] is True
    found = [item["index"]["status"] for item in answers[-1]["items"]]
    assert len(found) == 20
    assert {429} < set(found)
    stored = [behind.indexed(f"bulk-{number}") for number in range(20)]
    assert stored == [status != 429 for status in found], "the answer tells the truth"
