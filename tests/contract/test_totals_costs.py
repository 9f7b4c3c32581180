"""What the totals sink costs: write units by DynamoDB's own count, and calls."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support import totals as support
from tests.support.totals import Game, Tables


class Metered:
    """A client that asks for the consumed capacity of its transactions."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.calls = 0
        self.table_units = 0.0
        self.index_units = 0.0

    def transact_write_items(self, **request: Any) -> Any:
        self.calls += 1
        answer = self._client.transact_write_items(**request, ReturnConsumedCapacity="INDEXES")
        for consumed in answer["ConsumedCapacity"]:
            self.table_units += consumed["WriteCapacityUnits"]
            indexes = consumed.get("GlobalSecondaryIndexes", {}).values()
            self.index_units += sum(index["CapacityUnits"] for index in indexes)
        return answer


@pytest.fixture
def tables() -> Tables:
    return support.make_tables(support.client())


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
        client = Metered(tables.client)
        assert not tables.write(batch, client).unavailable
        assert client.table_units / scores == pytest.approx(units)
        assert client.index_units * folding / scores == index_units
        assert client.calls == calls


def test_a_change_of_something_else_costs_no_total(tables: Tables) -> None:
    game = Game()
    tables.write([game.put("s", "ann", 5)])
    client = Metered(tables.client)
    tables.write([game.put("s", "ann", 5, difficulty="HARD")], client)
    assert (client.table_units, client.index_units) == (2, 0)


def test_a_redelivered_batch_writes_nothing(tables: Tables) -> None:
    game = Game()
    for number in range(90):
        game.put(f"s-{number}", f"u-{number // 10}", number)
    tables.write(game.records)
    client = Metered(tables.client)
    tables.write(game.records, client)
    # One refused transaction says it all.
    assert (client.calls, client.table_units) == (1, 0)
