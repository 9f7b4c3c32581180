"""`python -m tests.fuzz`: a million damaged records, then the coverage-guided fuzzer."""

import argparse
import multiprocessing
import os
import secrets
from concurrent.futures import ProcessPoolExecutor, as_completed

from rich.console import Console
from rich.table import Table

from tests.fuzz import bulk
from tests.fuzz.guided import Guided
from tests.fuzz.targets import TARGETS

_BATCHES_PER_TASK = 100


def main() -> None:
    parser = argparse.ArgumentParser(prog="make fuzz ARGS=...", description=__doc__)
    parser.add_argument("--records", type=int, default=1_000_000, help="damaged records in all")
    parser.add_argument("--seed", type=int, help="of the first batch; random if not given")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--guided", type=int, default=20, metavar="SECONDS", help="per target")
    parser.add_argument("--keep", action="store_true", help="keep inputs that reach new code")
    options = parser.parse_args()
    console = Console()
    seed = secrets.randbelow(2**31) if options.seed is None else options.seed
    console.print(f"{options.records:,} records from seed {seed} on, {options.workers} workers")
    if options.records:
        _show(console, _bulk(console, seed, options.records, options.workers))
    for name in TARGETS if options.guided else ():
        found = Guided(name, seed).run(options.guided)
        console.print(
            f"{name}: {found.runs:,} inputs, {len(found.edges):,} edges, {len(found.corpus)} kept"
        )
        if options.keep:
            found.keep()


def _bulk(console: Console, seed: int, records: int, workers: int) -> bulk.Tally:
    tally = bulk.Tally()
    batches = -(-records // bulk.BATCH)
    starts = range(seed, seed + batches, _BATCHES_PER_TASK)
    tasks = [range(at, min(at + _BATCHES_PER_TASK, seed + batches)) for at in starts]
    context = multiprocessing.get_context("spawn")
    with (
        ProcessPoolExecutor(workers, mp_context=context) as pool,
        console.status("") as status,
    ):
        for done in as_completed([pool.submit(bulk.run, task) for task in tasks]):
            try:
                tally.add(done.result())
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
            status.update(f"{tally.records:,} records")
    return tally


def _show(console: Console, tally: bulk.Tally) -> None:
    table = Table("consumer", "records", "written", "of no concern", "parked", "lost")
    for name, counts in tally.outcomes.items():
        accounted = counts["written"] + counts["passed"] + counts["parked"]
        row = (tally.records, counts["written"], counts["passed"], counts["parked"])
        table.add_row(name, *(f"{number:,}" for number in (*row, tally.records - accounted)))
    console.print(table)


if __name__ == "__main__":
    main()
