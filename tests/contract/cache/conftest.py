"""A real cache server for these tests, and a cluster of one."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from redis import Redis

from consumers.cache.connection import Endpoint
from consumers.cache.single import SingleServer
from consumers.cache.sink import CacheSink
from infra.local.servers.server import Program, Server
from shared.cache_client import connect
from tests.support import engines
from tests.support.engines import CACHES
from tests.support.servers import eventually

# Seconds; a busy machine is no fault of the cache.
PATIENCE = 20.0


@pytest.fixture(scope="session", params=CACHES)
def cache_program(request: pytest.FixtureRequest) -> Program:
    """Valkey, the embedded one, and then Redis."""
    return engines.cache_program(request.param)


@pytest.fixture(scope="session")
def cache_server(
    cache_program: Program, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("cache")
    server = Server(cache_program, folder / "data", folder / "logs")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def own_server(cache_program: Program, tmp_path: Path) -> Iterator[Server]:
    """A server of the test's own, to be stopped and started."""
    server = Server(cache_program, tmp_path / "data", tmp_path / "logs")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def cache(cache_server: Server) -> Iterator[Redis]:
    """A client of the session's server, which is emptied first."""
    client = connect(cache_server.url, cluster=False, seconds=PATIENCE)
    assert isinstance(client, Redis)
    client.flushall()
    yield client
    client.close()


@pytest.fixture
def sink(cache: Redis, cache_server: Server) -> Iterator[CacheSink]:
    with closing(CacheSink(SingleServer(Endpoint.parse(cache_server.url)))) as sink:
        yield sink


@pytest.fixture(scope="session")
def cluster_server(
    cache_program: Program, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A cluster of one server, which has all slots."""

    def command(port: int, folder: Path) -> Sequence[str]:
        return [*cache_program.command(port, folder), "--cluster-enabled", "yes"]

    folder = tmp_path_factory.mktemp("cluster")
    server = Server(replace(cache_program, command=command), folder / "data", folder / "logs")
    server.start()
    client = Redis(port=server.port)
    client.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
    eventually(
        lambda: b"cluster_state:ok" in client.execute_command("CLUSTER", "INFO"), "cluster is up"
    )
    yield server
    client.close()
    server.stop()
