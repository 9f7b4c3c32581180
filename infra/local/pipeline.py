"""The whole pipeline on one machine: servers, resources, functions, mappings, watcher.

Started in that order and stopped in the other. With a state folder it resumes where it was
stopped or killed; without one it is temporary.
"""

import logging
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Self

from infra.local.collector import SeldomCollected
from infra.local.deployment import Deployment
from infra.local.lambda_runtime.function import Function
from infra.local.mapping.checkpoint import CheckpointFolder
from infra.local.mapping.config import MappingConfig
from infra.local.mapping.destination import DeadLetters
from infra.local.mapping.kinesis import KinesisStream
from infra.local.mapping.mapping import Mappings
from infra.local.mapping.numbers import MappingStatus
from infra.local.mapping.shared_stream import SharedStream
from infra.local.mapping.streams import DynamoStream
from infra.local.mapping.wiring import Wiring
from infra.local.process_environment import ProcessEnvironment
from infra.local.recovery import SearchRecovery
from infra.local.resources import create_resources
from infra.local.servers.stack import Engines, Given, LocalServers
from infra.local.status import PipelineStatus
from infra.local.watch import Watcher
from shared.heartbeat import write_heartbeat
from shared.spec import ConsumerSpec, Source

LOGS = "logs"
CHECKPOINTS = "checkpoints"
_WATCH_SECONDS = 0.25
_LOG = logging.getLogger("fanout")


@dataclass(frozen=True, slots=True)
class Options:
    """How a pipeline runs.

    Attributes:
        given: endpoints to use instead of servers of ours.
        engines: what the servers that we start are.
        heartbeat_seconds: between heartbeats; AWS's writer beats once a minute.
        alarm_scale: shortens all alarm periods: 0.1 makes a minute six seconds.
        seen_by_workers: how the deployment looks to the functions, if something stands between
            them and the servers; all else goes to the servers directly.
        maps: whether it delivers changes; without, another process does, and servers, functions
            and the recovery of the order index are all that runs here.
    """

    given: Given = field(default_factory=Given)
    engines: Engines = Engines.EMBEDDED
    heartbeat_seconds: float = 1.0
    alarm_scale: float = 1.0
    seen_by_workers: Callable[[Deployment], Deployment] = lambda deployment: deployment
    maps: bool = True


class Pipeline:
    """Runs from `__enter__` to `__exit__`.

    Attributes:
        servers: the embedded servers, for who wants to stop one.
        deployment: names and addresses, once entered.
        folder: the state folder.
    """

    deployment: Deployment
    folder: Path

    def __init__(
        self,
        specs: Sequence[ConsumerSpec],
        state: Path | None = None,
        options: Options | None = None,
    ) -> None:
        """Describe it; nothing is started yet."""
        self._specs = specs
        self._options = options or Options()
        self.servers = LocalServers(state, self._options.given, self._options.engines)
        self._functions: dict[str, Function] = {}
        self._mappings: Mappings | None = None
        self._watcher: Watcher | None = None
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._environment = ProcessEnvironment()
        self._collector = SeldomCollected()

    def __enter__(self) -> Self:
        """Start everything. Raises FanoutError, and then nothing is left running."""
        try:
            self._start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop everything."""
        self.close()

    def _start(self) -> None:
        self.servers.__enter__()
        self.folder = self.servers.folder
        endpoints = self.servers.endpoints
        self._environment.lead(endpoints.environment())
        made = create_resources(
            self._specs,
            region=endpoints.region or "",
            aws_url=endpoints.aws_url or "",
            cache_url=endpoints.cache_url,
            search_url=endpoints.search_url,
        )
        self.deployment = replace(made, pid=os.getpid(), dynamodb_url=endpoints.dynamodb_url or "")
        logs = self.folder / LOGS
        logs.mkdir(exist_ok=True)
        seen = self._options.seen_by_workers(self.deployment)
        self._functions = {
            spec.name: Function(
                f"fanout-{spec.name}",
                f"consumers.{spec.name}.handler.handler",
                seen.environment(spec.name),
                logs / f"{spec.name}.log",
                spec.timeout_seconds,
                memory_mb=spec.memory_mb,
            )
            for spec in self._specs
        }
        with ThreadPoolExecutor() as pool:
            list(pool.map(Function.warm, self._functions.values()))
        search = self._functions.get("search")
        if search and self._options.given.search is None:
            recovery = SearchRecovery(self.deployment, search.invoke)
            recovery.watch(self.servers.status())
            self._every(_WATCH_SECONDS, lambda: recovery.watch(self.servers.status()), "recovery")
        if self._options.maps:
            self._deliver()
        self.deployment.save(self.folder)

    def _deliver(self) -> None:
        self._collector.begin()
        self._mappings = self._map()
        self._mappings.start()
        self._watcher = Watcher(
            self._specs,
            self.folder,
            log_paths={name: function.log_path for name, function in self._functions.items()},
            mappings=self._mappings.status,
            servers=self.servers.status,
            queue_urls=self.deployment.queue_urls,
            topic_arn=self.deployment.topic_arn,
            alarm_scale=self._options.alarm_scale,
        )
        self._watcher.look()
        self._every(_WATCH_SECONDS, self._watcher.look, "watcher")
        self._every(self._options.heartbeat_seconds, self._beat, "heartbeat")

    def _map(self) -> Mappings:
        stream_arn = self.deployment.stream_arn
        stream = SharedStream(DynamoStream(stream_arn))
        kinesis = KinesisStream(stream)
        folder = self.folder / CHECKPOINTS
        return Mappings(
            [
                Wiring(
                    config=MappingConfig.of(spec, self._functions[spec.name].arn),
                    stream=stream if spec.source is Source.STREAM else kinesis,
                    invoke=self._functions[spec.name].invoke,
                    destination=DeadLetters(
                        self.deployment.queue_urls[spec.name], self.deployment.bucket
                    ),
                    checkpoints=CheckpointFolder(folder, spec.name, stream_arn),
                )
                for spec in self._specs
            ]
        )

    def _beat(self) -> None:
        write_heartbeat(self.deployment.table)

    def _every(self, seconds: float, action: Callable[[], object], name: str) -> None:
        """Do `action` every so often in a thread; a failure is told, and tried again."""

        def work() -> None:
            while not self._stop.is_set():
                try:
                    action()
                except Exception as error:  # noqa: BLE001 - told, and tried again
                    _LOG.warning("%s: %s: %s", name, type(error).__name__, error)
                self._stop.wait(seconds)

        thread = threading.Thread(target=work, name=name, daemon=True)
        thread.start()
        self._threads.append(thread)

    def status(self) -> PipelineStatus:
        """What every consumer and server does now, as last written by the watcher."""
        return PipelineStatus.load(self.folder)

    def log_path(self, consumer: str) -> Path:
        """Where what a consumer's workers print is kept."""
        return self._functions[consumer].log_path

    def function(self, consumer: str) -> Function:
        """A consumer's function, for who wants to invoke it besides the mapping, or end it."""
        return self._functions[consumer]

    def mapping_status(self) -> tuple[MappingStatus, ...]:
        """What each consumer's mapping has done so far."""
        assert self._mappings is not None, "the pipeline is not running"
        return self._mappings.status()

    def caught_up_at_ms(self) -> dict[str, int]:
        """For each consumer: every change made until then has been dealt with."""
        return {each.consumer: each.caught_up_at_ms for each in self.mapping_status()}

    def drained(self, since_ms: int) -> bool:
        """Whether every consumer has dealt with every change made until `since_ms`."""
        return all(moment >= since_ms for moment in self.caught_up_at_ms().values())

    def close(self) -> None:
        """Stop everything. Idempotent. What was not delivered yet comes in the next run."""
        self._stop.set()
        for thread in self._threads:
            thread.join()
        self._threads = []
        if self._mappings is not None:
            self._mappings.stop()
        for function in self._functions.values():
            function.stop()
        if self._watcher is not None and self._mappings is not None:
            self._watcher.look()
        self._mappings = self._watcher = None
        self.servers.close()
        self._environment.restore()
        self._collector.restore()
