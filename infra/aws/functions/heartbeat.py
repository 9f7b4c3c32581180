"""Writes the heartbeats, once a minute; see docs/runbook.md for who misses them."""

import os
from typing import Any

from shared.heartbeat import write_heartbeat
from shared.settings import Settings

COUNT = "FANOUT_HEARTBEATS"


def handler(event: Any, context: Any) -> None:  # noqa: ARG001 - Lambda's signature
    """Write `FANOUT_HEARTBEATS` items, so that more than one shard is measured."""
    table = Settings.load(("table",)).table
    for number in range(int(os.environ.get(COUNT, "1"))):
        write_heartbeat(table, str(number))
