"""What the totals sink costs: write units by DynamoDB's own count, and calls."""

from __future__ import annotations

import json
from typing import Any

import pytest

from consumers.totals.sink import Call, Service
from infra.local.servers import LocalServers
from tests.support import totals as support
from tests.support.servers import client
from tests.support.totals import Game, Tables


class Metered:
    """A service that asks for the consumed capacity of its transactions."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self.calls = 0
        self.table_units = 0.0
        self.index_units = 0.0

    def begin(self, operation: str, body: bytes, seconds: float) -> Call:
        self.calls += 1
        request = json.loads(body) | {"ReturnConsumedCapacity": "INDEXES"}
        return _Metered(self, self._service.begin(operation, json.dumps(request).encode(), seconds))


class _Metered:
    def __init__(self, meter: Metered, call: Call) -> None:
        self._meter, self._call = meter, call

    def answer(self) -> dict[str, Any]:
        answer = self._call.answer()
        for consumed in answer["ConsumedCapacity"]:
            indexes = consumed.get("GlobalSecondaryIndexes", {}).values()
            index_units = sum(index["CapacityUnits"] for index in indexes)
            self._meter.index_units += index_units
            self._meter.table_units += consumed["CapacityUnits"] - index_units
        return answer

    def drop(self) -> None:
        self._call.drop()


# Not on DynamoDB Local, which counts a transaction of a hundred items as one item.
@pytest.fixture
def tables(servers: LocalServers) -> Tables:
    return support.make_tables(client(servers.endpoints, "dynamodb"))


# 2 units for each entry and 2 for each total, the tables' own. The leaderboard's index follows at
# its own pace: one unit to enter a total, two to move it (one out, one in).
@pytest.mark.parametrize(
    ("scores", "folding", "units", "calls"),
    [(300, 1, 4.0, 6), (270, 10, 2.2, 3), (297, 99, 200 / 99, 3)],
)
def test_write_units_per_score(
    tables: Tables, scores: int, folding: int, units: float, calls: int
) -> None:
    game = Game()
    for round_, index_units in enumerate((1, 2), start=1):
        batch = [
            game.put(f"s-{number}", f"u-{number // folding}", number + round_)
            for number in range(scores)
        ]
        metered = Metered(tables.service)
        assert not tables.write(batch, metered).unavailable
        assert metered.table_units / scores == pytest.approx(units)
        assert metered.index_units * folding / scores == index_units
        assert metered.calls == calls


def test_a_change_of_something_else_costs_no_total(tables: Tables) -> None:
    game = Game()
    tables.write([game.put("s", "ann", 5)])
    metered = Metered(tables.service)
    tables.write([game.put("s", "ann", 5, difficulty="HARD")], metered)
    assert (metered.table_units, metered.index_units) == (2, 0)


def test_a_redelivered_batch_writes_nothing(tables: Tables) -> None:
    game = Game()
    for number in range(90):
        game.put(f"s-{number}", f"u-{number // 10}", number)
    tables.write(game.records)
    metered = Metered(tables.service)
    tables.write(game.records, metered)
    # One refused transaction says it all.
    assert (metered.calls, metered.table_units) == (1, 0)
