"""The consumer that keeps support's order index true."""

import json

from shared.entities import PARTITION_KEY, SEARCHED_ATTRIBUTES, Kind
from shared.spec import ConsumerSpec, Grant, Source

_SERVED = (Kind.ORDER, Kind.HEARTBEAT)

SPEC = ConsumerSpec(
    name="search",
    purpose="Keeps an index of all orders in which support staff look for them.",
    destination="OpenSearch",
    source=Source.KINESIS,
    filters=(
        json.dumps(
            {"dynamodb": {"Keys": {PARTITION_KEY: {"S": [{"prefix": kind} for kind in _SERVED]}}}}
        ),
    ),
    reads=tuple({path[0]: None for path in SEARCHED_ATTRIBUTES.values()}),
    # Of a removed order the version alone, which the core reads.
    reads_old=(),
    settings=("search_url",),
    grants=(Grant.SEARCH_WRITE,),
)
