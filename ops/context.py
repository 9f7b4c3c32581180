"""Find a running pipeline by its state folder and lead this process's clients to it."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from infra.local.deployment import Deployment
from infra.local.servers.stack import Engines
from infra.local.servers.state import holder
from ops.console import Failure

DEFAULT_STATE = Path(".fanout")


def state_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """The option `--state`, the same for every command."""
    return click.option(
        "--state",
        type=click.Path(path_type=Path, file_okay=False),
        default=DEFAULT_STATE,
        show_default=True,
        envvar="FANOUT_STATE",
        help="Folder in which `fanout up` keeps its state.",
    )(command)


def engines_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """The option `--engines`, the same for every command that starts servers."""
    return click.option(
        "--engines",
        type=click.Choice([str(each) for each in Engines]),
        default=str(Engines.EMBEDDED),
        show_default=True,
        help="`real`: DynamoDB Local, OpenSearch and, where installed, Redis. Needs a JDK 17 and "
        "Maven, which fetches about 100 MB on the first run.",
    )(command)


def open_deployment(state: Path) -> Deployment:
    """The pipeline that was started on `state`; from here on boto reaches its AWS."""
    try:
        deployment = Deployment.load(state)
    except FileNotFoundError:
        raise Failure(
            f"no pipeline has been started in {state}",
            "start one with `fanout up`, or say where it is with --state",
        ) from None
    if not is_running(deployment, state):
        raise Failure(f"the pipeline in {state} is not running", "start it again with `fanout up`")
    os.environ.update(deployment.aws_environment())
    return deployment


def is_running(deployment: Deployment, state: Path) -> bool:
    """Whether the process that wrote `deployment` still runs the pipeline in `state`.

    By the folder's lock, which ends with its process; a number alone may be another's by now.
    """
    return deployment.pid > 0 and holder(state) == deployment.pid
