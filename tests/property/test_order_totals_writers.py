"""Two workers on the same scores, their transactions in every order, one of them dying anywhere.

Systematic: as after a shard moved, or during a redrive, an old worker and a new one both deliver
changes of the same player's scores. Each is stopped before every transaction it makes, those with
which it corrects a wrong guess included; every order in which they can reach DynamoDB is played.
And for each point at which the old worker may die, its batches are delivered again from the start.
At the end the total is the exact sum, and no ledger entry is older than the newest change.

That this can fail is shown with the ledger's condition taken out.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from decimal import Decimal
from itertools import count
from typing import Any

import pytest

from consumers.totals import transaction
from consumers.totals.sink import Call
from infra.local.servers import LocalServers
from tests.support import totals as support
from tests.support.records import Raw
from tests.support.servers import client
from tests.support.totals import Game, Tables
from tests.support.transaction_faults import Killed

Batches = Sequence[Sequence[Raw]]
_SECONDS = 20.0
_names = count()
# What a play may take at most; more would be a worker that goes round in circles.
_MOST_STEPS = 24


class Worker:
    """Delivers batches in a thread of its own, and waits before each transaction to be let on."""

    def __init__(self, tables: Tables, batches: Batches, dies_before: int = -1) -> None:
        self._tables, self._batches, self._dies_before = tables, batches, dies_before
        self._turn, self._waits = threading.Semaphore(0), threading.Semaphore(0)
        self.calls = 0
        self.done = False
        self.trouble: Any = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self._await()

    def begin(self, operation: str, body: bytes, seconds: float) -> Call:
        self._waits.release()
        assert self._turn.acquire(timeout=_SECONDS)
        if self.calls == self._dies_before:
            raise Killed
        self.calls += 1
        return self._tables.service.begin(operation, body, seconds)

    def go(self) -> None:
        """Let it make the transaction that it waits with; returns once it waits again, or ended."""
        self._turn.release()
        self._await()

    def _await(self) -> None:
        assert self._waits.acquire(timeout=_SECONDS), "the worker neither waits nor ends"

    def _run(self) -> None:
        with suppress(Killed):
            for batch in self._batches:
                result = self._tables.write(batch, self)
                if result.rejected or result.unavailable:
                    self.trouble = result
        self.done = True
        self._waits.release()


class Play:
    """Scores of one player who is in no other play, and the workers that deliver them."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._user = f"player-{next(_names)}"
        game = Game()
        self._a1 = game.put("a", self._user, 10)
        self._b1 = game.put("b", self._user, 7)
        self._a2 = game.put("a", self._user, 25)
        self._b2 = game.remove("b", self._user)
        self.old: Batches = ([self._a1, self._b1], [self._a2], [self._b2])

    def second(self, name: str) -> Batches:
        """What the other worker delivers: news at once, or old news in another cut."""
        return ([self._a2, self._b2],) if name == "ahead" else ([self._b1], [self._a1])

    def run(self, second: str, dies_before: int, choices: Sequence[int]) -> list[int]:
        """Let one of those who can go go, as chosen, the first where nothing is chosen.

        Returns how many could at each step.
        """
        workers = [
            Worker(self._tables, self.old, dies_before),
            Worker(self._tables, self.second(second)),
        ]
        widths: list[int] = []
        for step in range(_MOST_STEPS):
            if workers[0].done and dies_before >= 0:
                # Dead, or done before it could die: in both cases delivered again.
                workers[0], dies_before = Worker(self._tables, self.old), -1
            able = [worker for worker in workers if not worker.done]
            if not able:
                assert not any(worker.trouble for worker in workers)
                return widths
            widths.append(len(able))
            able[choices[step] if step < len(choices) else 0].go()
        raise AssertionError("the workers find no end")

    def wrong(self) -> str:
        """What is not as it should be, or ""."""
        key = transaction.total_key(self._user)
        item = self._tables.client.get_item(TableName=self._tables.table, Key=key).get("Item", {})
        total, scores = Decimal(item["total"]["N"]), int(item["scores"]["N"])
        return "" if (total, scores) == (Decimal(25), 1) else f"total {total} of {scores} scores"


def orders(play: Callable[[Sequence[int]], list[int]]) -> Iterator[Sequence[int]]:
    """Every sequence of choices, each after it was played."""
    choices: list[int] = []
    while True:
        widths = play(choices)
        chosen = [*choices, *[0] * (len(widths) - len(choices))]
        yield chosen
        while chosen and chosen[-1] + 1 == widths[len(chosen) - 1]:
            chosen.pop()
        if not chosen:
            return
        choices = [*chosen[:-1], chosen[-1] + 1]


def played(tables: Tables, second: str, dies_before: int = -1) -> list[str]:
    """What was wrong at the end of each order."""
    current: list[Play] = []

    def play(choices: Sequence[int]) -> list[int]:
        current[:] = [Play(tables)]
        return current[0].run(second, dies_before, choices)

    return [current[0].wrong() for _ in orders(play)]


@pytest.fixture(scope="module")
def tables(servers: LocalServers) -> Tables:
    return support.make_tables(client(servers.endpoints, "dynamodb"))


@pytest.mark.parametrize("second", ["ahead", "behind"])
def test_no_interleaving_loses_or_doubles_anything(tables: Tables, second: str) -> None:
    found = played(tables, second)
    for dies_before in range(4):
        found += played(tables, second, dies_before)
    assert not any(found), {each for each in found if each}
    assert len(found) > 60
    tables.assert_sound()


def test_without_the_ledgers_condition_a_sum_is_wrong(
    tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The proof that the test above looks."""
    monkeypatch.setattr(transaction, "_IF_NONE", "}}")
    monkeypatch.setattr(transaction, "_IF_KNOWN", "}}%.0s%.0s%.0s")
    for second in ("ahead", "behind"):
        found = played(tables, second)
        assert any(found), second
