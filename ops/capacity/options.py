"""Options that more than one command about capacity takes."""

from collections.abc import Callable
from typing import Any

import click


def item_kb_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """The option `--item-kb`: how large an item is, as DynamoDB counts it."""
    return click.option(
        "--item-kb",
        default=2.0,
        show_default=True,
        type=click.FloatRange(min=0.1, max=400),
        help="Size of an item.",
    )(command)
