"""The totals sink on a real server: sums, corrections, numbers, what is stored."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from random import Random
from typing import Any

import pytest

from consumers.totals import state
from consumers.totals.ledger import LedgerEntry
from consumers.totals.sink import Unforeseen
from infra.local.servers import LocalServers
from shared.clock import Deadline
from tests.support import totals as support
from tests.support.records import Raw, score, stream_record
from tests.support.servers import client
from tests.support.totals import Game, Tables, contributions, without_zeros
from tests.support.transaction_faults import Breaking

LONGEST = Decimal(12345678901234567890123456789012345678)


@pytest.fixture(scope="module")
def dynamodb(either_servers: LocalServers) -> Any:
    return client(either_servers.endpoints, "dynamodb")


@pytest.fixture
def tables(dynamodb: Any) -> Tables:
    return support.make_tables(dynamodb)


@pytest.fixture
def game() -> Game:
    return Game()


def assert_exact(tables: Tables, game: Game) -> None:
    tables.assert_sound()
    assert without_zeros(tables.totals()) == without_zeros(game.expected())


def test_a_total_is_the_sum_of_its_scores(tables: Tables, game: Game) -> None:
    game.put("s-1", "ann", 5)
    game.put("s-2", "ann", Decimal("0.25"))
    game.put("s-1", "bob", -3)
    result = tables.write(game.records)
    assert (result.rejected, result.unavailable, result.conflicts) == ({}, {}, 0)
    assert tables.totals() == {"ann": (Decimal("5.25"), 2), "bob": (Decimal(-3), 1)}
    game.put("s-1", "ann", 6)
    game.remove("s-2", "ann")
    tables.write(game.records[3:])
    assert_exact(tables, game)
    assert tables.totals()["ann"] == (6, 1)


def test_what_is_stored(tables: Tables, game: Game) -> None:
    tables.write([game.put("s-1", "ann", Decimal("1E+2"))])
    tables.write([game.put("s-1", "ann", 7)])
    key = {"PK": {"S": "TOTAL#ann"}, "SK": {"S": "TOTAL"}}
    item = tables.client.get_item(TableName=tables.table, Key=key)["Item"]
    assert item.pop("updatedAt")["S"].endswith("Z")
    assert item == key | {
        "total": {"N": "7"},
        "scores": {"N": "1"},
        "version": {"N": "2"},
        "leaderboard": {"S": "ALL"},
    }
    assert tables.entries() == {"SCORE#s-1|USER#ann": LedgerEntry(Decimal(7), 2, live=True)}


def test_the_leaderboard_is_in_order(tables: Tables, game: Game) -> None:
    for user, value in (("ann", 5), ("bob", 50), ("cid", -5)):
        game.put("s", user, value)
    tables.write(game.records)
    found = tables.client.query(
        TableName=tables.table,
        IndexName="Leaderboard",
        KeyConditionExpression="leaderboard = :all",
        ExpressionAttributeValues={":all": {"S": "ALL"}},
        ScanIndexForward=False,
    )
    assert [item["PK"]["S"] for item in found["Items"]] == ["TOTAL#bob", "TOTAL#ann", "TOTAL#cid"]


def test_the_usual_case_is_one_call_and_reads_nothing(tables: Tables, game: Game) -> None:
    for number in range(9):
        for user in ("ann", "bob", "cid"):
            game.put(f"s-{number}", user, number)
    counted = Breaking(tables.service)
    tables.write(game.records, counted)
    assert counted.calls == 1
    later = [game.put(f"s-{number}", "ann", 2 * number) for number in range(9)]
    later.append(game.remove("s-1", "bob"))
    tables.write(later, counted)
    assert counted.calls == 2
    assert_exact(tables, game)


def test_the_same_batch_in_other_cuts_changes_nothing(tables: Tables, game: Game) -> None:
    for number in range(40):
        game.put(f"s-{number % 7}", f"u-{number % 3}", number)
    game.remove("s-0", "u-0")
    for size in (41, 7, 1):
        for start in range(0, 41, size):
            tables.write(game.records[start : start + size])
        assert_exact(tables, game)
    result = tables.write(game.records)
    assert result.conflicts == len(tables.entries())


def test_many_scores_of_one_player_in_one_batch(tables: Tables, game: Game) -> None:
    for number in range(250):
        game.put(f"s-{number}", "ann", number)
    counted = Breaking(tables.service)
    tables.write(game.records, counted)
    assert counted.calls == 3
    assert_exact(tables, game)
    assert tables.totals() == {"ann": (Decimal(250 * 249 // 2), 250)}


def test_a_late_redrive_of_an_old_version_changes_nothing(tables: Tables, game: Game) -> None:
    old = [game.put("s", "ann", 5), game.put("s", "ann", 6)]
    new = game.put("s", "ann", 7)
    tables.write([new])
    assert_exact(tables, game)
    for record in old:
        assert tables.write([record]).conflicts == 1
        assert_exact(tables, game)


def test_a_value_that_came_back_hides_no_newer_version(tables: Tables, game: Game) -> None:
    first, middle = game.put("s", "ann", 5), game.put("s", "ann", 6)
    tables.write([first, middle, game.put("s", "ann", 5)])
    # The ledger holds just the value that this one replaced, but of a newer version.
    assert tables.write([middle]).conflicts == 1
    assert_exact(tables, game)


def test_a_removed_score_stays_removed(tables: Tables, game: Game) -> None:
    insert, change = game.put("s", "ann", 5), game.put("s", "ann", 6)
    tables.write([insert])
    tables.write([game.remove("s", "ann")])
    assert tables.totals() == {"ann": (0, 0)}
    for late in (insert, change):
        tables.write([late])
        assert tables.totals() == {"ann": (0, 0)}
    tables.write([game.put("s", "ann", 8)])
    assert tables.totals() == {"ann": (8, 1)}


def test_a_removal_that_comes_first_holds_the_score_out(tables: Tables, game: Game) -> None:
    insert = game.put("s", "ann", 5)
    tables.write([game.remove("s", "ann")])
    assert tables.entries() == {"SCORE#s|USER#ann": LedgerEntry(Decimal(0), 2, live=False)}
    tables.write([insert])
    assert tables.totals() == {}
    tables.assert_sound()


def test_a_change_whose_predecessors_never_came_counts_in_full(tables: Tables, game: Game) -> None:
    game.put("s", "ann", 5)
    tables.write([game.put("s", "ann", 6)])
    assert_exact(tables, game)
    game.put("s", "ann", 60)
    game.put("s", "ann", 61)
    tables.write([game.put("s", "ann", 62)])
    assert_exact(tables, game)


def test_a_change_that_leaves_the_score_as_it_is_still_counts(tables: Tables, game: Game) -> None:
    tables.write([game.put("s", "ann", 5)])
    tables.write([game.put("s", "ann", 5, difficulty="HARD")])
    assert tables.entries()["SCORE#s|USER#ann"].version == 2
    tables.write([game.put("s", "ann", 9)])
    assert_exact(tables, game)


def test_a_score_of_zero_is_a_score(tables: Tables, game: Game) -> None:
    tables.write([game.put("s", "ann", 0)])
    assert tables.totals() == {"ann": (0, 1)}
    tables.write([game.remove("s", "ann")])
    assert tables.totals() == {"ann": (0, 0)}


def test_a_removed_score_is_told_from_a_score_of_zero(tables: Tables, game: Game) -> None:
    tables.write([game.put("s", "ann", 5), game.remove("s", "ann")])
    game.put("s", "ann", 0)
    # Its old image says 0, and so does the ledger: of a score that is gone.
    tables.write([game.put("s", "ann", 9)])
    assert tables.totals() == {"ann": (9, 1)}


def test_scores_whose_names_look_alike_are_two(tables: Tables) -> None:
    one = score("a|USER#b", "c", 5)
    two = score("a", "b|USER#c", 7)
    tables.write([stream_record(None, one), stream_record(None, two, sequence=2)])
    assert tables.totals() == {"c": (5, 1), "b|USER#c": (7, 1)}


def test_scores_without_a_version_go_by_their_time(tables: Tables) -> None:
    def record(old: int | None, new: int, second: int) -> Raw:
        items = [None if value is None else score(value=value) for value in (old, new)]
        for item in items:
            if item is not None:
                del item["version"]
        return stream_record(*items, created=1_760_000_000 + second)

    first, again, later = record(None, 5, 0), record(5, 6, 0), record(6, 7, 1)
    tables.write([first])
    # Within one second: as new as what is there, but it says otherwise.
    tables.write([again])
    assert tables.totals() == {"u-1": (6, 1)}
    tables.write([record(8, 9, 0)])
    assert tables.totals() == {"u-1": (9, 1)}
    tables.write([later])
    tables.write([first])
    assert tables.totals() == {"u-1": (7, 1)}


def test_numbers_of_38_digits_add_up(tables: Tables, game: Game) -> None:
    game.put("s-1", "ann", LONGEST)
    game.put("s-2", "ann", LONGEST)
    tables.write(game.records)
    assert_exact(tables, game)
    assert tables.totals()["ann"][0] == Decimal(24691357802469135780246913578024691356)
    tables.write([game.put("s-1", "ann", 1), game.put("s-3", "ann", LONGEST)])
    assert_exact(tables, game)
    tables.write([game.remove("s-2", "ann"), game.remove("s-3", "ann")])
    assert tables.totals() == {"ann": (1, 1)}


def test_the_smallest_and_the_largest(tables: Tables, game: Game) -> None:
    for user, text in (("tiny", "1E-130"), ("huge", "9.9E+125"), ("deep", "-9.9E+125")):
        game.put("s", user, Decimal(text))
    result = tables.write(game.records)
    assert not result.rejected
    assert_exact(tables, game)


def test_a_sum_that_does_not_fit_costs_only_the_score_to_blame(tables: Tables, game: Game) -> None:
    for number in range(30):
        game.put(f"s-{number}", f"u-{number % 3}", number)
    tables.write(game.records)
    batch = [game.put(f"s-{number}", f"u-{number % 3}", number + 1) for number in range(30)]
    good = game.copy()
    batch.insert(7, game.put("too-big", "u-1", LONGEST * 10**20))
    result = tables.write(batch)
    assert list(result.rejected) == [7]
    refusal = result.rejected[7]
    assert "38" in refusal.reason
    assert "mend the score" in refusal.hint
    assert not result.unavailable
    assert_exact(tables, good)


def test_of_a_refused_score_the_version_before_counts(tables: Tables, game: Game) -> None:
    game.put("other", "ann", Decimal("0.5"))
    game.put("s", "ann", 7)
    whole = game.copy()
    game.put("s", "ann", Decimal("1E+120"))
    result = tables.write(game.records)
    assert list(result.rejected) == [2]
    assert_exact(tables, whole)
    # And as if each had come by itself.
    apart = support.make_tables(tables.client)
    assert [bool(apart.write([record]).rejected) for record in game.records] == [
        False,
        False,
        True,
    ]
    assert apart.totals() == tables.totals()
    assert apart.entries() == tables.entries()


def test_a_refused_score_does_not_spoil_what_replaces_it(tables: Tables, game: Game) -> None:
    tables.write([game.put("other", "ann", Decimal("0.5"))])
    for user in ("ann", "bob"):
        assert tables.write([game.put("s", user, 7)]).rejected == {}
    assert list(tables.write([game.put("s", "ann", Decimal("1E+120"))]).rejected) == [0]
    # The old image says 1E+120, which is not in the ledger: 8 - 1E+120 has too many digits.
    result = tables.write([game.put("s", "bob", 9), game.put("s", "ann", 8)])
    assert not result.rejected
    assert_exact(tables, game)
    assert list(tables.write([game.put("s", "ann", Decimal("1E+120"))]).rejected) == [0]
    assert not tables.write([game.remove("s", "ann")]).rejected
    assert_exact(tables, game)


def test_ten_workers_on_one_player(
    tables: Tables, game: Game, either_servers: LocalServers
) -> None:
    for number in range(60):
        game.put(f"s-{number % 20}", "ann", number)
    game.remove("s-3", "ann")

    def work(seed: int) -> None:
        random = Random(seed)
        records = game.records[:]
        random.shuffle(records)
        own_service = support.service_of(client(either_servers.endpoints, "dynamodb"))
        while records:
            size = random.randint(1, 12)
            assert not tables.write(records[:size], own_service).unavailable
            del records[:size]

    with ThreadPoolExecutor(10) as pool:
        for done in [pool.submit(work, seed) for seed in range(10)]:
            done.result(60)
    assert_exact(tables, game)


def test_a_probe_asks_both_tables_and_writes_nothing(tables: Tables) -> None:
    tables.sink().probe(Deadline(30))
    assert tables.totals() == {}
    assert tables.entries() == {}
    for lost in (replace(tables, table="no-such"), replace(tables, ledger="no-such")):
        with pytest.raises(Unforeseen, match="ResourceNotFoundException"):
            lost.sink().probe(Deadline(30))


@contextmanager
def pages_of_one(client: Any) -> Iterator[None]:
    def shorten(params: dict[str, Any], **_: Any) -> None:
        params["Limit"] = 1

    client.meta.events.register("before-parameter-build.dynamodb.Scan", shorten)
    try:
        yield
    finally:
        client.meta.events.unregister("before-parameter-build.dynamodb.Scan", shorten)


def test_the_state_is_read_page_by_page(tables: Tables, game: Game) -> None:
    for number in range(6):
        game.put(f"s-{number}", f"u-{number % 3}", number)
    tables.write(game.records)
    everything = tables.totals(), tables.entries()
    with pages_of_one(tables.client):
        assert (tables.totals(), tables.entries()) == everything
    assert len(everything[0]) == 3
    assert len(everything[1]) == 6


def test_the_state_is_read_by_name(tables: Tables, game: Game) -> None:
    tables.write([game.put("s", "ann", 5)])
    assert state.total_of(tables.client, tables.table, "ann") == state.Total("ann", Decimal(5), 1)
    assert state.total_of(tables.client, tables.table, "bob") is None
    source = contributions(game.records[0])[0].source
    entry = state.entry_of(tables.client, tables.ledger, source)
    assert entry == LedgerEntry(Decimal(5), 1, live=True)
    assert state.entry_of(tables.client, tables.ledger, "SCORE#x|USER#y") is None
