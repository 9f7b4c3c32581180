"""`fanout history`: an item's life from the archive."""

from collections.abc import Iterator
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.console import Console
from rich.text import Text

from ops.console import FOUND, console, print_json
from ops.context import open_deployment, state_option
from ops.history import Difference, Life, Step, lives_of
from shared.archive import Archive

_MASK = "•••"
# Two values and a path fit into one line.
_LONGEST = 38
_VERBS = {"INSERT": "created", "MODIFY": "changed", "REMOVE": "removed"}


@click.command()
@click.argument("item")
@click.option("--show-personal", is_flag=True, help="Show names, addresses and the like.")
@click.option("--json", "as_json", is_flag=True, help="Print every change, and where it stands.")
@state_option
def history(item: str, show_personal: bool, as_json: bool, state: Path) -> None:
    """Show an item's life, change by change, as the archive knows it.

    ITEM is the id of an order or a score, the id of a user (for the user's total), or a whole
    key, PK|SK. Where changes are missing, a gap is marked.

    \b
    Exit code: 0 found; 1 the archive knows no such item; 2 used wrongly.

    \b
    Examples:
      fanout history ord-000017
      fanout history player-003
      fanout history 'SCORE#score-000042|USER#player-003' --json
    """
    deployment = open_deployment(state)
    lives = list(lives_of(Archive(deployment.bucket), item))
    if not show_personal:
        lives = list(map(_masked, lives))
    if as_json:
        print_json([asdict(life) for life in lives])
    else:
        for life in lives:
            _render(console(), life)
    if not lives:
        if not as_json:
            console().print(f"the archive knows no item {item}", markup=False)
        raise SystemExit(FOUND)


def _masked(life: Life) -> Life:
    """That a personal attribute changed may be seen, not from what to what."""
    steps = (replace(step, differences=tuple(map(_mask, step.differences))) for step in life.steps)
    return replace(life, steps=tuple(steps))


def _mask(difference: Difference) -> Difference:
    if not difference.personal:
        return difference
    old = None if difference.old is None else _MASK
    return replace(difference, old=old, new=None if difference.new is None else _MASK)


def _render(screen: Console, life: Life) -> None:
    screen.print(Text(life.item, style="bold"))
    for step in life.steps:
        if step.gap:
            screen.print(Text(f"  ⚠ gap: {step.gap}", style="bold red"))
        screen.print(_headline(step))
        for line in _lines(step):
            screen.print(line)
    for place in life.unreadable:
        screen.print(Text(f"  ⚠ cannot be read, and may hold more: {place}", style="bold red"))
    screen.print()


def _headline(step: Step) -> Text:
    moment = datetime.fromtimestamp(step.at_ms / 1000, UTC).isoformat(" ", "milliseconds")
    verb = _VERBS.get(step.change, step.change)
    version = "" if step.version is None else f", version {step.version}"
    expired = " by DynamoDB: its time to live had passed" if step.expired else ""
    return Text(f"  {moment.removesuffix('+00:00')}Z  {verb}{expired}{version}", style="cyan")


def _lines(step: Step) -> Iterator[Text]:
    """What changed; of a removed item nothing, since all of it is gone."""
    if step.change == "REMOVE":
        return
    for difference in step.differences:
        new = "gone" if difference.new is None else _short(difference.new)
        old = "" if difference.old is None else f"{_short(difference.old)} → "
        yield Text(f"      {difference.path}: {old}{new}")


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
