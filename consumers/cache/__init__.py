"""The consumer that keeps stale entries out of the application's cache."""

import json

from shared.alarms import FreshnessObjective
from shared.entities import CUSTOMER_INDEX, PARTITION_KEY, Kind
from shared.spec import ConsumerSpec, Grant, Source

_SERVED = (Kind.ORDER, Kind.SCORE, Kind.TOTAL, Kind.HEARTBEAT)

SPEC = ConsumerSpec(
    name="cache",
    purpose="Removes cached orders, customers' lists, scores and totals once they have changed.",
    destination="Redis or Valkey",
    source=Source.KINESIS_FANOUT,
    filters=(
        json.dumps(
            {"dynamodb": {"Keys": {PARTITION_KEY: {"S": [{"prefix": kind} for kind in _SERVED]}}}}
        ),
    ),
    reads=(CUSTOMER_INDEX[1],),
    settings=("cache_url",),
    grants=(Grant.CACHE_CONNECT,),
    # What is late here is a stale read of the application's.
    freshness=FreshnessObjective(within_ms=2_000),
    timeout_seconds=30,
)
