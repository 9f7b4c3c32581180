"""`make mutate`: without any one of the safeguards, a test must fail."""

import argparse
import os
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from queue import SimpleQueue
from typing import TypeVar

from rich.console import Console
from rich.table import Table

from tests.mutation.mutant import Mutant
from tests.mutation.run import Result, Verdict, copied_tree, run_tests, try_mutant
from tests.mutation.table import MUTANTS

T = TypeVar("T")


def main() -> int:
    parser = argparse.ArgumentParser(prog="make mutate ARGS=...", description=__doc__)
    parser.add_argument("--only", default="", metavar="WORD", help="rows that say this word")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    console = Console()
    chosen = [mutant for mutant in MUTANTS if options.only in mutant.safeguard]
    began = time.monotonic()
    with ExitStack() as stack, ThreadPoolExecutor(options.workers) as pool:
        trees: SimpleQueue[Path] = SimpleQueue()
        for _ in range(options.workers):
            trees.put(stack.enter_context(copied_tree()))

        def in_a_tree(work: Callable[[Path], T]) -> T:
            tree = trees.get()
            try:
                return work(tree)
            finally:
                trees.put(tree)

        def passes(tests: Sequence[str]) -> bool:
            code, output = in_a_tree(lambda tree: run_tests(tree, tests))
            if code:
                console.print(output, highlight=False, markup=False)
            return not code

        def taken_out(mutant: Mutant) -> Result:
            result = in_a_tree(lambda tree: try_mutant(tree, mutant))
            console.print(f"{result.verdict}: {mutant.safeguard}")
            return result

        # A test that fails anyway would catch every mutant.
        whole = list(dict.fromkeys(chain.from_iterable(mutant.tests for mutant in chosen)))
        shares = [whole[share :: options.workers] for share in range(options.workers)]
        if not all(list(pool.map(passes, filter(None, shares)))):
            console.print("These tests fail with all safeguards in place: mend that first.")
            return 1
        seconds = time.monotonic() - began
        console.print(
            f"{len(chosen)} safeguards; with all in place {len(whole)} selections pass "
            f"({seconds:.0f} s)."
        )
        results = list(pool.map(taken_out, chosen))
    _show(console, results)
    caught = sum(result.verdict is Verdict.CAUGHT for result in results)
    seconds = time.monotonic() - began
    console.print(f"{caught} of {len(chosen)} caught in {seconds:.0f} s")
    return 0 if chosen and caught == len(chosen) else 1


def _show(console: Console, results: list[Result]) -> None:
    table = Table("safeguard taken out", "verdict", "by", "s")
    for result in results:
        style = "green" if result.verdict is Verdict.CAUGHT else "bold red"
        verdict = f"[{style}]{result.verdict}[/]"
        table.add_row(result.mutant.safeguard, verdict, result.by, f"{result.seconds:.0f}")
    console.print(table)


if __name__ == "__main__":
    sys.exit(main())
