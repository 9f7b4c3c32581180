"""`fanout verify`: compare every projection with the table."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import click

from infra.local.pipeline import LOGS
from ops.console import FOUND, console, print_json
from ops.context import open_deployment, state_option
from ops.verify.render import is_parity, render
from ops.verify.run import PROJECTIONS, Tell, verify_all
from ops.verify.settle import DEFAULT_PATIENCE_SECONDS


@click.command()
@click.option(
    "--only",
    multiple=True,
    type=click.Choice(PROJECTIONS),
    help="Verify this projection alone; may be given more than once.",
)
@click.option(
    "--timeout",
    default=DEFAULT_PATIENCE_SECONDS,
    show_default=True,
    type=click.FloatRange(min=0),
    help="Seconds to look again at what differs while nothing settles.",
)
@click.option("--json", "as_json", is_flag=True, help="Print all verdicts as JSON.")
@state_option
def verify(only: tuple[str, ...], timeout: float, as_json: bool, state: Path) -> None:
    """Prove that each projection says what the table says.

    \b
    audit    every item's last image, and its image chain without a gap
    metrics  counts and sums against the archive's changes
    cache    each entry against a fresh load
    search   each order's document, by version and content; nothing else is shown
    totals   each total against the sum of its scores, and the ledger entry by entry

    What differs may be on its way: it is looked at again until it has settled, or until nothing
    has settled for --timeout seconds. Then it is a finding.

    \b
    Exit code: 0 parity; 1 something differs; 2 no pipeline runs, or a server does not answer.

    \b
    Examples:
      fanout verify
      fanout verify --only search --only totals
      fanout verify --json | jq '.projections[].findings[].item'
    """
    deployment = open_deployment(state)
    with _progress(quiet=as_json) as tell:
        verdicts = verify_all(deployment, state / LOGS, only=only, patience=timeout, tell=tell)
    if as_json:
        projections = [asdict(verdict) for verdict in verdicts]
        print_json({"parity": is_parity(verdicts), "projections": projections})
    else:
        render(console(), verdicts)
    if not is_parity(verdicts):
        raise SystemExit(FOUND)


@contextmanager
def _progress(*, quiet: bool) -> Iterator[Tell]:
    """Tells what is being done: in place on a terminal, in plain lines elsewhere, on stderr."""
    screen = console(stderr=True)
    if quiet:
        yield lambda _: None
    elif screen.is_terminal:
        with screen.status("reading the table") as status:
            yield status.update
    else:
        said: list[str] = []

        def say(what: str) -> None:
            if [what] != said:
                said[:] = [what]
                screen.print(what, markup=False)

        yield say
