"""Baseline and consumer leave the same result; and a difference would be noticed."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest

from bench.handlers import GOALS
from bench.loopback import Loopback
from bench.sameness import Different, Form, form_of, require_same
from bench.side import Side, SideFailed, give, lambda_environment
from bench.workload import Prepared, prepared

RECORDS = 150


@pytest.fixture(scope="module")
def loopback() -> Iterator[Loopback]:
    with Loopback() as running:
        yield running


def written(loopback: Loopback, target: str, consumer: str, batch: Prepared) -> Form:
    """What a handler leaves in its destination."""
    with Side(target, lambda_environment(loopback, consumer)) as side:
        give("batch", batch, (side,))
        loopback.take(keep=True)
        printed = side.ask("show", name="batch")["printed"]
        return form_of(consumer, loopback.take().bodies, printed)


def ours(consumer: str) -> str:
    return f"consumers.{consumer}.handler:handler"


@pytest.fixture(scope="module")
def forms(loopback: Loopback) -> dict[str, Form]:
    """What each of our handlers leaves."""
    return {name: written(loopback, ours(name), name, prepared(name, RECORDS)) for name in GOALS}


@pytest.mark.parametrize("consumer", GOALS)
def test_the_batched_baseline_leaves_the_same(
    loopback: Loopback, forms: dict[str, Form], consumer: str
) -> None:
    batch = prepared(consumer, RECORDS)
    theirs = written(loopback, f"bench.baseline.{consumer}:handler", consumer, batch)
    require_same(consumer, forms[consumer], theirs)


@pytest.mark.parametrize("consumer", GOALS)
def test_the_naive_baseline_leaves_the_same(
    loopback: Loopback, forms: dict[str, Form], consumer: str
) -> None:
    batch = prepared(consumer, RECORDS)
    theirs = written(loopback, f"bench.baseline.naive:{consumer}", consumer, batch)
    require_same(consumer, forms[consumer], theirs)


def test_a_handler_that_knows_a_record_again_is_shown_another(loopback: Loopback) -> None:
    # As for the sizes of batches, one after the other in the same process.
    counted = []
    with Side(ours("metrics"), lambda_environment(loopback, "metrics")) as side:
        give("batch", prepared("metrics", RECORDS), (side,))
        for call in (1, 1, 2):
            printed = side.ask("show", name="batch", call=call)["printed"]
            counted.append(form_of("metrics", (), printed))
    assert counted[0]
    assert not counted[1]
    assert counted[2] == counted[0]


def test_each_record_has_its_part_in_what_is_compared(forms: dict[str, Form]) -> None:
    assert len(forms["audit"]) == RECORDS
    assert len(forms["search"]) > RECORDS / 2
    assert len(forms["cache"]) > RECORDS
    assert sum(key[0] == "ledger" for key in forms["totals"]) == RECORDS
    steps = {key: value for key, value in forms["metrics"].items() if key[1] == "Count"}
    assert sum(steps.values()) > RECORDS / 2


@pytest.mark.parametrize("consumer", GOALS)
def test_a_missing_entry_is_noticed(forms: dict[str, Form], consumer: str) -> None:
    less = deepcopy(forms[consumer])
    del less[next(iter(less))]
    with pytest.raises(Different, match="1 entries differ"):
        require_same(consumer, forms[consumer], less)
    with pytest.raises(Different, match="1 entries differ"):
        require_same(consumer, less, forms[consumer])


@pytest.mark.parametrize("consumer", GOALS)
def test_other_records_are_noticed(
    loopback: Loopback, forms: dict[str, Form], consumer: str
) -> None:
    other = prepared(consumer, RECORDS, seed=5)
    with pytest.raises(Different):
        require_same(consumer, forms[consumer], written(loopback, ours(consumer), consumer, other))


def test_one_changed_value_is_noticed(forms: dict[str, Form]) -> None:
    changed = deepcopy(forms["search"])
    name, (version, document) = next(iter(changed.items()))
    changed[name] = (version, {**document, "orderId": "another"})
    with pytest.raises(Different, match="another"):
        require_same("search", forms["search"], changed)


def test_two_empty_results_are_no_proof() -> None:
    with pytest.raises(Different, match="nothing was written"):
        require_same("cache", {}, {})


def test_a_line_that_comes_twice_is_noticed() -> None:
    from shared.archive_compression import compress

    body = compress([b'{"eventID":"1"}\n'])
    with pytest.raises(Different, match="written twice"):
        form_of("audit", [body, body], "")


def test_a_handler_that_reports_failures_stops_the_benchmark(
    loopback: Loopback, capfd: pytest.CaptureFixture[str]
) -> None:
    environment: dict[str, Any] = lambda_environment(loopback, "cache")
    environment["FANOUT_CACHE_URL"] = "redis://127.0.0.1:1/0"  # nobody listens there
    with Side(ours("cache"), environment) as side:
        give("batch", prepared("cache", 10), (side,))
        with pytest.raises(SideFailed, match="failed at `run`"):
            side.ask("run", name="batch", calls=1)
    assert "reported failures" in capfd.readouterr().err
