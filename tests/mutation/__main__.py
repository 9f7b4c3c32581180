"""`make mutate`: without any one of the safeguards, a test must fail."""

import argparse
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import chain

from rich.console import Console
from rich.table import Table

from tests.mutation.run import Result, Verdict, copied_tree, run_tests, try_mutant
from tests.mutation.table import MUTANTS, Mutant


def main() -> int:
    parser = argparse.ArgumentParser(prog="make mutate ARGS=...", description=__doc__)
    parser.add_argument("--only", default="", metavar="WORD", help="rows that say this word")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    console = Console()
    chosen = [mutant for mutant in MUTANTS if options.only in mutant.safeguard]
    began = time.monotonic()
    # A test that fails anyway would catch every mutant.
    whole = list(dict.fromkeys(chain.from_iterable(mutant.tests for mutant in chosen)))
    with copied_tree() as tree:
        code, output = run_tests(tree, whole)
    if code:
        console.print(output, highlight=False, markup=False)
        console.print("These tests fail with all safeguards in place: mend that first.")
        return 1
    console.print(f"{len(chosen)} safeguards; with all in place {len(whole)} selections pass.")
    results = _all(console, chosen, options.workers)
    _show(console, results)
    caught = sum(result.verdict is Verdict.CAUGHT for result in results)
    seconds = time.monotonic() - began
    console.print(f"{caught} of {len(chosen)} caught in {seconds:.0f} s")
    return 0 if chosen and caught == len(chosen) else 1


def _all(console: Console, chosen: list[Mutant], workers: int) -> list[Result]:
    shares = [chosen[worker::workers] for worker in range(workers)]

    def take(share: list[Mutant]) -> list[Result]:
        done = []
        with copied_tree() as tree:
            for mutant in share:
                done.append(try_mutant(tree, mutant))
                console.print(f"{done[-1].verdict}: {mutant.safeguard}")
        return done

    with ThreadPoolExecutor(workers) as pool:
        results = list(chain.from_iterable(pool.map(take, shares)))
    return sorted(results, key=lambda result: chosen.index(result.mutant))


def _show(console: Console, results: list[Result]) -> None:
    table = Table("safeguard taken out", "verdict", "by", "s")
    for result in results:
        style = "green" if result.verdict is Verdict.CAUGHT else "bold red"
        verdict = f"[{style}]{result.verdict}[/]"
        table.add_row(result.mutant.safeguard, verdict, result.by, f"{result.seconds:.0f}")
    console.print(table)


if __name__ == "__main__":
    sys.exit(main())
