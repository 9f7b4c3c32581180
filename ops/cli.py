"""`fanout`: the command line."""

import importlib
import logging

import click

from ops.console import Failure
from shared.errors import FanoutError

# Each command is a function of its own name in `ops.commands`; imported when it is asked for, so
# that `fanout --help` is quick.
COMMANDS = (
    "demo",
    "up",
    "down",
    "status",
    "traffic",
    "verify",
    "search",
    "history",
    "cost",
    "size",
    "chaos",
)


class _Commands(click.Group):
    """Loads a command when it is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """In the order in which a newcomer needs them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """The command, or None if there is no such."""
        if cmd_name not in COMMANDS:
            return None
        command = getattr(importlib.import_module(f"ops.commands.{cmd_name}"), cmd_name)
        assert isinstance(command, click.Command)
        return command

    def invoke(self, ctx: click.Context) -> object:
        """Run a command; an error of ours ends it with what to do, not with a traceback."""
        try:
            return super().invoke(ctx)
        except FanoutError as error:
            raise Failure(error.reason, error.hint) from error


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="fanout")
def main() -> None:
    """Turn every change of a DynamoDB table into five projections that stay true.

    \b
    Start here:
      fanout demo                    everything, once: start, write, verify, stop
      fanout up                      start and stay; then, in another terminal:
      fanout traffic                   write orders and scores
      fanout status --watch            see each consumer keep up
      fanout search "walnut desk"      find an order as support does
      fanout history ord-000001        one item's life, change by change
      fanout verify                    prove that nothing is missing
      fanout chaos                     everything, once, while everything breaks

    \b
    Exit codes: 0 fine; 1 found something that is not as it should be; 2 used wrongly.
    """
    logging.basicConfig(level=logging.WARNING, format="%(name)s: %(message)s")


if __name__ == "__main__":
    main()
