"""`fanout status`: lag, throughput, dead letters and freshness of each consumer."""

import time
from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Group, RenderableType
from rich.live import Live

from infra.local.status import ConsumerStatus, PipelineStatus
from ops.console import FOUND, Failure, console, print_json, table
from ops.context import open_deployment, state_option
from shared.clock import now_ms

_WATCH_SECONDS = 0.5
_COLUMNS = (
    "consumer", ">lag", ">oldest", ">delivered", ">per s", ">retries", ">parked",
    ">fresh p50", ">fresh p99", "alarms",
)  # fmt: skip


@click.command()
@click.option("--watch", is_flag=True, help="Keep the table up to date until Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="Print the status as JSON.")
@state_option
def status(watch: bool, as_json: bool, state: Path) -> None:
    """Show how each consumer is doing.

    lag and oldest: records not yet dealt with, and the age of the oldest. parked: messages in
    the consumer's dead-letter queue. fresh: from the writing of a heartbeat to its effect.

    \b
    Exit code: 0 fine; 1 an alarm fires or records are parked; 2 no pipeline runs.

    \b
    Examples:
      fanout status
      fanout status --watch
      fanout status --json | jq '.consumers[] | {name, lag_records}'
    """
    open_deployment(state)
    found = _load(state)
    if as_json:
        print_json(asdict(found))
    elif watch and console().is_terminal:
        _watch(state)
    else:
        console().print(render_status(found))
    if any(consumer.alarms or consumer.parked for consumer in found.consumers):
        raise SystemExit(FOUND)


def _load(state: Path) -> PipelineStatus:
    try:
        return PipelineStatus.load(state)
    except FileNotFoundError:
        raise Failure("the pipeline has only just been started", "try again in a second") from None


def _watch(state: Path) -> None:
    with Live(render_status(_load(state)), console=console(), auto_refresh=False) as live:
        try:
            while True:
                time.sleep(_WATCH_SECONDS)
                open_deployment(state)
                live.update(render_status(_load(state)), refresh=True)
        except KeyboardInterrupt:
            return


def render_status(found: PipelineStatus) -> RenderableType:
    """The status as tables; also what `fanout demo` shows while it runs."""
    rows = [_row(consumer) for consumer in found.consumers]
    age = max(0, now_ms() - found.at_ms) / 1000
    shown: list[RenderableType] = [table(f"Consumers ({age:.0f} s ago)", _COLUMNS, rows)]
    servers = [(s.name, s.url, s.pid or "down", s.restarts) for s in found.servers]
    if servers:
        shown.append(table("Servers", ("server", "address", ">pid", ">restarts"), servers))
    shown += [f"{c.name}: {c.last_error}" for c in found.consumers if c.last_error]
    return Group(*shown)


def _row(consumer: ConsumerStatus) -> tuple[object, ...]:
    median, high = consumer.freshness_ms or (None, None)
    return (
        consumer.name,
        f"{consumer.lag_records:,}",
        duration(consumer.lag_ms),
        f"{consumer.delivered:,}",
        f"{consumer.per_second:,.0f}",
        consumer.retries,
        consumer.parked,
        duration(median),
        duration(high),
        ", ".join(consumer.alarms) or "-",
    )


def duration(milliseconds: float | None) -> str:
    """Milliseconds for people: `12 ms`, `3.4 s`, `5 min`."""
    if milliseconds is None:
        return "-"
    if milliseconds < 1_000:
        return f"{milliseconds:.0f} ms"
    if milliseconds < 120_000:
        return f"{milliseconds / 1_000:.1f} s"
    return f"{milliseconds / 60_000:.0f} min"
