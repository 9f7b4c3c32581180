"""Any cut, repetition or allowed reordering of a history gives the same final state.

The real handlers on the embedded servers. The model is the history's own table: plain dicts.
What is allowed depends on the source: a stream repeats and is cut anew, but keeps each item's
order within a shard; Kinesis keeps nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis import Redis

from consumers.totals import state
from infra.local.servers import LocalServers
from shared.archive import Archive, ItemChain, image_digest
from shared.cache_keys import Cached, entry_name, value_key
from shared.cache_leases import Hit, Lease, Leases
from tests.support import search
from tests.support.histories import (
    STEPS,
    Batches,
    History,
    as_a_stream,
    histories,
    in_any_order,
    new_history,
    write,
)
from tests.support.records import raw_image
from tests.support.servers import client
from tests.support.small_pipeline import SmallPipeline, small_pipeline

MINUTE_MS = 60_000
DONE: dict[str, list[Any]] = {"batchItemFailures": []}
few = settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def pipeline(
    servers: LocalServers, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SmallPipeline]:
    with small_pipeline(servers, tmp_path_factory.mktemp("order") / "state") as made:
        yield made


def deliver(pipeline: SmallPipeline, name: str, batches: Batches) -> None:
    place = 0
    for batch in batches:
        if name in {"audit", "totals"}:
            records = [change.from_stream() for change in batch]
        else:
            # In Kinesis a repeat is a record of its own, with a later number.
            records = [change.from_kinesis(place := place + 1) for change in batch]
        assert pipeline.invoke_with(name, {"Records": records}) == DONE


@few
@given(history=histories(), data=st.data())
def test_totals(
    servers: LocalServers, pipeline: SmallPipeline, history: History, data: st.DataObject
) -> None:
    ways = st.one_of(as_a_stream(history.changes), in_any_order(history.changes))
    deliver(pipeline, "totals", data.draw(ways))
    dynamodb = client(servers.endpoints, "dynamodb")
    user = f"{history.name}-u1"
    found = state.total_of(dynamodb, pipeline.deployment.table, user)
    stored = (Decimal(0), 0) if found is None else (found.total, found.scores)
    assert stored == history.sums().get(user, (Decimal(0), 0))


@few
@given(history=histories(), data=st.data())
def test_search(
    servers: LocalServers, pipeline: SmallPipeline, history: History, data: st.DataObject
) -> None:
    deliver(pipeline, "search", data.draw(in_any_order(history.changes)))
    for key, version in history.versions.items():
        name = key.removeprefix("ORDER#")
        if name == key:
            continue
        found = search.ask_server(servers.endpoints.search_url, "GET", f"/orders-write/_doc/{name}")
        document, item = found["_source"], history.table.get(key)
        assert found["_version"] == version
        assert document.get("deleted", False) is (item is None)
        if item is not None:
            assert (document["status"], document["customerId"]) == (
                item["status"],
                item["customerId"],
            )


@few
@given(history=histories(), data=st.data())
def test_audit(pipeline: SmallPipeline, history: History, data: st.DataObject) -> None:
    deliver(pipeline, "audit", data.draw(as_a_stream(history.changes)))
    lives: dict[str, list[str]] = {}
    for change in history.changes:
        record = change.from_stream()
        lives.setdefault(change.key, []).append(record["eventID"])
    keys = {
        (change.key, (change.new or change.old or {})["SK"]): change.key
        for change in history.changes
    }
    found = {}
    for chain in Archive(pipeline.deployment.bucket).check(only=keys.keys()):
        assert isinstance(chain, ItemChain)
        assert not chain.gaps
        found[chain.item_key[0]] = [link.event_id for link in chain.links]
        item = history.table.get(chain.item_key[0])
        last = None if item is None else image_digest(raw_image(item))
        assert chain.last_image == last
    assert found == lives


class Readers:
    """The application's readers, some of them slow; they load from the history's table."""

    def __init__(self, cache: Redis, history: History) -> None:
        self.cache, self.history = cache, history
        self._leases = Leases(cache, MINUTE_MS)
        self._slow: list[tuple[Lease, bytes]] = []
        names = [f"{history.name}-{which}" for which in (1, 2)]
        owners = [f"{history.name}-c{which}" for which in (1, 2)]
        self.entries = {
            **{entry_name(Cached.ORDER, name): f"ORDER#{name}" for name in names},
            **{entry_name(Cached.SCORE, name): f"SCORE#{name}" for name in names},
            **{entry_name(Cached.CUSTOMER_ORDERS, owner): owner for owner in owners},
        }

    def fresh(self, entry: str) -> bytes:
        what = self.entries[entry]
        if entry.startswith(Cached.CUSTOMER_ORDERS):
            return json.dumps(self.history.orders_of(what)).encode()
        there = what in self.history.table
        return f"{self.history.versions.get(what, 0)} {there}".encode()

    def read(self, entry: str, slow: bool) -> None:
        found = self._leases.take(entry)
        if isinstance(found, Lease):
            self._slow.append((found, self.fresh(entry)))
            if not slow:
                self.fill(len(self._slow) - 1)

    def fill(self, which: int) -> None:
        """A reader, however slow, puts what it loaded into the cache."""
        if self._slow:
            lease, value = self._slow.pop(which % len(self._slow))
            self._leases.fill(lease, value, MINUTE_MS)

    def stale(self) -> dict[str, bytes]:
        while self._slow:
            self.fill(0)
        held = {entry: self.cache.get(value_key(entry)) for entry in self.entries}
        return {
            entry: value
            for entry, value in held.items()
            if isinstance(value, bytes) and value != self.fresh(entry)
        }

    def work(self, data: st.DataObject) -> None:
        """A few reads, fast and slow, and late fills."""
        for entry, slow in data.draw(
            st.lists(st.tuples(st.sampled_from(sorted(self.entries)), st.booleans()), max_size=3)
        ):
            self.read(entry, slow)
        if data.draw(st.booleans()):
            self.fill(data.draw(st.integers(0, 5)))


@few
@given(steps=STEPS, data=st.data())
def test_cache(
    servers: LocalServers, pipeline: SmallPipeline, steps: list[Any], data: st.DataObject
) -> None:
    history = new_history()
    with Redis.from_url(servers.endpoints.cache_url) as cache:
        readers = Readers(cache, history)
        half = data.draw(st.integers(0, len(steps)))
        for step in steps[:half]:
            write(history, step)
            readers.work(data)
        early = data.draw(in_any_order(history.changes))
        for batch in early[: data.draw(st.integers(0, len(early)))]:
            deliver(pipeline, "cache", [batch])
            readers.work(data)
        for step in steps[half:]:
            write(history, step)
            readers.work(data)
        for batch in data.draw(in_any_order(history.changes)):
            deliver(pipeline, "cache", [batch])
            readers.work(data)
        assert readers.stale() == {}
        # And it is not empty for nothing: who reads now is served from then on.
        for entry in readers.entries:
            readers.read(entry, slow=False)
            assert readers._leases.take(entry) == Hit(readers.fresh(entry))
