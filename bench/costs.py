"""What the consumers cost where AWS counts: write units, requests, bytes kept.

The real handlers, each in its own process, on the embedded servers; what goes to them is counted
on the way (`bench.meter`), Redis commands by the server itself. Nothing here is timed, so the
figures are the same in every run.
"""

import itertools
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import orjson
from redis import Redis

from bench.embedded import embedded
from bench.figures import Figure, Scale
from bench.meter import Counted, Meter
from bench.side import Side, SideFailed, give, lambda_environment
from bench.workload import Prepared, prepared
from consumers.registry import REGISTRY
from infra.local.deployment import Deployment
from infra.local.endpoints import endpoint_variables
from ops.traffic.scores import new_score
from shared.clients import aws_client
from shared.encoding import encode_image
from shared.entities import PARTITION_KEY, SORT_KEY, Kind, key_pair
from shared.settings import variable_of
from shared.spec import Source

SUITE = "costs"
RECORDS = 1_000
FOLDINGS = (1, 10, 100)
# DESIGN §6.5: at ten scores of a player in a batch.
_JUDGED, _MOST_UNITS = 10, 2.2
_SEED = 11
_WITHOUT_REQUESTS = {"metrics": "It prints; CloudWatch reads the log."}


@dataclass(frozen=True, slots=True)
class Plant:
    """Running servers with everything that a pipeline needs, and the meters before them."""

    deployment: Deployment
    aws: Meter
    search: Meter

    def environment(self, consumer: str) -> dict[str, str]:
        """A function's environment, which leads through the meters."""
        return {
            **lambda_environment(None, consumer),
            **self.deployment.environment(consumer),
            **endpoint_variables(self.aws.url),
            variable_of("search_url"): self.search.url,
        }

    def counted(self) -> Counted:
        """What went through both meters since the last time."""
        aws, search = self.aws.take(), self.search.take()
        return Counted(aws.requests + search.requests, aws.table_units, aws.index_units)


def measure(scale: Scale) -> list[Figure]:
    """Measure everything; the short form leaves out the largest folding."""
    foldings = FOLDINGS if scale is Scale.FULL else FOLDINGS[:2]
    with plant() as running:
        units = [write_units(running, folding) for folding in foldings]
        return units + [figure for spec in REGISTRY for figure in requests(running, spec.name)]


@contextmanager
def plant() -> Iterator[Plant]:
    """The embedded servers, and a meter before each that is asked by HTTP."""
    with (
        embedded() as deployment,
        Meter(deployment.aws_url) as aws,
        Meter(deployment.search_url) as search,
    ):
        yield Plant(deployment, aws, search)


def write_units(running: Plant, folding: int) -> Figure:
    """Write units per score where `folding` scores of each player come in one batch."""
    counted = _deliver(running, "totals", folded(RECORDS, folding))
    if not counted.table_units:
        raise SideFailed("DynamoDB counted no write units")
    return Figure(
        suite=SUITE,
        name=f"totals, {folding} scores of a player in a batch",
        value=counted.table_units / RECORDS,
        unit="write units/score",
        at_most=_MOST_UNITS if folding == _JUDGED else None,
        detail={
            "leaderboard's units/score": counted.index_units / RECORDS,
            "calls/1,000 scores": counted.requests * 1_000 / RECORDS,
        },
        note="New scores; two units for each ledger entry and two for each total, as DynamoDB "
        "counts transactions. The leaderboard's index is written beside.",
    )


def requests(running: Plant, consumer: str) -> list[Figure]:
    """Requests to a consumer's destination, and for the archive what is kept."""
    batch = prepared(consumer, RECORDS)
    kept = _archived(running.deployment.bucket)
    with Redis.from_url(running.deployment.cache_url) as cache:
        before = _unlinks(cache)
        counted = _deliver(running, consumer, batch)
        unlinks = _unlinks(cache) - before
    asked = counted.requests + unlinks
    if not asked and consumer not in _WITHOUT_REQUESTS:
        raise SideFailed(f"{consumer} asked nothing of its destination")
    found = [
        Figure(
            suite=SUITE,
            name=f"{consumer}, requests",
            value=asked * 1_000 / RECORDS,
            unit="/1,000 records",
            note=_WITHOUT_REQUESTS.get(consumer, ""),
        )
    ]
    if size := _archived(running.deployment.bucket) - kept:
        found.append(_archive_figure(batch, size))
    return found


def _archive_figure(batch: Prepared, size: int) -> Figure:
    delivered = sum(map(len, batch.records))
    images = [
        len(orjson.dumps(change[name]))
        for change in (orjson.loads(record)["dynamodb"] for record in batch.records)
        for name in ("OldImage", "NewImage")
        if name in change
    ]
    return Figure(
        suite=SUITE,
        name="audit, archive",
        value=size / RECORDS,
        unit="bytes/record",
        detail={
            "delivered bytes/record": delivered / RECORDS,
            "bytes/image": sum(images) / len(images),
            "images/record": len(images) / RECORDS,
        },
        note="Orders are made from a small catalogue; texts that repeat less compress less.",
    )


def _deliver(running: Plant, consumer: str, batch: Prepared) -> Counted:
    """One call of a consumer's handler, which must take all of it; what went through."""
    with Side(f"consumers.{consumer}.handler:handler", running.environment(consumer)) as side:
        give("batch", batch, (side,))
        running.counted()
        side.ask("run", name="batch", calls=1)
        return running.counted()


def _unlinks(cache: "Redis") -> int:
    """How often the server was asked to remove keys, by its own count."""
    found = cache.info("commandstats")
    assert isinstance(found, dict)
    return int(found.get("cmdstat_unlink", {}).get("calls", 0))


def _archived(bucket: str) -> int:
    """Bytes in the archive."""
    pages = aws_client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket)
    return sum(entry["Size"] for page in pages for entry in page.get("Contents", ()))


_series = itertools.count()


def folded(scores: int, folding: int) -> Prepared:
    """New scores, `folding` of each player, in the order in which the players happen to play."""
    rng = random.Random(_SEED)
    now = datetime.fromtimestamp(1_773_478_800, UTC)
    series = next(_series)
    numbers = list(range(scores))
    rng.shuffle(numbers)
    records = []
    for place, number in enumerate(numbers):
        name = f"folded-{series}-{number}"
        score = new_score(rng, name, now)
        player = f"player-{series}-{number // folding}"
        score[PARTITION_KEY], score[SORT_KEY] = key_pair(Kind.SCORE, name, player)
        image = encode_image(score)
        change = {
            "ApproximateCreationDateTime": int(now.timestamp()),
            "Keys": {key: image[key] for key in (PARTITION_KEY, SORT_KEY)},
            "NewImage": image,
            "SequenceNumber": str(10**24 + place),
            "StreamViewType": "NEW_AND_OLD_IMAGES",
        }
        records.append(
            orjson.dumps(
                {
                    "eventID": f"{series:016x}{place:016x}",
                    "eventName": "INSERT",
                    "eventVersion": "1.1",
                    "eventSource": "aws:dynamodb",
                    "dynamodb": change,
                }
            )
        )
    return Prepared(tuple(records), Source.STREAM)
