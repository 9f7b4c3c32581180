"""What the benchmarks feed: seeded changes of the table, in the envelopes in which Lambda delivers.

Orders live as `ops.traffic` lets them live: most changes are updates and carry both images. A
record is made once as JSON; each call gets it parsed anew with an eventID of its own, since a
handler may know a change that it has seen.
"""

import itertools
import json
import random
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from consumers.registry import REGISTRY
from ops.traffic.orders import Item, advance, edit, is_final, new_order
from ops.traffic.scores import correct, new_score
from shared.encoding import encode_image
from shared.entities import Kind, key_pair
from shared.filters import compile_filters
from shared.spec import Source

SEED = 20_260
# 2026-03-14T09:00:00Z; a batch's changes are made within one hour.
_START = 1_773_478_800
_ID = b"0" * 32
_ARN = "arn:aws:%s:eu-west-1:111122223333:%s"
_STREAM_ARN = _ARN % ("dynamodb", "table/fanout/stream/2026-03-14T00:00:00.000")
_KINESIS_ARN = _ARN % ("kinesis", "stream/fanout")
SCORES_PER_USER = 10
# Of the scores, as of the orders, most are new; some are corrected, few struck out.
_CORRECTED, _REMOVED = 0.15, 0.02
_AGAIN, _NEW, _RECENT = 0.1, 0.125, 100
# Beyond so many records come copies under other names, ten times as many at the most.
_DISTINCT = 1_000

Event = dict[str, Any]
Change = tuple[Item | None, Item | None]


@dataclass(frozen=True, slots=True)
class Prepared:
    """The records of one batch, as JSON, with a placeholder where each call puts its ids."""

    records: tuple[bytes, ...]
    source: Source

    def event(self, call: int) -> Event:
        """The event of a call, parsed, as the runtime client hands it to a handler."""
        made = (
            record.replace(_ID, b"%016x%016x" % (call, place))
            for place, record in enumerate(self.records)
        )
        if self.source is not Source.STREAM:
            made = (_kinesis_record(data, place) for place, data in enumerate(made))
        # As the runtime client parses it.
        parsed: Event = json.loads(b'{"Records":[%b]}' % b",".join(made))
        return parsed


def prepared(consumer: str, records: int, seed: int = SEED) -> Prepared:
    """A batch of what a consumer's filters let through: scores for `totals`, else orders."""
    (spec,) = [spec for spec in REGISTRY if spec.name == consumer]
    matches = compile_filters(spec.filters).matches
    changes = _scores(seed) if consumer == "totals" else _orders(seed)
    made: list[bytes] = []
    while len(made) < min(records, _DISTINCT):
        place = len(made)
        record = _stream_record(next(changes), place)
        if matches(record):
            wanted = record if spec.source is Source.STREAM else _payload(record, place)
            made.append(orjson.dumps(wanted))
    copies = -(-records // _DISTINCT)
    if copies > 1:
        made = [_renamed(record, copy) for copy in range(copies) for record in made]
    return Prepared(tuple(made[:records]), spec.source)


def save(batch: Prepared, path: Path) -> None:
    """Write a batch into a file, for those who measure with it."""
    path.write_bytes(b"\n".join([batch.source.encode(), *batch.records]))


def load(path: str) -> Callable[[int], Event]:
    """The event of each call, from a saved batch: what a worker makes its inputs with."""
    source, *records = Path(path).read_bytes().split(b"\n")
    return Prepared(tuple(records), Source(source.decode())).event


def _renamed(record: bytes, copy: int) -> bytes:
    """The same change of another item: making thousands of lives would take a minute."""
    for name in (b"ord-", b"score-", b"player-"):
        record = record.replace(name + b"0", b"%b%d" % (name, copy))
    return record.replace(b'"SequenceNumber":"1', b'"SequenceNumber":"%d' % (copy + 1))


def _orders(seed: int) -> Iterator[Change]:
    """Changes of orders for ever: one in eight is new, one in ten changes an order again."""
    rng = random.Random(seed)
    now = datetime.fromtimestamp(_START, UTC)
    recent: list[Item] = []
    for number in itertools.count():
        luck = rng.random()
        before: Item | None
        if luck < _AGAIN and recent:
            before = recent.pop(rng.randrange(len(recent)))
        else:
            before = new_order(rng, f"ord-{number:08}", now)
            if luck < _AGAIN + _NEW:
                yield None, before
                recent.append(before)
                continue
            # An order of the past: it has come as far as it has.
            for _ in range(rng.randrange(5)):
                before = before if is_final(before) else advance(before, rng) or before
        after = edit(before, rng) if is_final(before) else advance(before, rng)
        if rng.random() < _REMOVED:
            after = None
        yield before, after
        if after is not None:
            recent.append(after)
        del recent[:-_RECENT]


def _scores(seed: int) -> Iterator[Change]:
    """Changes of scores, ten per player, in the order in which the players happen to play."""
    rng = random.Random(seed)
    now = datetime.fromtimestamp(_START, UTC)
    players = [
        f"player-{number:06}"
        for number in range(_DISTINCT // SCORES_PER_USER)
        for _ in range(SCORES_PER_USER)
    ]
    rng.shuffle(players)
    for number, player in enumerate(players):
        score = new_score(rng, f"score-{number:08}", now)
        score["PK"], score["SK"] = key_pair(Kind.SCORE, f"score-{number:08}", player)
        luck = rng.random()
        if luck < _REMOVED:
            yield score, None
        elif luck < _REMOVED + _CORRECTED:
            yield score, correct(score, rng)
        else:
            yield None, score


def _stream_record(change: Change, place: int) -> dict[str, Any]:
    old, new = change
    item = new or old
    assert item is not None
    name = "INSERT" if old is None else "REMOVE" if new is None else "MODIFY"
    body: dict[str, Any] = {
        "ApproximateCreationDateTime": _START + place // 200,
        "Keys": encode_image({key: item[key] for key in ("PK", "SK")}),
    }
    if new is not None:
        body["NewImage"] = encode_image(new)
    if old is not None:
        body["OldImage"] = encode_image(old)
    body["SequenceNumber"] = f"{10**24 + place * 7919}"
    body["SizeBytes"] = len(orjson.dumps(body)) * 3 // 4
    body["StreamViewType"] = "NEW_AND_OLD_IMAGES"
    return {
        "eventID": _ID.decode(),
        "eventName": name,
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "eu-west-1",
        "dynamodb": body,
        "eventSourceARN": _STREAM_ARN,
    }


def _payload(record: dict[str, Any], place: int) -> dict[str, Any]:
    """The same change as the table's Kinesis stream carries it."""
    change = record["dynamodb"]
    microseconds = change["ApproximateCreationDateTime"] * 1_000_000 + place % 200 * 5_000
    kept = {name: change[name] for name in ("Keys", "NewImage", "OldImage") if name in change}
    return {
        "awsRegion": record["awsRegion"],
        "eventID": record["eventID"],
        "eventName": record["eventName"],
        "userIdentity": None,
        "recordFormat": "application/json",
        "tableName": "fanout",
        "dynamodb": {
            "ApproximateCreationDateTime": microseconds,
            **kept,
            "SizeBytes": change["SizeBytes"],
            "ApproximateCreationDateTimePrecision": "MICROSECOND",
        },
        "eventSource": "aws:dynamodb",
    }


def _kinesis_record(data: bytes, place: int) -> bytes:
    number = f"49{place:054}"
    kinesis = {
        "kinesisSchemaVersion": "1.0",
        "partitionKey": f"{place:032X}",
        "sequenceNumber": number,
        "data": b64encode(data).decode(),
        "approximateArrivalTimestamp": _START + place / 200,
    }
    return orjson.dumps(
        {
            "kinesis": kinesis,
            "eventSource": "aws:kinesis",
            "eventVersion": "1.0",
            "eventID": f"shardId-000000000000:{number}",
            "eventName": "aws:kinesis:record",
            "invokeIdentityArn": "arn:aws:iam::111122223333:role/fanout",
            "awsRegion": "eu-west-1",
            "eventSourceARN": _KINESIS_ARN,
        }
    )
