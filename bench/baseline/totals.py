"""Totals: a boto3 transaction per up to 100 items, folded per player, with a ledger's condition.

Choices: the low-level client with attribute values written by hand (boto3's serializer would cost
more); the newest version of each score only; what the ledger holds is guessed from the old image.
If a transaction is cancelled, the scores go one by one, and a condition that fails again means
that the ledger is as new: weaker than the consumer, which asks the ledger and tries again.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NamedTuple

import boto3
from aws_lambda_powertools.utilities.data_classes.dynamo_db_stream_event import DynamoDBRecord
from botocore.exceptions import ClientError

from bench.baseline.batches import Response, from_stream, images, setting, version

_MOST_ITEMS = 100

dynamodb = boto3.client("dynamodb")
table, ledger = setting("FANOUT_TABLE"), setting("FANOUT_LEDGER_TABLE")
batches = from_stream("totals")


class Score(NamedTuple):
    """What one record says of a score; `replaced` is None for a new one."""

    source: str
    user: str
    value: Decimal
    version: int
    live: bool
    replaced: Decimal | None


def handler(event: dict[str, Any], _: Any) -> Response:
    """Post a batch."""
    scores = batches.read(event, score)
    for group in _parcels(newest(scores)):
        post(group)
    return batches.respond(event, len(scores))


def score(record: DynamoDBRecord) -> Score | None:
    """The score of one record."""
    change = record.raw_event["dynamodb"]
    partition, sort = change["Keys"]["PK"]["S"], change["Keys"]["SK"]["S"]
    if not partition.startswith("SCORE#"):
        return None
    old, new = images(change)
    item = new or old
    assert item is not None
    return Score(
        source=f"{partition}|{sort}",
        user=sort.removeprefix("USER#"),
        value=new["Score"] if new else Decimal(0),
        version=version(item) + (new is None),
        live=new is not None,
        replaced=old["Score"] if old else None,
    )


def newest(scores: list[Score]) -> list[Score]:
    """Of each score the newest version, which replaces what the oldest one replaced."""
    found: dict[str, Score] = {}
    for each in scores:
        known = found.get(each.source)
        found[each.source] = each if known is None else each._replace(replaced=known.replaced)
    return list(found.values())


def _parcels(scores: list[Score]) -> Iterator[list[Score]]:
    """Whole players, while their scores and totals fit into one transaction."""
    by_user: dict[str, list[Score]] = {}
    for each in scores:
        by_user.setdefault(each.user, []).append(each)
    parcel: list[Score] = []
    room = _MOST_ITEMS
    for group in by_user.values():
        for start in range(0, len(group), _MOST_ITEMS - 1):
            part = group[start : start + _MOST_ITEMS - 1]
            if len(part) + 1 > room:
                yield parcel
                parcel, room = [], _MOST_ITEMS
            parcel += part
            room -= len(part) + 1
    if parcel:
        yield parcel


def post(scores: list[Score]) -> None:
    """Write these scores, of whole players, in one transaction."""
    try:
        dynamodb.transact_write_items(TransactItems=items(scores))
    except dynamodb.exceptions.TransactionCanceledException as error:
        if len(scores) > 1:
            for each in scores:
                post([each])
        elif not _is_known(error):
            raise


def _is_known(error: ClientError) -> bool:
    reasons: Any = error.response.get("CancellationReasons", [])
    return any(reason["Code"] == "ConditionalCheckFailed" for reason in reasons)


def items(scores: list[Score]) -> list[Any]:
    """The items of a transaction: an entry per score, an update per player."""
    found: list[Any] = []
    changes: dict[str, tuple[Decimal, int]] = {}
    for each in scores:
        found.append({"Put": _entry(each)})
        total, count = changes.get(each.user, (Decimal(0), 0))
        total += each.value - (each.replaced or 0)
        changes[each.user] = total, count + each.live - (each.replaced is not None)
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    for user, (total, count) in changes.items():
        if total or count:
            found.append({"Update": _update(user, total, count, now)})
    return found


def _entry(each: Score) -> dict[str, Any]:
    put: dict[str, Any] = {
        "TableName": ledger,
        "Item": {
            "PK": {"S": f"APPLIED#{each.source}"},
            "user": {"S": each.user},
            "value": {"N": format(each.value, "f")},
            "version": {"N": str(each.version)},
            "live": {"BOOL": each.live},
        },
        "ConditionExpression": "attribute_not_exists(PK)",
    }
    if each.replaced is not None:
        put["ConditionExpression"] = "version < :version AND #value = :value"
        put["ExpressionAttributeNames"] = {"#value": "value"}
        put["ExpressionAttributeValues"] = {
            ":version": {"N": str(each.version)},
            ":value": {"N": format(each.replaced, "f")},
        }
    return put


def _update(user: str, total: Decimal, count: int, now: str) -> dict[str, Any]:
    return {
        "TableName": table,
        "Key": {"PK": {"S": f"TOTAL#{user}"}, "SK": {"S": "TOTAL"}},
        "UpdateExpression": "SET updatedAt = :now, leaderboard = :board "
        "ADD #total :total, scores :scores, version :one",
        "ExpressionAttributeNames": {"#total": "total"},
        "ExpressionAttributeValues": {
            ":total": {"N": format(total, "f")},
            ":scores": {"N": str(count)},
            ":one": {"N": "1"},
            ":now": {"S": now},
            ":board": {"S": "ALL"},
        },
    }
