"""What goes wrong in the simulation, and when: by one seed."""

from __future__ import annotations

import random
from collections import Counter

from infra.local.lambda_runtime.invocation import Failure, Invocation, NotRun
from shared.errors import Unavailable
from tests.support.simulation_shards import Clock


class Killed(BaseException):
    """The process is gone, between two steps."""


AWAY = {
    "stream away": (5.0, 120.0),
    "stream throttles": (30.0, 300.0),
    "destination away": (10.0, 300.0),
    "disk full": (5.0, 120.0),
    # As by SIGSTOP.
    "frozen": (1.0, 120.0),
}
# Iterators expire meanwhile.
_LONG_FREEZE_SHARE, _LONG_FREEZE = 0.15, (900.0, 2_400.0)
KILLS = ("killed", "power lost")
_CALL_FAILS = {"throttled": 0.001, "connection lost": 0.001}
_INVOCATION = {
    "partial failure": 0.05,
    "handler raises": 0.03,
    "handler times out": 0.01,
    "worker crashes": 0.01,
    "invalid response": 0.02,
    "function throttled": 0.02,
}


class Faults:
    """Decides what fails.

    Attributes:
        counts: how often each kind happened; of a time of trouble, once.
        calm: nothing goes wrong any more.
    """

    def __init__(self, clock: Clock, chance: random.Random) -> None:
        self.counts: Counter[str] = Counter()
        self.calm = False
        self.dying = ""
        self._clock, self._chance = clock, chance
        self._until: dict[str, float] = {}
        self._steps_to_live = -1

    def begin_trouble(self) -> None:
        """Let one thing, chosen at random, go wrong for a while, or a kill be near."""
        if self.calm:
            return
        kind = self._chance.choice([*AWAY, *KILLS, *KILLS, *KILLS])
        if kind in KILLS:
            if self._steps_to_live < 0:
                self.dying, self._steps_to_live = kind, self._chance.randint(0, 400)
            return
        self.counts[kind] += 1
        bounds = AWAY[kind]
        if kind == "frozen" and self._chance.random() < _LONG_FREEZE_SHARE:
            bounds = _LONG_FREEZE
        self._until[kind] = self._clock.now + self._chance.uniform(*bounds)

    def calm_down(self) -> None:
        """From here on nothing goes wrong."""
        self.calm = True
        self._until.clear()
        self._steps_to_live = -1

    def away(self, kind: str) -> bool:
        """Whether this trouble is on."""
        return self._clock.now < self._until.get(kind, 0.0)

    def until(self, kind: str) -> float:
        """When this trouble ends, or ended."""
        return self._until.get(kind, 0.0)

    def step(self, what: str) -> None:
        """Anything that the mapping does to the outside. Raises Killed if it is its last."""
        if self._steps_to_live < 0:
            return
        self._steps_to_live -= 1
        if self._steps_to_live < 0:
            self.counts[self.dying] += 1
            raise Killed(what)

    def call(self, operation: str) -> None:
        """A call of the stream's API. Raises Unavailable as the client would."""
        self.step(operation)
        if self.calm:
            return
        kind = self._drawn(_CALL_FAILS)
        if self.away("stream away"):
            kind = "connection lost"
        elif self.away("stream throttles") and self._chance.random() < 0.5:
            kind = "throttled"
        if kind:
            self.counts[kind] += 1
            raise Unavailable(f"{operation}: {kind}")

    def send(self) -> None:
        """A message to the on-failure destination. Raises Unavailable."""
        self.step("before a message")
        if self.away("destination away"):
            self.counts["message refused"] += 1
            raise Unavailable("the destination is away")

    def invocation(self) -> str:
        """What goes wrong with the next invocation; "" for nothing."""
        kind = "" if self.calm else self._drawn(_INVOCATION)
        if kind:
            self.counts[kind] += 1
        return kind

    def _drawn(self, shares: dict[str, float]) -> str:
        drawn = self._chance.random()
        for kind, share in shares.items():
            drawn -= share
            if drawn < 0:
                return kind
        return ""


def failed(kind: str) -> Invocation:
    """The outcome of an invocation that failed as a whole."""
    if kind == "invalid response":
        return Invocation("r", b'{"batchItemFailures":[{"itemIdentifier":"1"}]}')
    if kind == "handler times out":
        return Invocation("r", None, Failure.TIMEOUT, "Sandbox.Timedout")
    if kind == "worker crashes":
        return Invocation("r", None, Failure.CRASHED, "Runtime.ExitError")
    return Invocation("r", None, Failure.RAISED, "ValueError")


def not_run() -> NotRun:
    """The error of a function that could not be run."""
    return NotRun("the function is throttled")
