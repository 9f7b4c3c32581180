"""A parcel as one DynamoDB transaction, and what a cancelled one tells. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from consumers.totals.ledger import (
    KEY_ATTRIBUTE,
    entry_json,
    number_text,
    quoted,
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

Reason = Mapping[str, Any]
# Whose an item of a transaction is; without a posting it is the group's total.
Owner = tuple[Group, Posting | None]

CONDITION_FAILED = "ConditionalCheckFailed"
_CONTENDED = "TransactionConflict"
_THROTTLED = frozenset({"ProvisionedThroughputExceeded", "ThrottlingError"})
_REFUSED = frozenset({"ValidationError", "ItemCollectionSizeLimitExceeded"})
KNOWN_REASONS = frozenset({"None", CONDITION_FAILED, _CONTENDED}) | _THROTTLED | _REFUSED

_NOT_YET = f"attribute_not_exists({KEY_ATTRIBUTE})"
_AS_KNOWN = "version <= :version AND #value = :value AND live = :live"
_NEVER = f"{_NOT_YET} AND attribute_exists({KEY_ATTRIBUTE})"
_ADD_TO_TOTAL = (
    f"SET updatedAt = :now, {LEADERBOARD_ATTRIBUTE} = :board "
    "ADD #total :total, scores :scores, version :one"
)
# The actions as JSON text: made of dicts they would take half of a score's time. What the entry
# really holds comes back with the refusal, so no read is needed to go on.
_CONDITION = ',"ReturnValuesOnConditionCheckFailure":"ALL_OLD","ConditionExpression":"%s"%s}}'
_IF_NONE = _CONDITION % (_NOT_YET, "")
_IF_ASKED = _CONDITION % (_NEVER, "")
_IF_KNOWN = _CONDITION % (
    _AS_KNOWN,
    (
        ',"ExpressionAttributeNames":{"#value":"value"},"ExpressionAttributeValues":'
        '{":version":{"N":"%d"},":value":{"N":"%s"},":live":{"BOOL":%s}}'
    ),
)
_UPDATE = (
    '{"Update":{"TableName":%s,"Key":{"'
    + PARTITION_KEY
    + '":{"S":%s},"'
    + SORT_KEY
    + '":{"S":%s}},'
    '"UpdateExpression":"' + _ADD_TO_TOTAL + '","ExpressionAttributeNames":{"#total":"total"},'
    '"ExpressionAttributeValues":{":total":{"N":"%s"},":scores":{"N":"%d"},":one":{"N":"1"},'
    '":now":{"S":%s},":board":{"S":"' + LEADERBOARD_VALUE + '"}}}}'
)


def compose(
    parcel: Parcel, table: str, ledger_table: str, now: str
) -> tuple[list[str], list[Owner]]:
    """The items of the parcel's transaction, each as JSON in ASCII, and the owner of each.

    Per group: each posting under its condition, then the total, unless nothing of it changes.
    A parcel that asks has postings only, under a condition that always fails and so brings the
    entries, with the rights that writing needs anyway.
    """
    table, now = quoted(table), quoted(now)
    put = f'{{"Put":{{"TableName":{quoted(ledger_table)},"Item":'
    actions: list[str] = []
    owners: list[Owner] = []
    for group in parcel.groups:
        user = quoted(group.user)
        for posting in group.postings:
            newest, known = posting.newest, posting.known
            entry = entry_json(newest.source, user, newest.value, newest.version, newest.live)
            if parcel.asks:
                condition = _IF_ASKED
            elif known is None:
                condition = _IF_NONE
            else:
                value, live = number_text(known[0]), "true" if known[1] else "false"
                condition = _IF_KNOWN % (newest.version, value, live)
            actions.append(f"{put}{entry}{condition}")
            owners.append((group, posting))
        if parcel.asks:
            continue
        total, scores = group.change()
        if total or scores:
            partition, sort = map(quoted, key_pair(Kind.TOTAL, group.user))
            actions.append(_UPDATE % (table, partition, sort, number_text(total), scores, now))
            owners.append((group, None))
    return actions, owners


def total_key(user: str) -> dict[str, dict[str, str]]:
    """The raw primary key of a player's total."""
    partition, sort = key_pair(Kind.TOTAL, user)
    return {PARTITION_KEY: {"S": partition}, SORT_KEY: {"S": sort}}


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
    for (group, posting), reason in zip(owners, reasons, strict=True):
        code = reason["Code"]
        if code == CONDITION_FAILED and posting is not None:
            code = _correct(group, posting, reason, result)
        told.setdefault(id(group), {})[code] = reason
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
