"""The application's reader on a real server: hits, fills, waiters, times to live, outages."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from types import SimpleNamespace
from typing import Any

import pytest
from redis import Redis

from consumers.cache.sink import CacheSink
from infra.local.servers.server import Server
from shared.cache import CacheReader, CacheStats
from shared.cache_client import connect
from shared.cache_keys import lease_key, value_key
from shared.cache_leases import Held, Hit, Lease, Leases
from shared.clock import Deadline
from tests.support.servers import eventually

ENTRY = "order:o-1"
MINUTE_MS = 60_000
LONG = 60.0


def never() -> Any:
    raise AssertionError("loaded what was cached")


def invalidate(sink: CacheSink, entry: str = ENTRY) -> None:
    assert sink.write([(entry,)], Deadline(LONG)).unavailable == {}


@pytest.fixture
def reader(cache: Redis) -> CacheReader[Any]:
    return CacheReader(cache, ttl_ms=MINUTE_MS, absent_ttl_ms=MINUTE_MS // 2)


def test_a_miss_is_loaded_once_and_then_cached(cache: Redis, reader: CacheReader[Any]) -> None:
    assert reader.get(ENTRY, lambda: {"total": 7}) == {"total": 7}
    assert reader.get(ENTRY, never) == {"total": 7}
    assert reader.stats == CacheStats(hits=1, filled=1)
    assert cache.keys() == [value_key(ENTRY).encode()], "the lease is gone"
    assert 0 < cache.pttl(value_key(ENTRY)) <= MINUTE_MS


def test_an_invalidated_entry_is_loaded_again(reader: CacheReader[Any], sink: CacheSink) -> None:
    reader.get(ENTRY, lambda: 1)
    invalidate(sink)
    assert reader.get(ENTRY, lambda: 2) == 2
    assert reader.get(ENTRY, never) == 2


def test_absence_is_cached_for_a_shorter_time(cache: Redis, reader: CacheReader[Any]) -> None:
    assert reader.get(ENTRY, lambda: None) is None
    assert reader.get(ENTRY, never) is None
    assert 0 < cache.pttl(value_key(ENTRY)) <= MINUTE_MS // 2


def test_a_call_may_shorten_the_time_to_live(cache: Redis, reader: CacheReader[Any]) -> None:
    reader.get(ENTRY, list, ttl_ms=5_000)
    assert 0 < cache.pttl(value_key(ENTRY)) <= 5_000


def test_a_value_ends_with_its_time_to_live(reader: CacheReader[Any]) -> None:
    reader.get(ENTRY, lambda: 1, ttl_ms=20)
    eventually(lambda: reader.get(ENTRY, lambda: 2) == 2, "the first value expires")


def test_a_serializer_of_ones_own(cache: Redis) -> None:
    reader: CacheReader[str] = CacheReader(cache, dumps=str.encode, loads=bytes.decode)
    assert reader.get(ENTRY, lambda: "ø") == "ø"
    assert cache.get(value_key(ENTRY)) == "ø".encode()
    assert reader.get(ENTRY, never) == "ø"
    with pytest.raises(ValueError, match="absent"):
        reader.get("order:empty", lambda: "")
    assert not cache.exists(lease_key("order:empty"))


@pytest.mark.parametrize("slow", ["while it loads", "before it loads"])
def test_an_invalidation_beats_a_slow_reader(
    slow: str, reader: CacheReader[Any], sink: CacheSink
) -> None:
    table = {"value": "old"}

    def load() -> str:
        loaded = table["value"]
        table["value"] = "new"
        invalidate(sink)
        return loaded if slow == "while it loads" else table["value"]

    reader.get(ENTRY, load)
    assert reader.stats == CacheStats(refused=1)
    assert reader.get(ENTRY, lambda: table["value"]) == "new"


def test_of_many_readers_one_loads_and_the_others_wait(cache: Redis) -> None:
    reader: CacheReader[str] = CacheReader(cache, wait_seconds=LONG)
    loading, go, loads = threading.Event(), threading.Event(), []

    def load() -> str:
        loads.append(1)
        loading.set()
        assert go.wait(LONG)
        return "value"

    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(reader.get, ENTRY, load)
        assert loading.wait(LONG)
        others = [pool.submit(reader.get, ENTRY, load) for _ in range(7)]
        calls = cache.info("commandstats")["cmdstat_evalsha"]["calls"]
        eventually(
            lambda: cache.info("commandstats")["cmdstat_evalsha"]["calls"] > calls + 20,
            "the others ask again and again",
        )
        assert not any(other.done() for other in others)
        go.set()
        assert [future.result(LONG) for future in (first, *others)] == ["value"] * 8
    assert loads == [1]
    assert reader.stats == CacheStats(hits=7, filled=1)


def test_who_waits_in_vain_loads_without_filling(cache: Redis) -> None:
    Leases(cache, MINUTE_MS).take(ENTRY)
    reader: CacheReader[int] = CacheReader(cache, wait_seconds=0.05)
    assert reader.get(ENTRY, lambda: 1) == 1
    assert reader.stats == CacheStats(unfilled=1)
    assert not cache.exists(value_key(ENTRY))


def test_a_lease_ends_when_its_reader_dies(cache: Redis) -> None:
    Leases(cache, 20).take(ENTRY)
    reader: CacheReader[int] = CacheReader(cache, wait_seconds=LONG)
    assert reader.get(ENTRY, lambda: 1) == 1
    assert reader.stats == CacheStats(filled=1)


def test_a_lease_that_has_ended_fills_nothing(cache: Redis) -> None:
    leases = Leases(cache, 20)
    lease = leases.take(ENTRY)
    assert isinstance(lease, Lease)
    eventually(lambda: not cache.exists(lease_key(ENTRY)), "the lease ends")
    assert not leases.fill(lease, b"late", MINUTE_MS)
    assert not cache.exists(value_key(ENTRY))


def test_only_its_owner_ends_a_lease(cache: Redis) -> None:
    leases = Leases(cache, MINUTE_MS)
    lease = leases.take(ENTRY)
    assert isinstance(lease, Lease)
    stranger = Lease(ENTRY, b"another token")
    leases.release(stranger)
    assert not leases.fill(stranger, b"x", MINUTE_MS)
    assert leases.take(ENTRY) == Held()
    assert leases.fill(lease, b"v", MINUTE_MS)
    assert leases.take(ENTRY) == Hit(b"v")


def test_a_load_that_fails_frees_the_entry(cache: Redis, reader: CacheReader[Any]) -> None:
    with pytest.raises(AssertionError, match="loaded"):
        reader.get(ENTRY, never)
    assert cache.dbsize() == 0
    with pytest.raises(TypeError):
        reader.get(ENTRY, object)
    assert cache.dbsize() == 0
    assert reader.get(ENTRY, lambda: 1) == 1


@pytest.mark.parametrize("content", [b"not json", b"\xff"])
def test_what_is_no_value_of_ours_is_passed_by(
    content: bytes, cache: Redis, reader: CacheReader[Any]
) -> None:
    cache.set(value_key(ENTRY), content)
    assert reader.get(ENTRY, lambda: 1) == 1
    assert reader.stats == CacheStats(bypassed=1)


def test_a_key_of_another_type_is_a_cache_that_fails(cache: Redis) -> None:
    cache.rpush(value_key(ENTRY), b"x")
    reader: CacheReader[int] = CacheReader(cache, rest_seconds=0)
    assert reader.get(ENTRY, lambda: 1) == 1
    assert reader.stats == CacheStats(bypassed=1)


def test_a_server_that_forgot_the_scripts_is_told_them_again(
    cache: Redis, reader: CacheReader[Any]
) -> None:
    reader.get(ENTRY, lambda: 1)
    cache.script_flush()
    assert reader.get(ENTRY, never) == 1
    cache.flushall()
    cache.script_flush()
    assert reader.get(ENTRY, lambda: 2) == 2
    assert reader.stats == CacheStats(hits=1, filled=2)


@pytest.fixture
def own_cache(own_server: Server) -> Iterator[Redis]:
    with closing(connect(own_server.url, cluster=False, seconds=1.0)) as client:
        assert isinstance(client, Redis)
        yield client


def test_without_the_cache_the_source_is_read(own_server: Server, own_cache: Redis) -> None:
    reader: CacheReader[int] = CacheReader(own_cache, rest_seconds=0)
    assert reader.get(ENTRY, lambda: 1) == 1
    own_server.stop()
    assert [reader.get(ENTRY, lambda: 2) for _ in range(3)] == [2] * 3
    own_server.start()
    assert reader.get(ENTRY, lambda: 3) == 3
    assert reader.get(ENTRY, never) == 3
    assert reader.stats == CacheStats(hits=1, filled=2, bypassed=3)


def test_a_cache_that_goes_while_a_reader_loads(own_server: Server, own_cache: Redis) -> None:
    reader: CacheReader[int] = CacheReader(own_cache, rest_seconds=0)

    def load() -> int:
        own_server.stop()
        return 1

    assert reader.get(ENTRY, load) == 1

    def fail() -> int:
        own_server.stop()
        raise LookupError("the source's own error")

    own_server.start()
    with pytest.raises(LookupError, match="own error"):
        reader.get(ENTRY, fail)
    assert reader.stats == CacheStats(bypassed=1)


def test_a_cache_that_failed_is_left_alone_for_a_while(
    own_server: Server, own_cache: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    clock = SimpleNamespace(monotonic=lambda: now[0], sleep=time.sleep)
    monkeypatch.setattr("shared.cache.time", clock)
    reader: CacheReader[int] = CacheReader(own_cache, rest_seconds=1.0)
    own_server.stop()
    assert reader.get(ENTRY, lambda: 2) == 2
    own_server.start()
    own_cache.set(value_key(ENTRY), b"1")
    assert reader.get(ENTRY, lambda: 2) == 2, "not asked, or it would have known better"
    assert reader.stats == CacheStats(bypassed=2)
    now[0] += 1.0
    assert reader.get(ENTRY, never) == 1
