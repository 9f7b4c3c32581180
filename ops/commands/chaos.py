"""`fanout chaos`: break everything, repeatably, and prove that nothing is lost."""

import logging
import secrets
from collections.abc import Sequence
from pathlib import Path

import click

from infra.local.servers.stack import Engines
from ops.chaos.faults import MEANINGS, REAL_SERVERS, SERVERS, Kind, plan
from ops.chaos.report import render_report
from ops.chaos.run import Campaign, run
from ops.console import FOUND, console, print_json
from ops.context import engines_option

_SEEDS = 1_000_000
_RATE = 50.0
_KINDS = "\n".join(f"  {kind:<13}{meaning}" for kind, meaning in MEANINGS.items())


@click.command(
    help=f"""Run the whole pipeline under faults, and prove that nothing is lost.

While orders and scores are written and read, workers, servers, connections and the disk are
broken, several at once. Then traffic stops, everything drains, and every projection is compared
with the table. State is temporary.

\b
Faults:
{_KINDS}

The same seed gives the same faults and the same traffic; only their exact moments are the
machine's.

\b
Exit code: 0 parity in all projections, nothing parked; 1 something was lost, parked or wrong.

\b
Examples:
  fanout chaos
  fanout chaos --faults 1000 --seconds 1800
  fanout chaos --only kill-amid --only unanswered --seed 7
  fanout chaos --each --faults 10
  fanout chaos --engines real
"""
)
@click.option(
    "--faults", default=100, show_default=True, type=click.IntRange(min=1), help="How many."
)
@click.option(
    "--seed", type=click.IntRange(min=0), help="Repeats a run; drawn by chance if not given."
)
@click.option(
    "--seconds",
    default=900.0,
    show_default=True,
    type=click.FloatRange(min=1),
    help="Inject no fault after so long, even if some are left.",
)
@click.option(
    "--only",
    multiple=True,
    type=click.Choice([kind.value for kind in Kind]),
    metavar="KIND",
    help="Only faults of this kind; may be given more than once.",
)
@click.option(
    "--each",
    is_flag=True,
    help="So many faults of each kind by itself, one pipeline after another.",
)
@click.option(
    "--rate",
    default=_RATE,
    show_default=True,
    type=click.FloatRange(min=1),
    help="Changes a second that the application writes meanwhile.",
)
@engines_option
@click.option("--keep", type=click.Path(path_type=Path), help="Keep all state in this folder.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def chaos(
    *,
    faults: int,
    seed: int | None,
    seconds: float,
    only: tuple[str, ...],
    each: bool,
    rate: float,
    engines: str,
    keep: Path | None,
    as_json: bool,
) -> None:
    """Run one campaign, or one for each kind, and report."""
    # That servers do not answer is what was asked for.
    logging.getLogger("fanout").setLevel(logging.ERROR)
    if seed is None:
        seed = secrets.randbelow(_SEEDS)
    screen = console(stderr=as_json)
    kinds = [Kind(name) for name in only] or list(Kind)
    servers = REAL_SERVERS if engines == Engines.REAL else SERVERS
    reports = []
    for chosen in [[kind] for kind in kinds] if each else [kinds]:
        again = _again(faults, seed, chosen, rate, engines)
        screen.print(f"Seed {seed}. To repeat: {again}", soft_wrap=True)
        folder = keep / chosen[0] if keep and each else keep
        drawn = plan(seed, faults, chosen, servers)
        campaign = Campaign(seed, drawn, seconds, rate, folder, Engines(engines))
        report = run(campaign, lambda what: screen.print(what, soft_wrap=True, markup=False))
        reports.append(report.document())
        if not as_json:
            render_report(screen, report)
        for reason in report.faults_found():
            screen.print(f"[bold red]Failed:[/] {reason}")
            screen.print(f"To repeat: {again} --keep FOLDER", soft_wrap=True)
    if as_json:
        print_json(reports if each else reports[0])
    if not all(document["passed"] for document in reports):
        raise SystemExit(FOUND)


def _again(faults: int, seed: int, kinds: Sequence[Kind], rate: float, engines: str) -> str:
    parts = [f"fanout chaos --faults {faults} --seed {seed}"]
    if len(kinds) < len(Kind):
        parts += [f"--only {kind}" for kind in kinds]
    if rate != _RATE:
        parts.append(f"--rate {rate:g}")
    if engines != Engines.EMBEDDED:
        parts.append(f"--engines {engines}")
    return " ".join(parts)
