"""The application's reads: what is cached is what the table has, and lists are bounded in age."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from redis import Redis

from infra.local.servers import LocalServers
from ops.traffic import orders
from ops.traffic.reads import LIST_LENGTH, LIST_TTL_MS, Reads, Source
from ops.verify.settle import DEFAULT_PATIENCE_SECONDS
from shared.cache_keys import Cached, entry_name, value_key
from tests.support.records import order, score
from tests.support.small_pipeline import SmallPipeline, small_pipeline
from tests.support.verifying import reads_of, servers_for_a_module

servers = pytest.fixture(scope="module")(servers_for_a_module)


@pytest.fixture
def pipeline(servers: LocalServers, tmp_path: Path) -> Iterator[SmallPipeline]:
    with small_pipeline(servers, tmp_path / "state") as made:
        yield made


@pytest.fixture
def reads(pipeline: SmallPipeline) -> Reads:
    return reads_of(pipeline)


def cached(pipeline: SmallPipeline, kind: Cached, identity: str) -> tuple[Any, int]:
    """The value of an entry, and how many ms it may stay."""
    key = value_key(entry_name(kind, identity))
    with Redis.from_url(pipeline.deployment.cache_url) as cache:
        value: Any = cache.get(key)
        ttl: Any = cache.pttl(key)
    return (orjson.loads(value) if value else value), ttl


def test_items_are_read_as_they_are_and_cached_without_loss(
    pipeline: SmallPipeline, reads: Reads
) -> None:
    precise = {**order("o-1"), "note": b"\x00\xff", "tags": frozenset({"a", "b"})}
    pipeline.table.create(precise)
    pipeline.table.create(score("s-1", "u-1", 7))
    pipeline.settle()
    for _ in range(2):  # loaded, then from the cache
        assert reads.order("o-1") == precise
        assert reads.score("s-1") == score("s-1", "u-1", 7)
        total = reads.total("u-1")
        assert total is not None
        assert total["total"] == 7
        assert reads.order("o-2") is None
    raw, _ = cached(pipeline, Cached.ORDER, "o-1")
    assert raw == Source(pipeline.deployment.table).load(Cached.ORDER, "o-1")
    assert cached(pipeline, Cached.ORDER, "o-2")[0] == b""


def test_a_list_holds_ids_newest_first_and_not_for_long(
    pipeline: SmallPipeline, reads: Reads
) -> None:
    for number in range(LIST_LENGTH + 5):
        made = order(f"o-{number:02}", createdAt=f"2025-10-09T08:53:{number:02}.000Z")
        pipeline.table.create(made)
    listed = [entry["orderId"] for entry in reads.customer_orders("c-1")]
    newest = [f"o-{number:02}" for number in reversed(range(5, LIST_LENGTH + 5))]
    assert listed == newest
    ids, ttl = cached(pipeline, Cached.CUSTOMER_ORDERS, "c-1")
    assert ids == newest
    assert 0 < ttl <= LIST_TTL_MS
    assert LIST_TTL_MS / 1000 < DEFAULT_PATIENCE_SECONDS, "a list that lagged must settle"
    assert reads.customer_orders("c-none") == []


def test_an_old_list_shows_no_order_in_an_old_state(pipeline: SmallPipeline, reads: Reads) -> None:
    """As after an index that lagged: the list is old, the orders in it are not."""
    stays, moves, goes = order("o-1"), order("o-2"), order("o-3")
    for made in (stays, moves, goes):
        pipeline.table.create(made)
    assert len(reads.customer_orders("c-1")) == 3
    edited = orders.edit(stays, random.Random(1)) | {"customerId": "c-1", "status": "VALIDATED"}
    moved = {**order("o-2", 2), "customerId": "c-2"}
    pipeline.table.replace(stays, edited)
    pipeline.table.replace(moves, moved)
    pipeline.table.replace(goes, None)
    old_list, _ = cached(pipeline, Cached.CUSTOMER_ORDERS, "c-1")
    pipeline.settle()
    with Redis.from_url(pipeline.deployment.cache_url) as cache:
        name = entry_name(Cached.CUSTOMER_ORDERS, "c-1")
        cache.set(value_key(name), orjson.dumps(old_list))
    assert reads.customer_orders("c-1") == [edited]
    assert reads.customer_orders("c-2") == [moved]
