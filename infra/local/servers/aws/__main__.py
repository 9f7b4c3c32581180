"""Run the AWS server: `python -m infra.local.servers.aws FOLDER`, by `programs.AWS`.

The emulator reads its settings from the environment; port and addresses come from there. FOLDER
gets the journal.
"""

import asyncio
import fcntl
import gc
import os
import sys
import time
from pathlib import Path

from ministack.app import app as emulator

from infra.local.servers.aws.corrections import correct
from infra.local.servers.aws.http_server import Message, Receive, Send, serve
from infra.local.servers.aws.journal import DamagedJournal, Journal
from infra.local.servers.aws.objects import Objects
from infra.local.servers.aws.queues import Queues
from infra.local.servers.aws.repeated import remember
from infra.local.servers.aws.speed import speed_up
from infra.local.servers.aws.tables_replay import Tables

_LOCK_SECONDS = 10.0
# Requests that change nothing but what the hooks report: the many. Others are looked after.
_DATA_PLANE = (
    *("PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "TransactWriteItems"),
    *("GetItem", "BatchGetItem", "TransactGetItems", "Query", "Scan"),
    *("ExecuteStatement", "BatchExecuteStatement", "ExecuteTransaction"),
)
_HOOKED = frozenset(f"DynamoDB_20120810.{action}".encode() for action in _DATA_PLANE)
_STREAMS = b"DynamoDBStreams_20120810."


class Durable:
    """The emulator, which answers a request when the journal has what the request changed."""

    def __init__(self, journal: Journal, tables: Tables) -> None:
        self._journal = journal
        self._tables = tables

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one request, or the server's life as a whole."""
        if scope["type"] != "http":
            await emulator(scope, receive, send)
            return
        target = dict(scope["headers"]).get(b"x-amz-target", b"")
        hooked = target in _HOOKED or target.startswith(_STREAMS)

        async def committed(event: Message) -> None:
            if event["type"] == "http.response.start":
                self._tables.flush()
                self._journal.commit(look=not hooked)
            await send(event)

        await emulator(scope, receive, committed)


def _own(folder: Path) -> int:
    """Lock the folder against a server of an earlier run that is just being killed."""
    lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    deadline = time.monotonic() + _LOCK_SECONDS
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return lock
        except BlockingIOError:
            if time.monotonic() > deadline:
                sys.exit(f"another server works in {folder}: stop it first")
            time.sleep(0.05)


def _restore(folder: Path) -> tuple[Journal, Tables]:
    journal = Journal(folder / "journal.ndjson")
    tables, queues, objects = Tables(journal), Queues(), Objects(journal)
    correct()
    gc.disable()  # nothing that a replay makes is garbage
    try:
        journal.open([tables, queues, objects])
    except DamagedJournal as error:
        sys.exit(f"{error}: move {folder} away to start with nothing")
    finally:
        gc.enable()
    gc.freeze()
    tables.hook()
    objects.hook()
    speed_up()
    remember()
    return journal, tables


def main(folder: Path) -> None:
    """Serve until SIGTERM."""
    lock = _own(folder)

    async def run() -> None:
        # Inside the loop, so that hooks, corrections and requests share one thread and context.
        journal, tables = _restore(folder)
        host, port = os.environ["BIND_HOST"], int(os.environ["GATEWAY_PORT"])
        await serve(Durable(journal, tables), host, port)
        journal.close()

    asyncio.run(run())
    os.close(lock)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
