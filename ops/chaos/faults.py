"""Which faults there are, and a plan of them: the same seed gives the same faults. Pure."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

SERVERS = ("aws", "cache", "search")
REAL_SERVERS = ("aws", "dynamodb", "cache", "search")
"""Where real engines run, DynamoDB is a server of its own."""
CONSUMERS = ("audit", "metrics", "cache", "search", "totals")
PIPELINE = "pipeline"
_DISK, _DELIVERIES, _WORKERS = "disk", "deliveries", "workers"


class Kind(StrEnum):
    """What is done; the values are the names on the command line."""

    KILL_WORKER = "kill-worker"
    STOP_WORKER = "stop-worker"
    KILL_AMID = "kill-amid"
    KILL_PIPELINE = "kill-pipeline"
    KILL_SERVER = "kill-server"
    STOP_SERVER = "stop-server"
    SLOW = "slow"
    REFUSE = "refuse"
    CUT = "cut"
    LATE = "late"
    UNANSWERED = "unanswered"
    MISREPORTED = "misreported"
    THROTTLE = "throttle"
    FULL_DISK = "full-disk"
    REPEAT = "repeat"
    RECUT = "recut"


MEANINGS = {
    Kind.KILL_WORKER: "SIGKILL to a worker, at any moment",
    Kind.STOP_WORKER: "SIGSTOP to a worker, later SIGCONT",
    Kind.KILL_AMID: "SIGKILL to the workers of a consumer, before or after a write is carried out",
    Kind.KILL_PIPELINE: "SIGKILL to the process that delivers, with all workers; started again",
    Kind.KILL_SERVER: "SIGKILL to a server; cache and search come back empty",
    Kind.STOP_SERVER: "SIGSTOP to a server, later SIGCONT",
    Kind.SLOW: "answers come in small pieces",
    Kind.REFUSE: "connections are refused, open ones reset",
    Kind.CUT: "the connection drops in the middle of a request or an answer",
    Kind.LATE: "carried out, but answered after the client's timeout",
    Kind.UNANSWERED: "carried out, but the connection drops before the answer",
    Kind.MISREPORTED: "carried out, but answered with an error",
    Kind.THROTTLE: "not carried out: 429, 503, throughput exceeded, conflict, SlowDown, LOADING",
    Kind.FULL_DISK: "no space left under the checkpoints of a consumer",
    Kind.REPEAT: "batches delivered again, beside the live ones",
    Kind.RECUT: "records delivered again in other batches and another order",
}

# How often each is chosen, against the others.
_WEIGHTS = {
    Kind.KILL_WORKER: 8,
    Kind.STOP_WORKER: 6,
    Kind.KILL_AMID: 12,
    Kind.KILL_PIPELINE: 2,
    Kind.KILL_SERVER: 4,
    Kind.STOP_SERVER: 5,
    Kind.SLOW: 8,
    Kind.REFUSE: 8,
    Kind.CUT: 12,
    Kind.LATE: 4,
    Kind.UNANSWERED: 12,
    Kind.MISREPORTED: 8,
    Kind.THROTTLE: 14,
    Kind.FULL_DISK: 7,
    Kind.REPEAT: 8,
    Kind.RECUT: 9,
}
_ON_CONSUMERS = {
    Kind.KILL_WORKER: _WORKERS,
    Kind.STOP_WORKER: _WORKERS,
    Kind.FULL_DISK: _DISK,
    Kind.REPEAT: _DELIVERIES,
    Kind.RECUT: _DELIVERIES,
}
# Seconds that a fault lasts, at least and at most. One that waits for requests ends with the
# last of them; this is then the longest wait.
_SECONDS = {
    Kind.STOP_WORKER: (0.2, 2.0),
    # Beyond the two seconds that the cache's sink waits, and near the five of AWS's clients.
    Kind.STOP_SERVER: (0.2, 4.5),
    Kind.REFUSE: (0.2, 2.0),
    Kind.FULL_DISK: (0.5, 2.5),
}
_PATIENCE = (2.0, 4.0)
_PAUSE = (0.0, 0.8)
# What has just begun again has something to lose only once it has worked for a while.
_PIPELINE_PAUSE = (0.5, 5.0)
_MOST_REQUESTS = 2


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault.

    Attributes:
        number: its place in the plan, from 1.
        kind: what is done.
        target: a server, a consumer, or the pipeline.
        lane: faults of one lane never overlap; those of different lanes do.
        pause: seconds of calm before it, in its lane.
        seconds: how long it lasts.
        requests: how many requests it spoils, where it is one of the wire.
        seed: for what it decides by chance.
    """

    number: int
    kind: Kind
    target: str
    lane: str
    pause: float
    seconds: float
    requests: int
    seed: str

    def chance(self) -> random.Random:
        """Its own randomness, the same in each run."""
        return random.Random(self.seed)


def plan(
    seed: int, count: int, kinds: Sequence[Kind] = (), servers: Sequence[str] = SERVERS
) -> list[Fault]:
    """`count` faults; each kind comes once before any comes twice, in a seeded order.

    A shorter plan of the same seed and kinds is the beginning of a longer one.

    Args:
        seed: decides everything.
        count: how many.
        kinds: which kinds, all if empty.
        servers: which servers there are.
    """
    allowed = list(kinds or Kind)
    first = random.Random(f"{seed}/kinds").sample(allowed, len(allowed))
    return [_fault(seed, number, allowed, first, servers) for number in range(1, count + 1)]


def _fault(
    seed: int,
    number: int,
    allowed: Sequence[Kind],
    first: Sequence[Kind],
    servers: Sequence[str],
) -> Fault:
    rng = random.Random(f"{seed}/plan/{number}")
    (kind,) = rng.choices(allowed, [_WEIGHTS[kind] for kind in allowed])
    if number <= len(first):
        kind = first[number - 1]
    target = rng.choice(_targets(kind, servers))
    return Fault(
        number=number,
        kind=kind,
        target=target,
        lane=_ON_CONSUMERS.get(kind, target),
        pause=rng.uniform(*(_PIPELINE_PAUSE if kind is Kind.KILL_PIPELINE else _PAUSE)),
        seconds=rng.uniform(*_SECONDS.get(kind, _PATIENCE)),
        requests=rng.randint(1, _MOST_REQUESTS),
        seed=f"{seed}/fault/{number}",
    )


def _targets(kind: Kind, servers: Sequence[str]) -> Sequence[str]:
    if kind is Kind.KILL_PIPELINE:
        return (PIPELINE,)
    if kind in _ON_CONSUMERS:
        return CONSUMERS
    if kind is Kind.MISREPORTED:
        # Redis either does what it is told or says why it did not.
        return [name for name in servers if name != "cache"]
    if kind is Kind.LATE:
        # The search sink waits longest for an answer: seldom enough.
        return [name for name in servers for _ in range(1 if name == "search" else 10)]
    return servers
