"""`fanout traffic`: write orders and scores into a running pipeline."""

import threading
from pathlib import Path

import click

from ops.console import console, pairs, print_json
from ops.context import open_deployment, state_option
from ops.traffic.progress import run_with_progress
from ops.traffic.readers import Readers
from ops.traffic.run import Plan, Tally
from ops.traffic.table import Table


@click.command()
@click.option("--orders", default=100, show_default=True, help="Orders to take through their life.")
@click.option("--scores", default=200, show_default=True, help="Game scores to submit.")
@click.option("--rate", default=0.0, help="Changes per second in all; 0 for as fast as it goes.")
@click.option("--seed", default=1, show_default=True, help="The same seed writes the same lives.")
@click.option("--prefix", default="", help="Put before every id, to tell runs apart.")
@click.option("--json", "as_json", is_flag=True, help="Print the counts as JSON.")
@state_option
def traffic(  # noqa: PLR0917 - one parameter per option
    orders: int, scores: int, rate: float, seed: int, prefix: str, as_json: bool, state: Path
) -> None:
    """Write the changes that an application would.

    Orders go through their whole life with optimistic locking: payment failures and retries,
    cancellations, edits by support meanwhile. Scores are submitted, corrected, struck out.
    Readers read all the while, through the cache.

    \b
    Examples:
      fanout traffic                          100 orders, 200 scores, at full speed
      fanout traffic --rate 50 --orders 5000  50 changes per second
      fanout traffic --seed 7 --prefix b-     another run beside the first
    """
    deployment = open_deployment(state)
    plan = Plan(orders=orders, scores=scores, seed=seed, rate=rate, prefix=prefix)
    tally = Tally()
    with Readers(deployment.table, deployment.cache_url, plan, tally):
        run_with_progress(Table(deployment.table), plan, tally, threading.Event(), quiet=as_json)
    if as_json:
        print_json(tally.counts())
    else:
        console().print(pairs("Written", tally.counts()))
