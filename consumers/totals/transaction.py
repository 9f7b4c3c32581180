"""A parcel as one DynamoDB transaction, and what a cancelled one tells. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from consumers.totals.ledger import (
    KEY_ATTRIBUTE,
    LedgerEntry,
    number_text,
    raw_entry,
    read_entry,
)
from consumers.totals.posting import Group, Parcel, Posting
from shared.entities import (
    LEADERBOARD_ATTRIBUTE,
    LEADERBOARD_VALUE,
    PARTITION_KEY,
    SORT_KEY,
    Kind,
    key_pair,
)

Action = dict[str, Any]
Reason = Mapping[str, Any]

CONDITION_FAILED = "ConditionalCheckFailed"
_CONTENDED = "TransactionConflict"
_THROTTLED = frozenset({"ProvisionedThroughputExceeded", "ThrottlingError"})
_REFUSED = frozenset({"ValidationError", "ItemCollectionSizeLimitExceeded"})
KNOWN_REASONS = frozenset({"None", CONDITION_FAILED, _CONTENDED}) | _THROTTLED | _REFUSED

_NOT_YET = f"attribute_not_exists({KEY_ATTRIBUTE})"
_AS_KNOWN = "version <= :version AND #value = :value AND live = :live"
_NEVER = f"{_NOT_YET} AND attribute_exists({KEY_ATTRIBUTE})"
_ENTRY_NAMES = {"#value": "value"}
_ADD_TO_TOTAL = (
    f"SET updatedAt = :now, {LEADERBOARD_ATTRIBUTE} = :board "
    "ADD #total :total, scores :scores, version :one"
)
_TOTAL_NAMES = {"#total": "total"}
_BOARD = {"S": LEADERBOARD_VALUE}
_ONE = {"N": "1"}


class Owner(NamedTuple):
    """Whose an item of a transaction is; `posting` is None for the group's total."""

    group: Group
    posting: Posting | None


def compose(
    parcel: Parcel, table: str, ledger_table: str, now: str
) -> tuple[list[Action], list[Owner]]:
    """The items of the parcel's transaction, and the owner of each.

    Per group: each posting under its condition, then the total, unless nothing of it changes.
    A parcel that asks has postings only, under a condition that always fails and so brings the
    entries, with the rights that writing needs anyway.
    """
    actions: list[Action] = []
    owners: list[Owner] = []
    for group in parcel.groups:
        for posting in group.postings:
            actions.append(_put_entry(posting, ledger_table, asks=parcel.asks))
            owners.append(Owner(group, posting))
        if parcel.asks:
            continue
        total, scores = group.change()
        if total or scores:
            values = {
                ":total": {"N": number_text(total)},
                ":scores": {"N": str(scores)},
                ":one": _ONE,
                ":now": {"S": now},
                ":board": _BOARD,
            }
            actions.append(
                {
                    "Update": {
                        "TableName": table,
                        "Key": total_key(group.user),
                        "UpdateExpression": _ADD_TO_TOTAL,
                        "ExpressionAttributeNames": _TOTAL_NAMES,
                        "ExpressionAttributeValues": values,
                    }
                }
            )
            owners.append(Owner(group, None))
    return actions, owners


def total_key(user: str) -> dict[str, dict[str, str]]:
    """The raw primary key of a player's total."""
    partition, sort = key_pair(Kind.TOTAL, user)
    return {PARTITION_KEY: {"S": partition}, SORT_KEY: {"S": sort}}


def _put_entry(posting: Posting, ledger_table: str, *, asks: bool) -> Action:
    newest, known = posting.newest, posting.known
    item = raw_entry(
        newest.source, newest.user, LedgerEntry(newest.value, newest.version, newest.live)
    )
    put: dict[str, Any] = {
        "TableName": ledger_table,
        "Item": item,
        # What the entry really holds comes back with the refusal: no read is needed to go on.
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }
    if asks:
        put["ConditionExpression"] = _NEVER
    elif known is None:
        put["ConditionExpression"] = _NOT_YET
    else:
        value, live = known
        put["ConditionExpression"] = _AS_KNOWN
        put["ExpressionAttributeNames"] = _ENTRY_NAMES
        put["ExpressionAttributeValues"] = {
            ":version": item["version"],
            ":value": {"N": number_text(value)},
            ":live": {"BOOL": live},
        }
    return {"Put": put}


@dataclass(slots=True)
class Cancellation:
    """A cancelled transaction, taken apart.

    Attributes:
        again: groups to try again at once, corrected where their guess was wrong.
        contended: groups whose items another transaction is just changing.
        throttled: groups for which DynamoDB has no capacity just now.
        refused: groups that DynamoDB refuses for good, with its reason.
        outrun: how many postings the ledger is already as new as: they are done.
    """

    again: list[Group] = field(default_factory=list)
    contended: list[Group] = field(default_factory=list)
    throttled: list[Group] = field(default_factory=list)
    refused: list[tuple[Group, str]] = field(default_factory=list)
    outrun: int = 0


def take_apart(parcel: Parcel, owners: Sequence[Owner], reasons: Sequence[Reason]) -> Cancellation:
    """Sort the parcel's groups by what cancelled the transaction; correct wrong guesses.

    Of a group's reasons the first in this order decides: a failed condition, since the wrong
    guess may be what made a number too big; a refusal; a throttle; a conflict.

    Args:
        parcel: what was sent; its groups lose the postings that are done.
        owners: of its items.
        reasons: DynamoDB's CancellationReasons, one for each item, of KNOWN_REASONS.
    """
    result = Cancellation()
    told: dict[int, dict[str, Reason]] = {}
    for owner, reason in zip(owners, reasons, strict=True):
        code = reason["Code"]
        if code == CONDITION_FAILED and owner.posting is not None:
            code = _correct(owner.group, owner.posting, reason, result)
        told.setdefault(id(owner.group), {})[code] = reason
    for group in parcel.groups:
        codes = told[id(group)]
        if not group.postings:
            continue
        if CONDITION_FAILED in codes:
            result.again.append(group)
        elif refusals := _REFUSED & codes.keys():
            code = min(refusals)
            result.refused.append((group, codes[code].get("Message") or code))
        elif _THROTTLED & codes.keys():
            result.throttled.append(group)
        elif _CONTENDED in codes:
            result.contended.append(group)
        else:
            result.again.append(group)
    return result


def _correct(group: Group, posting: Posting, reason: Reason, result: Cancellation) -> str:
    """Learn from a failed condition; returns the code that the group is to be judged by."""
    item = reason.get("Item")
    believed, was_certain = posting.known, posting.is_certain
    if not posting.learn(read_entry(item) if item else None):
        group.postings.remove(posting)
        result.outrun += 1
    elif was_certain and posting.known == believed:
        # Refused although the entry is as believed: it was just changing. Not at once again.
        return _CONTENDED
    return CONDITION_FAILED
