"""The sink over TLS. The embedded server speaks none, so it stands behind a relay that does."""

import select
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from redis import Redis

from consumers.cache.sink import open_sink
from infra.local.servers.server import Server
from shared.cache_keys import value_key
from shared.clock import Deadline
from shared.errors import Unavailable
from shared.settings import Settings

FOLDER = Path(__file__).parents[2] / "data" / "tls"
CERTIFICATE = FOLDER / "certificate.pem"
LONG = 60.0


@pytest.fixture
def relay(cache_server: Server) -> Iterator[str]:
    """The URL of a relay that takes one TLS connection to the cache server."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE, FOLDER / "key.pem")
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(LONG)

    def carry() -> None:
        plain, _ = listener.accept()
        with plain, socket.create_connection(("127.0.0.1", cache_server.port)) as server:
            try:
                client = context.wrap_socket(plain, server_side=True)
            except (OSError, ssl.SSLError):
                return  # the client did not trust us
            with client:
                while True:
                    ready, _, _ = select.select([client, server], [], [], LONG)
                    if client in ready:
                        asked = client.recv(1 << 16)
                        if not asked:
                            return
                        server.sendall(asked)
                    if server in ready:
                        client.sendall(server.recv(1 << 16))

    thread = threading.Thread(target=carry, daemon=True)
    thread.start()
    yield f"rediss://127.0.0.1:{listener.getsockname()[1]}"
    thread.join(LONG)
    listener.close()
    assert not thread.is_alive()


def test_entries_are_removed_over_tls(
    relay: str, cache: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    cache.set(value_key("order:a"), b"x")
    with closing(open_sink(Settings(cache_url=relay))) as sink:
        sink.probe(Deadline(LONG))
        assert sink.write([("order:a",)], Deadline(LONG)).unavailable == {}
    assert cache.dbsize() == 0


def test_a_server_that_cannot_prove_itself_is_not_talked_to(relay: str) -> None:
    with (
        closing(open_sink(Settings(cache_url=relay))) as sink,
        pytest.raises(Unavailable, match="SSLCertVerificationError"),
    ):
        sink.probe(Deadline(LONG))
