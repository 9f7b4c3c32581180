"""`fanout demo`: the whole pipeline once, with proof that nothing is missing."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click
from rich.console import Console, Group
from rich.live import Live

from consumers.registry import REGISTRY
from infra.local.pipeline import LOGS, Options, Pipeline
from infra.local.servers.stack import Engines
from infra.local.status import PipelineStatus
from ops.commands.status import render_status
from ops.console import FOUND, console, pairs, print_json
from ops.context import engines_option
from ops.traffic.readers import Readers
from ops.traffic.run import Application, Plan, Tally
from ops.traffic.table import Table
from ops.verify.findings import Verdict
from ops.verify.render import is_parity, render
from ops.verify.run import verify_all
from shared.clock import now_ms

_TICK_SECONDS = 0.25
_LINE_EVERY_SECONDS = 5.0
# After the last write: how long the consumers may take before the verifier looks anyway.
_DRAIN_SECONDS = 120.0


@dataclass(slots=True)
class _Outcome:
    """What one demonstration did; times in seconds."""

    tally: Tally
    reads: int = 0
    hit_ratio: float = 0.0
    started: float = 0.0
    wrote: float = 0.0
    drained: float = 0.0
    verified: float = 0.0


@click.command()
@click.option(
    "--orders", default=1000, show_default=True, help="Orders to take through their life."
)
@click.option("--scores", default=2000, show_default=True, help="Game scores to submit.")
@click.option("--seed", default=1, show_default=True, help="The same seed writes the same lives.")
@click.option("--keep", type=click.Path(path_type=Path), help="Keep all state in this folder.")
@engines_option
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON.")
def demo(
    *, orders: int, scores: int, seed: int, keep: Path | None, engines: str, as_json: bool
) -> None:
    """Start everything, write orders and scores, and prove that no projection lacks anything.

    Servers are embedded unless asked otherwise, state is temporary, and nothing is left behind.

    \b
    Exit code: 0 parity in all projections; 1 something is missing or wrong.

    \b
    Examples:
      fanout demo
      fanout demo --orders 200 --scores 100 --seed 7
      fanout demo --keep ./state      then: fanout up --state ./state
      fanout demo --engines real --orders 100 --scores 200
    """
    plan = Plan(orders=orders, scores=scores, seed=seed)
    outcome = _Outcome(Tally())
    screen = console(stderr=as_json)
    begun = time.monotonic()
    with Pipeline(REGISTRY, keep, Options(engines=Engines(engines))) as pipeline:
        outcome.started = time.monotonic() - begun
        screen.print(f"Started servers and {len(REGISTRY)} consumers in {outcome.started:.1f} s.")
        _write(pipeline, plan, outcome, screen)
        _drain(pipeline, outcome, screen)
        begun = time.monotonic()
        verdicts = verify_all(pipeline.deployment, pipeline.folder / LOGS)
        outcome.verified = time.monotonic() - begun
        status = pipeline.status()
        deployment = asdict(pipeline.deployment)
    parity = is_parity(verdicts) and _complete(verdicts, plan)
    if as_json:
        print_json(_document(outcome, status, verdicts, deployment, parity=parity))
    else:
        _tell(screen, outcome, status, verdicts, keep)
    if not parity:
        raise SystemExit(FOUND)


def _complete(verdicts: list[Verdict], plan: Plan) -> bool:
    """A projection that has nothing to compare proves nothing."""
    if plan.orders == 0 or plan.scores == 0:
        return True
    return all(verdict.checked for verdict in verdicts)


def _write(pipeline: Pipeline, plan: Plan, outcome: _Outcome, screen: Console) -> None:
    """Write everything in the plan while readers read."""
    stop = threading.Event()
    found, tally = pipeline.deployment, outcome.tally
    begun = time.monotonic()
    with (
        Readers(found.table, found.cache_url, plan, tally) as readers,
        ThreadPoolExecutor(1) as pool,
    ):
        writing = pool.submit(Application(Table(found.table), plan, tally, stop).run)
        try:
            _show(pipeline, plan, tally, writing, screen)
        finally:
            stop.set()
        writing.result()
    outcome.wrote = time.monotonic() - begun
    outcome.reads, outcome.hit_ratio = readers.count, readers.hit_ratio()


def _show(
    pipeline: Pipeline, plan: Plan, tally: Tally, writing: Future[None], screen: Console
) -> None:
    said = time.monotonic()
    with _live(screen) as live:
        while not writing.done():
            time.sleep(_TICK_SECONDS)
            status = pipeline.status()
            if live:
                live.update(Group(_headline(plan, tally), render_status(status)), refresh=True)
            elif time.monotonic() - said > _LINE_EVERY_SECONDS:
                said = time.monotonic()
                screen.print(f"{_headline(plan, tally)}; {_lags(status)}", soft_wrap=True)


@contextmanager
def _live(screen: Console) -> Iterator[Live | None]:
    if not screen.is_terminal:
        yield None
        return
    with Live(console=screen, auto_refresh=False, transient=True) as live:
        yield live


def _headline(plan: Plan, tally: Tally) -> str:
    return (
        f"writing: {tally.orders:,} of {plan.orders:,} orders, "
        f"{tally.scores:,} of {plan.scores:,} scores, {tally.changes:,} changes"
    )


def _lags(status: PipelineStatus) -> str:
    lags = (f"{each.name} {each.lag_records:,}" for each in status.consumers)
    return "behind: " + ", ".join(lags)


def _drain(pipeline: Pipeline, outcome: _Outcome, screen: Console) -> None:
    """Wait until every consumer has dealt with everything that was written."""
    written, begun = now_ms(), time.monotonic()
    while not pipeline.drained(written):
        if time.monotonic() - begun > _DRAIN_SECONDS:
            screen.print(f"not drained after {_DRAIN_SECONDS:.0f} s; verifying all the same")
            break
        time.sleep(_TICK_SECONDS)
    outcome.drained = time.monotonic() - begun


def _tell(
    screen: Console,
    outcome: _Outcome,
    status: PipelineStatus,
    verdicts: list[Verdict],
    keep: Path | None,
) -> None:
    rate = outcome.tally.changes / max(outcome.wrote, 0.001)
    written = {
        **outcome.tally.counts(),
        "reads through the cache": f"{outcome.reads} ({outcome.hit_ratio:.0%} hits)",
        "changes per second": f"{rate:,.0f}",
    }
    screen.print(pairs(f"Written in {outcome.wrote:.1f} s", written))
    screen.print(render_status(status))
    render(screen, verdicts)
    screen.print(
        f"Drained {outcome.drained:.1f} s after the last write; "
        f"verified in {outcome.verified:.1f} s."
    )
    where = f"--state {keep}" if keep else ""
    screen.print(
        f"Look further: fanout up {where}".rstrip()
        + ", then in another terminal: fanout traffic; fanout status --watch; "
        "fanout search walnut; fanout history ord-000001",
        soft_wrap=True,
    )


def _document(
    outcome: _Outcome,
    status: PipelineStatus,
    verdicts: list[Verdict],
    deployment: dict[str, Any],
    *,
    parity: bool,
) -> dict[str, Any]:
    seconds = ("started", "wrote", "drained", "verified")
    return {
        "parity": parity,
        "written": outcome.tally.counts(),
        "reads": outcome.reads,
        "hit_ratio": outcome.hit_ratio,
        "seconds": {name: getattr(outcome, name) for name in seconds},
        "projections": [asdict(verdict) for verdict in verdicts],
        "deployment": deployment,
        **asdict(status),
    }
