"""The whole cache consumer, as Lambda calls it, on a real server."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from typing import Any

import pytest
from redis import Redis

from consumers.cache import SPEC
from consumers.cache.projection import project
from consumers.cache.sink import open_sink
from infra.local.servers.server import Server
from shared.cache_keys import lease_key, value_key
from shared.entry import lambda_entry
from shared.settings import variable_of
from tests.support.records import event, heartbeat, kinesis_record, order, score

Handler = Callable[[Any, Any], dict[str, Any]]


@pytest.fixture
def handler(own_server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Handler]:
    """A handler as in a fresh process; its queue is never needed here."""
    for name, value in {
        "cache_url": own_server.url,
        "dlq_url": "http://127.0.0.1:1/queue",
        "archive_bucket": "none",
    }.items():
        monkeypatch.setenv(variable_of(name), value)
    with ExitStack() as opened:
        yield lambda_entry(
            SPEC, project, lambda settings: opened.enter_context(closing(open_sink(settings)))
        )


@pytest.fixture
def cache(own_server: Server) -> Iterator[Redis]:
    with Redis(port=own_server.port) as client:
        yield client


def test_the_deployed_handler_is_this_one() -> None:
    from consumers.cache.handler import handler

    assert callable(handler)


def test_a_batch_clears_what_it_changed(handler: Handler, cache: Redis) -> None:
    kept = ["order:other", "customer-orders:other", "score:other", "total:u-1"]
    cleared = ["order:o-1", "customer-orders:c-1", "customer-orders:c-2", "score:s-1"]
    for entry in kept + cleared:
        cache.mset({value_key(entry): b"x", lease_key(entry): b"x"})
    batch = event(
        kinesis_record(order(), order(customerId="c-2", version=2), sequence=1),
        kinesis_record(None, heartbeat(), sequence=2),
        kinesis_record(score(), None, sequence=3),
        kinesis_record(None, {"PK": "COUPON#1", "SK": "COUPON"}, sequence=4),
    )
    assert handler(batch, None) == {"batchItemFailures": []}
    assert sorted(cache.keys()) == sorted(
        key(entry).encode() for entry in kept for key in (value_key, lease_key)
    )


def test_while_the_cache_is_gone_the_first_change_is_reported(
    handler: Handler, own_server: Server, cache: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    changes = [
        kinesis_record(None, {"PK": "COUPON#1", "SK": "COUPON"}, sequence=1),
        kinesis_record(None, order(), sequence=2),
        kinesis_record(None, score(), sequence=3),
    ]
    own_server.stop()
    failed = handler(event(*changes), None)
    assert failed == {
        "batchItemFailures": [{"itemIdentifier": changes[1]["kinesis"]["sequenceNumber"]}]
    }
    beat = event(kinesis_record(None, heartbeat(), sequence=4))
    assert len(handler(beat, None)["batchItemFailures"]) == 1, "heartbeats prove a live cache"
    hints = [line.__dict__.get("hint", "") for line in caplog.records]
    assert any("retried until it answers" in hint for hint in hints)
    own_server.start()
    cache.set(value_key("order:o-1"), b"x")
    assert handler(event(*changes), None) == {"batchItemFailures": []}
    assert handler(beat, None) == {"batchItemFailures": []}
    assert cache.dbsize() == 0
