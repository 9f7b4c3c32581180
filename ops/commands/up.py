"""`fanout up`: start the pipeline and stay."""

import signal
import threading
from pathlib import Path
from types import FrameType

import click

from consumers.registry import REGISTRY
from infra.local.pipeline import Options, Pipeline
from infra.local.servers.stack import Engines, Given
from ops.console import console, pairs, table
from ops.context import engines_option, state_option


@click.command()
@click.option("--aws-url", help="Use this AWS emulator, or `aws` for AWS itself.")
@click.option("--cache-url", help="Use this Redis or Valkey, redis://HOST:PORT.")
@click.option("--search-url", help="Use this OpenSearch, http://HOST:PORT.")
@click.option(
    "--alarm-scale",
    type=click.FloatRange(min=0, min_open=True, max=1),
    default=1.0,
    show_default=True,
    help="Shorten all alarm periods: 0.1 makes a minute six seconds.",
)
@engines_option
@state_option
def up(
    *,
    aws_url: str | None,
    cache_url: str | None,
    search_url: str | None,
    alarm_scale: float,
    engines: str,
    state: Path,
) -> None:
    """Start servers and consumers, and stay until Ctrl-C or `fanout down`.

    Everything is kept in the state folder. A run that was killed, even with SIGKILL, is resumed
    where it was: nothing is lost and nothing is skipped.

    \b
    Examples:
      fanout up
      fanout up --state ./mine
      fanout up --engines real --state ./real
      fanout up --cache-url redis://127.0.0.1:6379 --search-url http://127.0.0.1:9200
    """
    stop = threading.Event()

    def end(_signal: int, _frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    screen = console()
    options = Options(
        given=Given(aws_url, cache_url, search_url),
        engines=Engines(engines),
        alarm_scale=alarm_scale,
    )
    with screen.status("starting"):
        pipeline = Pipeline(REGISTRY, state, options).__enter__()
    try:
        _greet(pipeline, state)
        stop.wait()
    finally:
        with screen.status("stopping"):
            pipeline.close()
    screen.print("stopped; `fanout up` goes on from here")


def _greet(pipeline: Pipeline, state: Path) -> None:
    screen, found = console(), pipeline.deployment
    rows = [(spec.name, spec.source, spec.destination) for spec in REGISTRY]
    screen.print(table("Consumers", ("consumer", "reads", "keeps true"), rows))
    servers = {"AWS": found.aws_url or "AWS", "DynamoDB": found.dynamodb_url}
    servers |= {"cache": found.cache_url, "search": found.search_url}
    screen.print(pairs("Servers", {name: url for name, url in servers.items() if url}))
    flag = "" if str(state) == ".fanout" else f" --state {state}"
    screen.print(
        f"Up. In another terminal: fanout traffic{flag}; fanout status{flag} --watch; "
        f"fanout verify{flag}"
    )
