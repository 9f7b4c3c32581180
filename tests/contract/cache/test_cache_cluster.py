"""The same sink and reader on a cluster, where each entry's keys must share a slot."""

from collections.abc import Iterator
from contextlib import closing

import pytest
from redis import Redis, RedisCluster

from consumers.cache.cluster import Cluster
from consumers.cache.sink import CacheSink, open_sink
from infra.local.servers.server import Server
from shared.cache import CacheReader, CacheStats
from shared.cache_client import connect
from shared.cache_keys import lease_key, value_key
from shared.cache_leases import Lease, Leases
from shared.clock import Deadline
from shared.errors import Unavailable
from shared.settings import Settings

LONG = 60.0
ENTRIES = [f"order:o-{number}" for number in range(600)]


@pytest.fixture
def cluster(cluster_server: Server) -> Iterator[RedisCluster]:
    with closing(connect(cluster_server.url, cluster=True, seconds=LONG)) as client:
        assert isinstance(client, RedisCluster)
        client.flushall()
        yield client


@pytest.fixture
def sink(cluster: RedisCluster, cluster_server: Server) -> Iterator[CacheSink]:
    settings = Settings(cache_url=cluster_server.url, cache_cluster=True)
    with closing(open_sink(settings)) as sink:
        yield sink


def test_the_servers_slots_are_the_same_for_value_and_lease(cluster: RedisCluster) -> None:
    for entry in [*ENTRIES, "order:{", "order:}", "order:{}", "order:a}b{c", "order:ø"]:
        slots = {cluster.cluster_keyslot(key) for key in (value_key(entry), lease_key(entry))}
        assert len(slots) == 1, entry


def test_entries_of_all_slots_are_removed(cluster: RedisCluster, sink: CacheSink) -> None:
    for entry in ENTRIES:
        cluster.set(value_key(entry), b"x")
        cluster.set(lease_key(entry), b"x")
    cluster.set(value_key("order:kept"), b"x")
    assert sink.write([(entry,) for entry in ENTRIES], Deadline(LONG)).unavailable == {}
    assert cluster.keys() == [value_key("order:kept").encode()]
    sink.probe(Deadline(LONG))


def test_the_reader_and_its_leases_work_in_a_cluster(
    cluster: RedisCluster, sink: CacheSink
) -> None:
    reader: CacheReader[int] = CacheReader(cluster)

    def load_slowly() -> int:
        sink.write([("total:u-1",)], Deadline(LONG))
        return 1

    assert reader.get("total:u-1", load_slowly) == 1
    assert reader.get("total:u-1", lambda: 2) == 2
    assert reader.get("total:u-1", lambda: 3) == 2
    assert reader.stats == CacheStats(hits=1, filled=1, refused=1)
    cluster.script_flush()
    assert reader.get("total:u-2", lambda: 4) == 4
    leases = Leases(cluster, 60_000)
    lease = leases.take("total:u-3")
    assert isinstance(lease, Lease)
    leases.release(lease)
    assert not cluster.exists(lease_key("total:u-3"))


def test_a_slot_that_nobody_serves_stops_at_its_entry(
    cluster: RedisCluster, cluster_server: Server, sink: CacheSink
) -> None:
    lost = ENTRIES[400]
    slot = cluster.cluster_keyslot(value_key(lost))
    with Redis(port=cluster_server.port) as node:
        node.config_set("cluster-require-full-coverage", "no")
        node.execute_command("CLUSTER", "DELSLOTS", slot)
        try:
            result = sink.write([(entry,) for entry in ENTRIES], Deadline(LONG))
        finally:
            node.execute_command("CLUSTER", "ADDSLOTS", slot)
            node.config_set("cluster-require-full-coverage", "yes")
    ((index, error),) = result.unavailable.items()
    assert isinstance(error, Unavailable)
    assert error.hint
    assert index == 250, "the first of its chunk"
    assert sink.write([(entry,) for entry in ENTRIES], Deadline(LONG)).unavailable == {}


def test_a_cluster_that_is_gone_is_unavailable(own_server: Server) -> None:
    url = own_server.url
    own_server.stop()
    with closing(CacheSink(Cluster(url, 1.0))) as sink:
        result = sink.write([("order:a",)], Deadline(LONG))
        assert isinstance(result.unavailable[0], Unavailable)
        with pytest.raises(Unavailable, match="cluster failed"):
            sink.probe(Deadline(LONG))


def test_a_cluster_taken_for_a_single_server_says_what_to_set(cluster_server: Server) -> None:
    with closing(open_sink(Settings(cache_url=cluster_server.url))) as sink:
        result = sink.write([("order:a",), ("order:b",)], Deadline(LONG))
    error = result.unavailable[0]
    assert "CROSSSLOT" in error.reason
    assert "FANOUT_CACHE_CLUSTER=1" in error.hint
