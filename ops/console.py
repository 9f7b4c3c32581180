"""How the command speaks: tables for people, JSON for scripts, plain lines where no one looks."""

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import click
from rich.box import ROUNDED
from rich.console import Console
from rich.table import Table

FOUND = 1  # exit code: the command worked and found something that is not as it should be
WRONG_USE = 2  # exit code: the command was used wrongly, or has nothing to work on

# A fixed width where the output is no terminal, so that files and scripts see the same lines.
_PLAIN_WIDTH = 120


def console(*, stderr: bool = False) -> Console:
    """A console: with colours and live output on a terminal, plain lines elsewhere."""
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else _PLAIN_WIDTH
    return Console(stderr=stderr, width=width, highlight=False, soft_wrap=False)


def print_json(document: Any) -> None:
    """One JSON document on stdout, and nothing else."""
    click.echo(json.dumps(document, indent=2, default=str))


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> Table:
    """A table; columns whose name starts with `>` are numbers and stand to the right."""
    made = Table(title=title, title_justify="left", title_style="bold", box=ROUNDED)
    for column in columns:
        justify = "right" if column.startswith(">") else "left"
        made.add_column(column.lstrip(">"), justify=justify)  # type: ignore[arg-type]
    for row in rows:
        made.add_row(*("" if cell is None else str(cell) for cell in row))
    return made


class Failure(click.ClickException):
    """Ends the command with exit code 2 and says what to do next."""

    exit_code = WRONG_USE

    def __init__(self, reason: str, hint: str = "") -> None:
        """`hint` is the next step."""
        super().__init__(f"{reason}\n  {hint}" if hint else reason)


def pairs(title: str, values: Mapping[str, object]) -> Table:
    """A two-column table of names and values."""
    return table(title, ("", ">"), list(values.items()))
