"""A pipeline without a runner: the real handlers, called here, on the embedded servers.

A test says when changes are delivered, and so what is in flight.
"""

from __future__ import annotations

import gc
import importlib
import io
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from consumers.registry import REGISTRY
from consumers.search.setup import ensure_index
from infra.local import resources
from infra.local.deployment import Deployment
from infra.local.pipeline import LOGS
from infra.local.servers import LocalServers
from infra.local.servers.state import StateFolder
from ops.traffic.table import Table
from shared.aws_json import JsonService
from shared.clients import aws_client
from shared.entry import lambda_entry
from tests.support import search
from tests.support.servers import unique

Handler = Callable[[Any, Any], Any]
_BATCH = 40


@dataclass
class SmallPipeline:
    """One deployment of a test's own, and what it has been told to deliver.

    Attributes:
        deployment: names and addresses.
        folder: its state folder; logs are in `logs`.
        table: to write as the application does.
    """

    deployment: Deployment
    folder: Path
    table: Table
    _handlers: dict[str, Handler] = field(default_factory=dict)
    _position: str = ""

    @property
    def logs(self) -> Path:
        return self.folder / LOGS

    def deliver(self, only: Sequence[str] = (), batch: int = _BATCH) -> int:
        """Deliver all new changes, in batches, to all consumers or to these; return how many."""
        records = list(self._records())
        for start in range(0, len(records), batch):
            event = {"Records": records[start : start + batch]}
            for name in only or tuple(self._handlers):
                answer = self.invoke_with(name, event)
                assert answer == {"batchItemFailures": []}, f"{name}: {answer}"
        return len(records)

    def skip(self) -> int:
        """Let all new changes go by undelivered, as if the stream had been off."""
        return len(self.undelivered())

    def undelivered(self) -> list[Any]:
        """Take the new changes out of the stream, for the test to deliver."""
        return list(self._records())

    def settle(self, batch: int = _BATCH) -> None:
        """Deliver until nothing is new: `totals` changes the table whose changes are delivered."""
        while self.deliver(batch=batch):
            pass

    def invoke(self, name: str, *records: Any) -> None:
        """Deliver records of the test's own to one consumer."""
        assert self.invoke_with(name, {"Records": list(records)}) == {"batchItemFailures": []}

    def invoke_with(self, name: str, event: Any) -> Any:
        """Give one consumer an event of any kind, and return what it answers."""
        # What a worker prints is its log; here each handler is its own worker.
        printed, before = io.BytesIO(), sys.stdout
        sys.stdout = io.TextIOWrapper(printed, write_through=True)
        try:
            answer = self._handlers[name](event, None)
        finally:
            with (self.logs / f"{name}.log").open("ab") as log:
                log.write(printed.getvalue())
            sys.stdout = before
        return answer

    def _records(self) -> Iterator[Any]:
        """The changes since the last call, as a stream's event carries them."""
        streams = JsonService("streams.dynamodb")
        arn = self.deployment.stream_arn
        if not self._position:
            described = streams.call("DescribeStream", {"StreamArn": arn})
            (shard,) = described["StreamDescription"]["Shards"]
            where = {"ShardId": shard["ShardId"], "ShardIteratorType": "TRIM_HORIZON"}
            answer = streams.call("GetShardIterator", {"StreamArn": arn, **where})
            self._position = answer["ShardIterator"]
        while True:
            page = streams.call("GetRecords", {"ShardIterator": self._position})
            self._position = page["NextShardIterator"]
            if not page["Records"]:
                return
            for record in page["Records"]:
                yield {**record, "eventSource": "aws:dynamodb", "eventSourceARN": arn}


@contextmanager
def small_pipeline(servers: LocalServers, folder: Path) -> Iterator[SmallPipeline]:
    """A new deployment on these servers; the order index and the cache are emptied for it."""
    ends, lock = servers.endpoints, StateFolder(folder)
    assert ends.region is not None
    (folder / LOGS).mkdir()
    search.wipe(ends.search_url)
    ensure_index(ends.search_url)
    with Redis.from_url(ends.cache_url) as cache:
        cache.flushdb()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in ends.environment().items():
            patch.setenv(name, value)
        for constant in ("TABLE", "LEDGER_TABLE", "BUCKET"):
            patch.setattr(resources, constant, unique("verify"))
        aws_client.cache_clear()
        deployment = resources.create_resources(
            REGISTRY,
            region=ends.region,
            aws_url=ends.aws_url or "",
            cache_url=ends.cache_url,
            search_url=ends.search_url,
        )
        made = SmallPipeline(deployment, folder, Table(deployment.table))
        for spec in REGISTRY:
            for name, value in deployment.environment(spec.name).items():
                patch.setenv(name, value)
            module = importlib.import_module(f"consumers.{spec.name}.handler")
            handler = lambda_entry(module.SPEC, module.project, module.open_sink)
            made._handlers[spec.name] = handler
            # Opened here, while the environment is the consumer's.
            made.invoke(spec.name)
        yield made
    aws_client.cache_clear()
    lock.close()
    with warnings.catch_warnings():
        # A worker's connections end with its process, so sinks have no way to close them.
        warnings.simplefilter("ignore", ResourceWarning)
        made._handlers.clear()
        gc.collect()
