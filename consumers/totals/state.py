"""The stored totals and the ledger, read: for those who compare them with the scores.

Everything is read consistently and in pages of at most 1 MB, so that any number of players fits
in memory. The client is botocore's for DynamoDB.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple

from consumers.totals.ledger import (
    KEY_ATTRIBUTE,
    KEY_PREFIX,
    LedgerEntry,
    ledger_key,
    read_entry,
)
from consumers.totals.transaction import total_key
from shared import entities
from shared.codec import RawImage, decode_number
from shared.entities import PARTITION_KEY, Kind
from shared.table_pages import items_of_pages


@dataclass(frozen=True, slots=True)
class Total:
    """A player's stored total."""

    user: str
    total: Decimal
    scores: int


class Contributed(NamedTuple):
    """A score's entry, with the score's name in the ledger and its player."""

    source: str
    user: str
    entry: LedgerEntry


def read_total(item: RawImage) -> Total:
    """A total from its raw item. Raises KeyError or Malformed if it is none of ours."""
    return Total(
        user=entities.item_id(item, Kind.TOTAL),
        total=decode_number(item["total"]["N"]),
        scores=int(item["scores"]["N"]),
    )


def totals(client: Any, table: str) -> Iterator[Total]:
    """Every total, in no order. Reads the whole table: who reads it anyway uses `read_total`."""
    for item in _scan(
        client,
        TableName=table,
        FilterExpression=f"begins_with({PARTITION_KEY}, :kind)",
        ExpressionAttributeValues={":kind": {"S": Kind.TOTAL.value}},
    ):
        yield read_total(item)


def ledger_entries(client: Any, ledger_table: str) -> Iterator[Contributed]:
    """Every entry of the ledger, those of removed scores too, in no order."""
    for item in _scan(client, TableName=ledger_table):
        source = item[KEY_ATTRIBUTE]["S"].removeprefix(KEY_PREFIX)
        yield Contributed(source, item["user"]["S"], read_entry(item))


def total_of(client: Any, table: str, user: str) -> Total | None:
    """One player's total; None if there is none yet."""
    item = client.get_item(TableName=table, Key=total_key(user), ConsistentRead=True).get("Item")
    return None if item is None else read_total(item)


def entry_of(client: Any, ledger_table: str, source: str) -> LedgerEntry | None:
    """One score's entry, by `ledger.source_key`; None if there is none yet."""
    key = ledger_key(source)
    item = client.get_item(TableName=ledger_table, Key=key, ConsistentRead=True).get("Item")
    return None if item is None else read_entry(item)


def _scan(client: Any, **request: Any) -> Iterator[RawImage]:
    def call(_: str, arguments: dict[str, Any]) -> dict[str, Any]:
        page: dict[str, Any] = client.scan(**arguments)
        return page

    return items_of_pages(call, "Scan", ConsistentRead=True, **request)
