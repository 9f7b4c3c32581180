"""Game scores: submitted once, sometimes corrected, sometimes struck out."""

import random
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from ops.traffic import catalogue
from ops.traffic.orders import iso
from shared.entities import Kind, key_pair

Item = dict[str, Any]

# A few players play much: totals are folded, and contended, as in a real game.
PLAYERS = 120


def new_score(rng: random.Random, score_id: str, now: datetime) -> Item:
    """A fresh score, version 1; every tenth has fractions, as time bonuses do."""
    player = min(int(rng.expovariate(1 / 25)), PLAYERS - 1)
    partition, sort = key_pair(Kind.SCORE, score_id, f"player-{player:03}")
    value = Decimal(rng.randint(10, 5_000))
    if rng.random() < 0.1:
        value += Decimal(rng.randint(1, 999)).scaleb(-3)
    return {
        "PK": partition,
        "SK": sort,
        "Score": value,
        "taskType": rng.choice(catalogue.TASK_TYPES),
        "difficulty": rng.choice(catalogue.DIFFICULTIES),
        "createdAt": iso(now - timedelta(seconds=rng.uniform(0, 3600))),
        "version": 1,
    }


def correct(item: Item, rng: random.Random) -> Item:
    """The score after a referee changed it, one version on."""
    return {**item, "Score": Decimal(rng.randint(0, 5_000)), "version": item["version"] + 1}
