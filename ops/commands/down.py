"""`fanout down`: stop a pipeline that `fanout up` started."""

import os
import signal
import time
from pathlib import Path

import click

from infra.local.deployment import Deployment
from ops.console import Failure
from ops.context import is_running, state_option

_GRACE_SECONDS = 30.0


@click.command()
@state_option
def down(state: Path) -> None:
    """Stop the pipeline; its state stays, and `fanout up` goes on from there.

    \b
    Example:
      fanout down --state ./my-pipeline
    """
    try:
        deployment = Deployment.load(state)
    except FileNotFoundError:
        raise Failure(f"no pipeline has been started in {state}") from None
    if not is_running(deployment, state):
        click.echo(f"nothing runs in {state}")
        return
    os.kill(deployment.pid, signal.SIGTERM)
    end = time.monotonic() + _GRACE_SECONDS
    while is_running(deployment, state):
        if time.monotonic() > end:
            raise Failure(
                f"process {deployment.pid} has not ended within {_GRACE_SECONDS:.0f} s",
                f"kill -9 {deployment.pid} loses nothing: the next `fanout up` resumes",
            )
        time.sleep(0.1)
    click.echo(f"stopped; state kept in {state}")
