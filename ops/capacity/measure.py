"""Measure what a record costs each consumer here, and write it down.

`python -m ops.capacity.measure`: every handler over batches of 10 and 1,000 records of about
2 kB with both images, against the embedded servers; CPU time of this process, the least of several:
what else the machine does only ever adds.
"""

import base64
import gc
import importlib
import io
import json
import os
import platform
import random
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from consumers.registry import REGISTRY
from infra.local.resources import create_resources
from infra.local.servers import LocalServers
from ops.capacity.measured import FILE
from ops.traffic.orders import new_order
from ops.traffic.scores import new_score
from shared.archive_format import PREFIX
from shared.clients import aws_client, forget_clients
from shared.encoding import encode_image
from shared.spec import ConsumerSpec, Source

_SMALL, _LARGE, _ROUNDS = 10, 1_000, 7


def measure() -> dict[str, Any]:
    """Run everything; return what measured.json holds."""
    with LocalServers() as servers:
        endpoints = servers.endpoints
        os.environ.update(endpoints.environment())
        forget_clients()
        deployment = create_resources(
            REGISTRY,
            region=endpoints.region or "",
            aws_url=endpoints.aws_url or "",
            cache_url=endpoints.cache_url,
            search_url=endpoints.search_url,
        )
        made = {}
        for spec in REGISTRY:
            os.environ.update(deployment.environment(spec.name))
            made[spec.name] = _consumer(spec, deployment.bucket)
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": f"{platform.machine()}, Python {platform.python_version()}",
        "consumers": made,
    }


def _consumer(spec: ConsumerSpec, bucket: str) -> dict[str, float]:
    handler = importlib.import_module(f"consumers.{spec.name}.handler").handler
    _run(handler, _event(spec, 1, 0))  # connects
    rounds = [
        (_run(handler, _event(spec, _SMALL, n)), _run(handler, _event(spec, _LARGE, n + 1)))
        for n in range(1, 2 * _ROUNDS, 2)
    ]
    small, large = (min(pair[side][0] for pair in rounds) for side in (0, 1))
    printed, more = (min(pair[side][1] for pair in rounds) for side in (0, 1))
    span = _LARGE - _SMALL
    record, line = max(0.0, (large - small) / span), max(0.0, (more - printed) / span)
    return {
        "batch_ms": round(max(0.0, small - _SMALL * record), 3),
        "record_ms": round(record, 5),
        "log_bytes_batch": round(max(0.0, printed - _SMALL * line)),
        "log_bytes_record": round(line, 1),
        "stored_bytes": round(_stored(bucket)) if spec.name == "audit" else 0,
    }


def _run(handler: Any, event: dict[str, Any]) -> tuple[float, int]:
    """CPU milliseconds and bytes printed."""
    printed = io.BytesIO()
    told = io.TextIOWrapper(printed)
    kept, sys.stdout = sys.stdout, told
    # As in a function: between batches (`shared.garbage`).
    gc.collect()
    gc.disable()
    try:
        started = time.process_time()
        answer = handler(event, None)
        spent = (time.process_time() - started) * 1000
        told.flush()
    finally:
        gc.enable()
        sys.stdout = kept
    assert answer == {"batchItemFailures": []}, answer
    return spent, len(printed.getvalue())


def _stored(bucket: str) -> float:
    pages = aws_client("s3").get_paginator("list_objects_v2")
    listed = [
        entry["Size"]
        for page in pages.paginate(Bucket=bucket, Prefix=f"{PREFIX}/")
        for entry in page.get("Contents", ())
    ]
    total: int = sum(listed)
    return total / (1 + _ROUNDS * (_SMALL + _LARGE))


def _event(spec: ConsumerSpec, count: int, seed: int) -> dict[str, Any]:
    rng = random.Random(f"{spec.name}/{seed}")
    now = datetime.now(UTC)
    changes: list[tuple[Any, dict[str, Any]]] = []
    for number in range(count):
        name = f"{seed}-{number}"
        if spec.name == "totals":
            score = new_score(rng, f"s-{name}", now)
            changes.append((None, {**score, "SK": f"USER#u-{seed}-{number // 10}"}))
        else:
            old = new_order(rng, f"o-{name}", now)
            changes.append((old, {**old, "status": "VALIDATED", "metadata": _next(old)}))
    return {"Records": _records(spec, changes, seed)}


def _next(order: dict[str, Any]) -> dict[str, Any]:
    return {**order["metadata"], "version": int(order["metadata"]["version"]) + 1}


def _records(
    spec: ConsumerSpec, changes: Sequence[tuple[Any, dict[str, Any]]], seed: int
) -> list[dict[str, Any]]:
    records = []
    for number, (old, new) in enumerate(changes):
        change: dict[str, Any] = {
            "ApproximateCreationDateTime": time.time(),
            "Keys": encode_image({"PK": new["PK"], "SK": new["SK"]}),
            "NewImage": encode_image(new),
        }
        if old is not None:
            change["OldImage"] = encode_image(old)
        sequence = str(10**25 + seed * 10**6 + number)
        record = {
            "eventID": f"{seed:08x}{number:024x}",
            "eventName": "MODIFY" if old else "INSERT",
            "eventSource": "aws:dynamodb",
            "dynamodb": {**change, "SequenceNumber": sequence},
        }
        if spec.source is not Source.STREAM:
            micros = int(change["ApproximateCreationDateTime"] * 1e6)
            record["dynamodb"] = {**change, "ApproximateCreationDateTime": micros}
            data = base64.b64encode(json.dumps(record).encode()).decode()
            record = {
                "eventSource": "aws:kinesis",
                "eventID": f"shardId-000000000000:{sequence}",
                "kinesis": {"sequenceNumber": sequence, "data": data, "partitionKey": "p"},
            }
        records.append(record)
    return records


def main() -> None:
    """Measure and write the file."""
    FILE.write_text(json.dumps(measure(), indent=2) + "\n", encoding="utf-8")
    sys.stdout.write(FILE.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
