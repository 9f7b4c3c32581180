"""The application's model: lives that end, versions that grow, the same for the same seed."""

import random
import threading
import time
from datetime import UTC, datetime
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from ops.traffic import orders, scores
from ops.traffic.run import Pace, Plan, Tally
from shared.codec import decode_image
from shared.encoding import encode_image
from shared.entities import ORDER_STATUSES

NOW = datetime(2025, 10, 9, 8, 53, 20, tzinfo=UTC)


def life(seed: int) -> list[orders.Item]:
    """Every state of one order, up to its end."""
    rng = random.Random(seed)
    item: orders.Item | None = orders.new_order(rng, "o-1", NOW)
    states = []
    while item is not None:
        states.append(item)
        if orders.is_final(item):
            break
        item = orders.advance(item, rng)
    return states


@given(st.integers(0, 10_000))
def test_every_life_ends_and_every_change_is_a_version(seed: int) -> None:
    states = life(seed)
    assert [state["metadata"]["version"] for state in states] == list(range(1, len(states) + 1))
    assert len(states) < 15
    for state in states:
        assert state["status"] in ORDER_STATUSES
        assert decode_image(encode_image(state)) == state
        assert state["totalAmount"] == sum(
            (line["price"] * line["quantity"] for line in state["items"]), Decimal(0)
        )
        assert state["metadata"]["createdAt"] <= state["metadata"]["updatedAt"]


def test_lives_hold_failures_retries_and_cancellations() -> None:
    lives = [life(seed) for seed in range(400)]
    seen = {state["status"] for states in lives for state in states}
    assert seen == set(ORDER_STATUSES)
    assert any(not orders.is_final(states[-1]) for states in lives), "some are cancelled"
    assert any(states[-1]["workflowContext"]["retryCount"] > 1 for states in lives)


def test_the_same_seed_is_the_same_life() -> None:
    assert life(7) == life(7)
    assert life(7) != life(8)


def test_a_step_changes_nothing_in_place() -> None:
    rng = random.Random(3)
    before = orders.new_order(rng, "o-1", NOW)
    kept = encode_image(before)
    orders.advance(before, rng)
    orders.edit(before, rng)
    assert encode_image(before) == kept


def test_edits_move_some_orders_to_another_customer() -> None:
    rng = random.Random(3)
    item = orders.new_order(rng, "o-1", NOW)
    customers = {orders.edit(item, rng)["customerId"] for _ in range(20)}
    assert len(customers) > 2


def test_scores_are_exact_and_few_players_play_much() -> None:
    rng = random.Random(5)
    made = [scores.new_score(rng, f"s-{number}", NOW) for number in range(500)]
    assert all(decode_image(encode_image(item)) == item for item in made)
    assert any(item["Score"] % 1 for item in made)
    players = [item["SK"] for item in made]
    assert max(map(players.count, set(players))) > 10
    assert scores.correct(made[0], rng)["version"] == 2


def test_pace_holds_the_rate() -> None:
    pace, stop = Pace(200), threading.Event()
    start = time.monotonic()
    for _ in range(60):
        pace.wait(stop)
    # At least: 60 changes at 200 per second, less the second that a late start may catch up.
    assert time.monotonic() - start >= 59 / 200 - 0.01


def test_a_stopped_pace_waits_for_nobody() -> None:
    pace, stop = Pace(0.001), threading.Event()
    stop.set()
    start = time.monotonic()
    pace.wait(stop)
    pace.wait(stop)
    assert time.monotonic() - start < 60


def test_the_tally_counts() -> None:
    tally = Tally()
    tally.add(orders=2, changes=3)
    tally.add(changes=1)
    assert tally.counts()["changes"] == 4
    assert "_lock" not in tally.counts()
    assert Plan(orders=1, scores=1, seed=1).rate == 0
