"""A great many damaged records through every consumer, on ends in memory: `make fuzz`.

Each batch comes from a seed of its own, so that a failure is repeated alone:
`python -m tests.fuzz --seed 4711 --records 1`.
"""

import faulthandler
import logging
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from random import Random
from unittest import mock

from shared.spec import Source
from tests.fuzz.account import desks
from tests.fuzz.material import batch

BATCH = 50
# Good records among them.
CONTROLS = 2
# A batch that takes longer hangs: the stacks are printed, and the run ends.
HANGS_SECONDS = 90
# Of the batches, this many are first delivered while parking fails.
_REFUSED = 10


@dataclass(slots=True)
class Tally:
    """What became of the records of a run, by consumer."""

    records: int = 0
    seconds: float = 0.0
    outcomes: dict[str, Counter[str]] = field(default_factory=dict)

    def add(self, other: "Tally") -> None:
        self.records += other.records
        self.seconds = max(self.seconds, other.seconds)
        for name, counts in other.outcomes.items():
            self.outcomes.setdefault(name, Counter()).update(counts)


def run(seeds: Iterable[int]) -> Tally:
    """Deliver one batch for each seed to all consumers. Raises at the first that is not right."""
    began, tally = time.monotonic(), Tally()
    with desks() as all_desks, mock.patch("shared.failures._logger", _logger):
        for seed in seeds:
            faulthandler.dump_traceback_later(HANGS_SECONDS, exit=True)
            rng = Random(seed)
            source = rng.choice((Source.STREAM, Source.KINESIS))
            made = batch(rng, source, BATCH, serial=seed * (BATCH + CONTROLS))
            refuse = not rng.randrange(_REFUSED)
            for desk in all_desks:
                try:
                    desk.take(made, refuse=refuse)
                except Exception as error:
                    error.add_note(f"seed {seed}, consumer {desk.name}")
                    raise
            tally.records += len(made.entries)
        faulthandler.cancel_dump_traceback_later()
    tally.outcomes = {desk.name: desk.total for desk in all_desks}
    tally.seconds = time.monotonic() - began
    return tally


def _logger(consumer: str) -> logging.Logger:
    """What failures are logged with: millions of lines are formatted, and none is kept."""
    return _LINES


class _Lines(logging.Logger):
    def error(self, msg: object, *args: object, **line: object) -> None:
        text = repr((msg, line))
        assert text.encode(), "a log is UTF-8"
        assert len(text) < 10_000


_LINES = _Lines("fuzz")
