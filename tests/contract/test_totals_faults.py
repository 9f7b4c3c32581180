"""The totals sink when the server fails, is slow to say so, or the worker dies half-way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from decimal import Decimal
from itertools import chain
from random import Random
from typing import Any

import pytest
from botocore.exceptions import ClientError

from consumers.totals import delivery
from consumers.totals.sink import MAX_UNDER_WAY, Unforeseen
from infra.local.servers import LocalServers
from shared.clock import Deadline
from shared.errors import DeadlineNear, Unavailable
from shared.runtime import WriteResult
from tests.support import totals as support
from tests.support.servers import client
from tests.support.totals import Game, Tables, contributions, without_zeros
from tests.support.transaction_faults import (
    Answer,
    Breaking,
    Killed,
    answering,
    cancelled,
    failure,
    items_of,
)


@pytest.fixture(scope="module")
def dynamodb(servers: LocalServers) -> Any:
    return client(servers.endpoints, "dynamodb")


@pytest.fixture
def tables(dynamodb: Any) -> Tables:
    return support.make_tables(dynamodb)


@pytest.fixture
def game() -> Game:
    return Game()


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses so short that giving up takes no time."""
    monkeypatch.setattr(delivery, "LAST_PAUSE_SECONDS", 0.001)


def assert_exact(tables: Tables, game: Game) -> None:
    tables.assert_sound()
    assert without_zeros(tables.totals()) == without_zeros(game.expected())


def eventful(game: Game) -> tuple[list, list]:
    """A batch, and the one before it, that need every step: corrections, chunks, a split."""
    for number in range(8):
        game.put(f"s-{number}", "ann", number)
    game.put("s-0", "bob", Decimal("0.5"))
    before = game.records[:]
    for number in range(120):
        game.put(f"t-{number}", "cid", number)
    for number in range(0, 8, 2):
        game.put(f"s-{number}", "ann", 10 * number)
    game.remove("s-1", "ann")
    # Without its predecessor: the guess is wrong.
    game.put("s-1", "bob", 3)
    skipped = len(game.records) - 1
    game.put("s-1", "bob", 4)
    batch = game.records[len(before) : skipped] + game.records[skipped + 1 :]
    refused = replace(game, records=[]).copy().put("s-9", "bob", Decimal("1E+120"))
    return before, [*batch[:60], refused, *batch[60:]]


def boundaries(dynamodb: Any) -> Iterator[tuple[int, bool]]:
    calls = count_of_calls(dynamodb)
    assert calls >= 6
    return ((call, after) for call in range(calls) for after in (False, True))


def count_of_calls(dynamodb: Any) -> int:
    tables, game = support.make_tables(dynamodb), Game()
    before, batch = eventful(game)
    tables.write(before)
    breaking = Breaking(tables.service)
    assert list(tables.write(batch, breaking).rejected) == [60]
    return breaking.calls


def test_a_worker_may_die_between_any_two_steps(dynamodb: Any) -> None:
    for call, after in boundaries(dynamodb):
        tables, game = support.make_tables(dynamodb), Game()
        before, batch = eventful(game)
        tables.write(before)
        with pytest.raises(Killed):
            tables.write(batch, Breaking(tables.service, call, after=after))
        tables.assert_sound()
        # Redelivered in another cut.
        cut = 40 + call
        results = [tables.write(part) for part in (batch[:cut], batch[cut:])]
        assert not any(result.unavailable for result in results)
        assert sum(len(result.rejected) for result in results) == 1
        assert_exact(tables, game)


@pytest.mark.parametrize("after", [False, True])
def test_an_answer_that_never_came_is_found_out_in_the_ledger(
    tables: Tables, game: Game, *, after: bool
) -> None:
    for number in range(30):
        game.put(f"s-{number}", f"u-{number % 4}", number)
    breaking = Breaking(tables.service, 0, after=after, error=Unavailable("no answer"))
    result = tables.write(game.records, breaking)
    assert breaking.calls == 2
    assert not result.unavailable
    assert result.conflicts == (30 if after else 0)
    assert_exact(tables, game)


@pytest.mark.parametrize(
    "answer",
    [
        failure("ProvisionedThroughputExceededException"),
        failure("ThrottlingException"),
        failure("RequestLimitExceeded"),
        failure("TransactionInProgressException"),
        failure("InternalServerError", status=500),
        failure("ServiceUnavailable", status=503),
        cancelled("None", "TransactionConflict"),
        cancelled("TransactionConflict", "None"),
        cancelled("ThrottlingError", "ProvisionedThroughputExceeded"),
    ],
    ids=lambda answer: str(answer[1])[:70],
)
def test_what_passes_is_waited_for(tables: Tables, game: Game, answer: Answer, hasty: None) -> None:
    answers = iter([answer] * 4)
    with answering(lambda _: next(answers, None)):
        result = tables.write([game.put("s", "ann", 5)])
    assert next(answers, None) is None
    assert result == WriteResult()
    assert_exact(tables, game)


@pytest.mark.parametrize(
    "answer",
    [failure("ThrottlingException"), failure("InternalServerError", status=500)],
    ids=["throttled", "broken"],
)
def test_an_outage_ends_the_batch(tables: Tables, game: Game, answer: Answer, hasty: None) -> None:
    for number in range(300):
        game.put(f"s-{number}", f"u-{number % 150}", number)
    game.put("s-0", "u-0", 7)
    asked = []

    def answers(request: dict[str, Any]) -> Answer:
        asked.append(request)
        return answer

    with answering(answers):
        result = tables.write(game.records)
    assert set(result.unavailable) == set(range(301))
    assert all(isinstance(cause, Unavailable) for cause in result.unavailable.values())
    # Those that were under way when it began; then one goes ahead until it gives up.
    assert len(asked) == MAX_UNDER_WAY + delivery.MAX_WAITS
    assert tables.totals() == {}
    tables.write(game.records)
    assert_exact(tables, game)


@pytest.mark.parametrize("code", ["TransactionConflict", "ThrottlingError"])
@pytest.mark.parametrize("where", ["ledger", "total"])
def test_one_players_trouble_never_holds_the_others(
    tables: Tables, game: Game, code: str, where: str, hasty: None
) -> None:
    for number in range(40):
        game.put(f"s-{number // 4}", f"u-{number % 4}", number)
    game.put("s-0", "u-2", 100)
    troubled = {"ledger": "SCORE#s-5|USER#u-2", "total": "u-2"}[where]

    def trouble(request: dict[str, Any]) -> Answer | None:
        items = items_of(request)
        if (where, troubled) not in items:
            return None
        return cancelled(*(code if item == (where, troubled) else "None" for item in items))

    with answering(trouble):
        result = tables.write(game.records)
    theirs = [i for i, record in enumerate(contributions(*game.records)) if record.user == "u-2"]
    # Also the version that s-0's second one supersedes.
    assert sorted(result.unavailable) == theirs
    assert set(tables.totals()) == {"u-0", "u-1", "u-3"}
    tables.assert_sound()
    tables.write(game.records[min(result.unavailable) :])
    assert_exact(tables, game)


def test_random_conflicts_and_lost_answers(
    tables: Tables, game: Game, servers: LocalServers, hasty: None
) -> None:
    random = Random(11)
    for number in range(200):
        game.put(f"s-{number % 37}", f"u-{number % 5}", number)
        if number % 9 == 0:
            game.remove(f"s-{number % 37}", f"u-{number % 5}")
    seen: Counter[str] = Counter()
    unhooked = client(servers.endpoints, "dynamodb")

    def fate(request: dict[str, Any]) -> Answer | None:
        lot = random.choice(["none", "none", "conflict", "throttle", "broken", "lost"])
        seen[lot] += 1
        items = items_of(request)
        codes = ["None"] * len(items)
        if lot == "conflict":
            codes[random.randrange(len(items))] = "TransactionConflict"
            return cancelled(*codes)
        if lot == "throttle":
            return failure("ThrottlingException")
        if lot == "broken":
            return failure("InternalServerError", status=500)
        if lot == "lost":
            with suppress(ClientError):
                unhooked.transact_write_items(**request)
            return failure("InternalServerError", status=500)
        return None

    with answering(fate):
        for start in range(0, len(game.records), 23):
            part = game.records[start : start + 23]
            while tables.write(part).unavailable:
                pass
    assert min(seen[lot] for lot in ("conflict", "throttle", "broken", "lost")) > 0
    assert_exact(tables, game)


def test_without_time_nothing_is_begun(tables: Tables, game: Game) -> None:
    batch = contributions(game.put("s", "ann", 5), game.put("s", "bob", 5))
    breaking = Breaking(tables.service)
    result = tables.sink(breaking).write(batch, Deadline(0.5))
    assert breaking.calls == 0
    assert [type(cause) for cause in result.unavailable.values()] == [DeadlineNear] * 2
    with pytest.raises(DeadlineNear):
        tables.sink(breaking).probe(Deadline(0.5))


def test_waiting_ends_with_the_deadline(
    tables: Tables, game: Game, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "MAX_WAITS", 10**6)
    batch = contributions(game.put("s", "ann", 5))
    deadline = Deadline(delivery.TRANSACTION_SECONDS + 0.5)
    with answering(lambda _: cancelled("TransactionConflict", "None")):
        result = tables.sink().write(batch, deadline)
    assert "same player's total" in result.unavailable[0].reason
    assert 0 < deadline.remaining() < delivery.TRANSACTION_SECONDS + 0.5


def unknown(code: str, status: int = 400) -> Callable[[Any], Answer]:
    return lambda _: failure(code, "never heard of", status)


@pytest.mark.parametrize(
    "answer",
    [
        unknown("AccessDeniedException"),
        unknown("ResourceNotFoundException"),
        unknown("SomethingNew"),
        lambda _: cancelled("None", "SomethingNew"),
    ],
)
def test_an_unknown_error_is_loud(
    tables: Tables, game: Game, answer: Callable[[Any], Answer]
) -> None:
    with answering(answer), pytest.raises(Unforeseen):
        tables.write([game.put("s", "ann", 5)])
    tables.write(game.records)
    assert_exact(tables, game)


def test_tables_that_take_nothing_empty_no_stream_into_the_queue(
    tables: Tables, game: Game
) -> None:
    """As with a ledger table that has a sort key: no score is to blame."""
    for number in range(20):
        game.put(f"s-{number}", f"u-{number % 3}", number)
    text = "One of the required keys was not given a value"
    with answering(unknown("ValidationException")):
        result = tables.write(game.records)
    assert not result.rejected
    assert "refuses whatever" in result.unavailable[0].reason
    assert len(result.unavailable) == 20

    def cancels(request: dict[str, Any]) -> Answer:
        return cancelled(*["ValidationError"] * len(request["TransactItems"]), Message=text)

    with answering(cancels):
        result = tables.write(game.records)
    assert not result.rejected
    assert len(result.unavailable) == 20


def test_a_refusal_for_one_score_only(tables: Tables, game: Game) -> None:
    """What the server cannot be made to say: an item of the ledger refused for itself."""
    for number in range(30):
        game.put(f"s-{number}", f"u-{number % 3}", number)
    guilty = ("ledger", "SCORE#s-17|USER#u-2")

    def refuses(request: dict[str, Any]) -> Answer | None:
        items = items_of(request)
        if guilty not in items or "attribute_exists" in str(request):
            return None
        codes = ["ValidationError" if item == guilty else "None" for item in items]
        return cancelled(*codes, Message="Item size has exceeded the maximum allowed size")

    with answering(refuses):
        result = tables.write(game.records)
    assert {index: error.reason for index, error in result.rejected.items()} == {
        17: "Item size has exceeded the maximum allowed size"
    }
    assert not result.unavailable
    game.remove("s-17", "u-2")
    assert_exact(tables, game)


def test_every_index_is_reported_once(tables: Tables, game: Game) -> None:
    for number in range(6):
        game.put("s", "ann", number)
    with answering(unknown("ThrottlingException")):
        result = tables.sink().write(contributions(*game.records), Deadline(1.2))
    named = Counter(chain(result.unavailable, result.rejected))
    assert named == Counter(range(6))
