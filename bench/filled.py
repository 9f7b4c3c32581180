"""A pipeline at rest with as many items as asked for, every projection in step with the table.

The cheapest honest way there: items are written in batches, and each consumer's handler, in a
process of its own under the runtime client, is given the INSERT of each. No stream is read, which
would take longest; what the handlers write is what they would write.
"""

import itertools
import random
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import orjson

from bench.embedded import embedded
from bench.side import SideFailed
from consumers.registry import REGISTRY
from infra.local.deployment import Deployment
from infra.local.lambda_runtime import Function
from infra.local.pipeline import LOGS
from ops.traffic.orders import new_order
from ops.traffic.reads import Reads, Source
from ops.traffic.scores import new_score
from ops.traffic.table import Item, Table
from ops.verify import table as verified
from shared.cache import CacheReader
from shared.cache_client import connect
from shared.codec import RawImage
from shared.entities import PARTITION_KEY, SORT_KEY, Kind, key_pair, kind_of

_BATCH = 1_000
_SECONDS = 60.0
_SEED = 5
# Of a player: as many as fold well, so that totals are laid out quickly.
_SCORES_PER_PLAYER = 50
# Every so many orders, one is in the cache.
_CACHED_EVERY = 10
_CREATED = 1_773_478_800


@contextmanager
def filled(items: int, folder: Path) -> Iterator[Deployment]:
    """A deployment with `items` orders and scores, half of each, and its logs in `folder`.

    Players' totals and cached orders come on top. The process's environment leads to it meanwhile.
    """
    (folder / LOGS).mkdir()
    with embedded() as deployment:
        deployment.save(folder)
        _fill(deployment, items, folder / LOGS)
        yield deployment


def _fill(deployment: Deployment, items: int, logs: Path) -> None:
    Table(deployment.table).create_many(_items(items))
    table = verified.Table(deployment.table)
    with _Functions(deployment, logs) as functions:
        # As the table has them, which writes some numbers in another way than it was given them.
        functions.deliver(item for item in table.items() if kind_of(item) is not Kind.TOTAL)
        # What totals wrote into the table is for the others to see.
        functions.deliver(item for item in table.items() if kind_of(item) is Kind.TOTAL)
    reads = Reads(
        Source(deployment.table),
        CacheReader(connect(deployment.cache_url, cluster=False, seconds=5.0)),
    )
    for number in range(0, items // 2, _CACHED_EVERY):
        reads.order(_order_id(number))


def _items(count: int) -> Iterator[Item]:
    """The same in every call."""
    rng = random.Random(_SEED)
    now = datetime.fromtimestamp(_CREATED, UTC)
    for number in range(count // 2):
        yield new_order(rng, _order_id(number), now)
    for number in range(count // 2):
        score = new_score(rng, f"score-{number:07}", now)
        player = f"player-{number // _SCORES_PER_PLAYER:06}"
        key = key_pair(Kind.SCORE, f"score-{number:07}", player)
        score[PARTITION_KEY], score[SORT_KEY] = key
        yield score


def _order_id(number: int) -> str:
    return f"ord-{number:07}"


class _Functions:
    """All consumers' functions, given the same records."""

    def __init__(self, deployment: Deployment, logs: Path) -> None:
        """Nothing is started before it is needed; logs go where `fanout verify` looks for them."""
        self._numbers = itertools.count(10**24)
        self._functions = [
            Function(
                f"fanout-{spec.name}",
                f"consumers.{spec.name}.handler.handler",
                deployment.environment(spec.name),
                logs / f"{spec.name}.log",
                _SECONDS,
            )
            for spec in REGISTRY
        ]

    def deliver(self, images: Iterable[RawImage]) -> None:
        """Give all of them the INSERT of each image, in large batches. Raises SideFailed."""
        remaining = iter(images)
        while batch := list(itertools.islice(remaining, _BATCH)):
            records = [_insert(image, next(self._numbers)) for image in batch]
            event = orjson.dumps({"Records": records})
            for function in self._functions:
                invocation = function.invoke(event)
                answer = orjson.loads(invocation.response or b"null")
                if answer != {"batchItemFailures": []}:
                    raise SideFailed(f"{function.name}: {invocation.summary()}; {answer}")

    def __enter__(self) -> Self:
        """Nothing runs yet."""
        return self

    def __exit__(self, *_: object) -> None:
        """End all workers."""
        for function in self._functions:
            function.stop()


def _insert(image: RawImage, number: int) -> dict[str, Any]:
    return {
        "eventID": f"{number:032x}",
        "eventName": "INSERT",
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "dynamodb": {
            "ApproximateCreationDateTime": _CREATED,
            "Keys": {name: image[name] for name in (PARTITION_KEY, SORT_KEY)},
            "NewImage": image,
            "SequenceNumber": str(number),
            "StreamViewType": "NEW_AND_OLD_IMAGES",
        },
    }
