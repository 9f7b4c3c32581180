"""For show: a call to the destination for each record, as first versions are often written.

The same reading as the batched baselines, and the same result; only the writing differs.
"""

import gzip
from typing import Any

from bench.baseline.batches import Response


def audit(event: dict[str, Any], context: Any) -> Response:  # noqa: ARG001
    """An object per record."""
    from bench.baseline import audit as batched

    def archive(record: Any) -> bool:
        key = f"audit/{record.raw_event['eventID']}.ndjson.gz"
        body = gzip.compress(batched.line(record).encode())
        batched.s3.put_object(Bucket=batched.bucket, Key=key, Body=body)
        return True

    return batched.batches.respond(event, len(batched.batches.read(event, archive)))


def metrics(event: dict[str, Any], context: Any) -> Response:  # noqa: ARG001
    """Documents per record."""
    from bench.baseline import metrics as batched

    def count(record: Any) -> bool:
        batched.publish(batched.samples(record) or [])
        return True

    return batched.batches.respond(event, len(batched.batches.read(event, count)))


def cache(event: dict[str, Any], context: Any) -> Response:  # noqa: ARG001
    """An UNLINK per record."""
    from bench.baseline import cache as batched

    def invalidate(record: Any) -> bool:
        batched.unlink(set(batched.names(record) or ()))
        return True

    return batched.batches.respond(event, len(batched.batches.read(event, invalidate)))


def search(event: dict[str, Any], context: Any) -> Response:  # noqa: ARG001
    """A bulk request per record."""
    from bench.baseline import search as batched

    def index(record: Any) -> bool:
        action = batched.action(record)
        batched.index([action] if action else [])
        return True

    return batched.batches.respond(event, len(batched.batches.read(event, index)))


def totals(event: dict[str, Any], context: Any) -> Response:  # noqa: ARG001
    """A transaction per score."""
    from bench.baseline import totals as batched

    def post(record: Any) -> bool:
        score = batched.score(record)
        if score is not None:
            batched.post([score])
        return True

    return batched.batches.respond(event, len(batched.batches.read(event, post)))
