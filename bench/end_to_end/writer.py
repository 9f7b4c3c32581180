"""Writes the demonstration's traffic in a process of its own: paced, or a backlog at full speed.

`python -m bench.end_to_end.writer STATE NOTES SEED RATE SECONDS CHANGES` writes until the first of
seconds and changes is reached, and then notes what it wrote and when: a JSON list of
`[partition key, version, before, after]`, times in seconds since the epoch around the call. The
version of a removal is 0.
"""

import json
import os
import sys
import threading
import time
from collections.abc import Iterable
from pathlib import Path

from infra.local.deployment import Deployment
from ops.traffic.run import Application, Plan, Tally
from ops.traffic.table import Item, Table, version_of

Note = tuple[str, int, float, float]

# More than any run writes before it is stopped; two scores an order, as in the demonstration.
_ORDERS, _SCORES = 100_000, 200_000
_LOOK_SECONDS = 0.01


class NotedTable(Table):
    """A table that notes each write that was acknowledged."""

    def __init__(self, name: str) -> None:
        """The table `name`."""
        super().__init__(name)
        self.notes: list[Note] = []

    def create(self, item: Item) -> None:
        """As `Table.create`."""
        before = time.time()
        super().create(item)
        self._note([item], before)

    def replace(self, old: Item, new: Item | None) -> None:
        """As `Table.replace`."""
        before = time.time()
        super().replace(old, new)
        if new is None:
            self.notes.append((old["PK"], 0, before, time.time()))
        else:
            self._note([new], before)

    def create_many(self, items: Iterable[Item]) -> None:
        """As `Table.create_many`."""
        written, before = list(items), time.time()
        super().create_many(written)
        self._note(written, before)

    def _note(self, items: Iterable[Item], before: float) -> None:
        after = time.time()
        self.notes += [(item["PK"], version_of(item), before, after) for item in items]


def write(table: NotedTable, seed: int, rate: float, seconds: float, changes: int) -> None:
    """Write until `seconds` are over or `changes` are written, whichever comes first."""
    stop, tally = threading.Event(), Tally()
    application = Application(table, Plan(_ORDERS, _SCORES, seed, rate), tally, stop)
    writing = threading.Thread(target=application.run, name="writer")
    writing.start()
    end = time.monotonic() + seconds
    while writing.is_alive() and time.monotonic() < end and tally.changes < changes:
        time.sleep(_LOOK_SECONDS)
    stop.set()
    writing.join()


def main(state: Path, notes: Path, *numbers: str) -> None:
    """Write to the pipeline in `state`; `numbers` are seed, rate, seconds and changes."""
    seed, rate, seconds, changes = numbers
    deployment = Deployment.load(state)
    os.environ.update(deployment.aws_environment())
    table = NotedTable(deployment.table)
    write(table, int(seed), float(rate), float(seconds), int(changes))
    notes.write_text(json.dumps(table.notes), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:])
