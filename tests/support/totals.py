"""For tests of `totals`: tables, and a game that writes scores."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Context, Decimal
from typing import Any
from unittest import mock

from consumers.totals import state
from consumers.totals.ledger import LedgerEntry
from consumers.totals.projection import Contribution, project
from consumers.totals.sink import Service, TotalsSink
from shared.aws_json import JsonService
from shared.clock import Deadline
from shared.entities import LEADERBOARD_INDEX
from shared.envelopes import read_records
from shared.records import Record
from shared.runtime import WriteResult
from tests.support.records import Raw, score, stream_record
from tests.support.servers import unique

WIDE = Context(prec=500)


def add(*numbers: Decimal) -> Decimal:
    """The plain sum, wide enough to be exact: the model's only arithmetic."""
    total = Decimal(0)
    for number in numbers:
        total = WIDE.add(total, number)
    return total


@dataclass(frozen=True, slots=True)
class Tables:
    """A table and a ledger of one test."""

    client: Any
    service: JsonService
    table: str
    ledger: str

    def sink(self, service: Service | None = None) -> TotalsSink:
        return TotalsSink(service or self.service, self.table, self.ledger)

    def write(self, records: Sequence[Raw], service: Service | None = None) -> WriteResult:
        """Deliver one batch, as a worker of its own would."""
        return self.sink(service).write(contributions(*records), Deadline(60))

    def totals(self) -> dict[str, Any]:
        return {
            total.user: (total.total, total.scores)
            for total in state.totals(self.client, self.table)
        }

    def entries(self) -> dict[str, LedgerEntry]:
        return {
            source: entry for source, _, entry in state.ledger_entries(self.client, self.ledger)
        }

    def assert_sound(self) -> None:
        """The invariant that holds at every moment: each total is the sum of its entries."""
        values: dict[str, list[LedgerEntry]] = {}
        for _, user, entry in state.ledger_entries(self.client, self.ledger):
            values.setdefault(user, []).append(entry)
        expected = {
            user: (add(*(entry.value for entry in entries)), sum(entry.live for entry in entries))
            for user, entries in values.items()
        }
        stored = self.totals()
        for user in expected.keys() | stored.keys():
            assert stored.get(user, (0, 0)) == expected.get(user, (0, 0)), user


def service_of(client: Any) -> JsonService:
    """DynamoDB as the sink speaks to it, where a client of botocore's finds it."""
    frozen = client._request_signer._credentials.get_frozen_credentials()
    environment = {
        "AWS_ENDPOINT_URL_DYNAMODB": client.meta.endpoint_url,
        "AWS_REGION": client.meta.region_name,
        "AWS_ACCESS_KEY_ID": frozen.access_key,
        "AWS_SECRET_ACCESS_KEY": frozen.secret_key,
    }
    with mock.patch.dict(os.environ, environment):
        return JsonService("dynamodb")


def make_tables(client: Any) -> Tables:
    """Both tables as they are in AWS, with names of their own."""
    table, ledger = unique("table"), unique("ledger")
    index, board, order = LEADERBOARD_INDEX
    types = {"PK": "S", "SK": "S", board: "S", order: "N"}

    def keys(*names: str) -> list[dict[str, str]]:
        kinds = ("HASH", "RANGE")
        return [
            {"AttributeName": n, "KeyType": kind} for n, kind in zip(names, kinds, strict=False)
        ]

    def attributes(*names: str) -> list[dict[str, str]]:
        return [{"AttributeName": name, "AttributeType": types[name]} for name in names]

    client.create_table(
        TableName=table,
        KeySchema=keys("PK", "SK"),
        AttributeDefinitions=attributes(*types),
        BillingMode="PAY_PER_REQUEST",
        GlobalSecondaryIndexes=[
            {
                "IndexName": index,
                "KeySchema": keys(board, order),
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )
    client.create_table(
        TableName=ledger,
        KeySchema=keys("PK"),
        AttributeDefinitions=attributes("PK"),
        BillingMode="PAY_PER_REQUEST",
    )
    return Tables(client, service_of(client), table, ledger)


def records_of(*raws: Raw) -> list[Record]:
    found = list(read_records({"Records": list(raws)}))
    assert all(isinstance(record, Record) for record in found)
    return found  # type: ignore[return-value]


def contributions(*raws: Raw) -> list[Contribution]:
    """What the projection makes of records that are all scores."""
    made = [project(record) for record in records_of(*raws)]
    assert all(contribution is not None for contribution in made)
    return made  # type: ignore[return-value]


@dataclass
class Game:
    """Writes scores as the game does, version by version; remembers the records."""

    records: list[Raw] = field(default_factory=list)
    _items: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    _versions: dict[tuple[str, str], int] = field(default_factory=dict)

    def put(self, score_id: str, user: str, value: Any, **changes: Any) -> Raw:
        """Insert a score, or change it."""
        key = (score_id, user)
        version = self._versions.get(key, 0) + 1
        new = score(score_id, user, value, version, **changes)
        return self._change(key, new, version)

    def remove(self, score_id: str, user: str) -> Raw:
        key = (score_id, user)
        return self._change(key, None, self._versions[key] + 1)

    def copy(self) -> Game:
        """The game as it stands, without its records: what to compare with later."""
        return Game([], dict(self._items), dict(self._versions))

    def _change(self, key: tuple[str, str], new: dict[str, Any] | None, version: int) -> Raw:
        old = self._items.pop(key, None)
        if new is not None:
            self._items[key] = new
        self._versions[key] = version
        record = stream_record(old, new, sequence=len(self.records) + 1)
        self.records.append(record)
        return record

    def has(self, score_id: str, user: str) -> bool:
        return (score_id, user) in self._items

    def expected(self) -> dict[str, tuple[Decimal, int]]:
        """The sum and number of the scores that exist, by player."""
        sums: dict[str, tuple[Decimal, int]] = {}
        for (_, user), item in self._items.items():
            total, count = sums.get(user, (Decimal(0), 0))
            sums[user] = (add(total, Decimal(item["Score"])), count + 1)
        return sums


def without_zeros(totals: dict[str, tuple[Decimal, int]]) -> dict[str, tuple[Decimal, int]]:
    """Without players who have no scores left, or never had one that counted."""
    return {user: total for user, total in totals.items() if any(total)}
