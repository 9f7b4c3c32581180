"""Stale entries out of the cache: one UNLINK per batch, with redis-py.

Choices: the keys of a batch in a set, so that none is sent twice; one command with all of them,
which is faster than a pipeline of many.
"""

from typing import Any

import redis
from aws_lambda_powertools.utilities.data_classes.kinesis_stream_event import KinesisStreamRecord

from bench.baseline.batches import Response, from_kinesis, images, setting

cache = redis.Redis.from_url(setting("FANOUT_CACHE_URL"))
batches = from_kinesis("cache")


def handler(event: dict[str, Any], _: Any) -> Response:
    """Invalidate what a batch makes stale."""
    entries = batches.read(event, names)
    unlink({name for each in entries for name in each})
    return batches.respond(event, len(entries))


def unlink(entries: set[str]) -> None:
    """Remove value and lease of each entry."""
    keys = [key for name in entries for key in (f"{{{name}}}", f"{{{name}}}:lease")]
    if keys:
        cache.unlink(*keys)


def names(record: KinesisStreamRecord) -> list[str] | None:
    """The entries that one record makes stale."""
    change = record.kinesis.data_as_json()["dynamodb"]
    kind, _, identity = change["Keys"]["PK"]["S"].partition("#")
    if kind == "SCORE":
        return [f"score:{identity}"]
    if kind == "TOTAL":
        return [f"total:{identity}"]
    if kind != "ORDER":
        return None
    customers = {item["customerId"] for item in images(change) if item and "customerId" in item}
    return [f"order:{identity}", *(f"customer-orders:{each}" for each in customers)]
