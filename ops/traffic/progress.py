"""The application's run with a progress bar on a terminal, and a line now and then elsewhere."""

import threading
from concurrent.futures import ThreadPoolExecutor

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from ops.console import console
from ops.traffic.run import Application, Plan, Tally
from ops.traffic.table import Table

_TICK_SECONDS = 0.2


def run_with_progress(
    table: Table, plan: Plan, tally: Tally, stop: threading.Event, *, quiet: bool = False
) -> None:
    """Run the plan to its end; Ctrl-C stops the writers between two changes."""
    screen = console(stderr=True)
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[changes]} changes"),
        TimeElapsedColumn(),
        console=screen,
        disable=quiet or not screen.is_terminal,
    )
    with bar, ThreadPoolExecutor(1) as pool:
        placed = bar.add_task("orders", total=plan.orders, changes=0)
        scored = bar.add_task("scores", total=plan.scores, changes=0)
        running = pool.submit(Application(table, plan, tally, stop).run)
        try:
            while not running.done():
                stop.wait(_TICK_SECONDS)
                bar.update(placed, completed=tally.orders, changes=tally.changes)
                bar.update(scored, completed=tally.scores, changes="")
        except KeyboardInterrupt:
            stop.set()
            raise
        running.result()
