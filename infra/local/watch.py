"""The watcher of a running pipeline: collects metrics, evaluates alarms, writes the status.

One thread, a few times a second. What it learns is in the state folder for whoever asks.
"""

import logging
import statistics
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from infra.local.mapping.numbers import MappingStatus
from infra.local.servers.server import ServerStatus
from infra.local.status import ConsumerStatus, PipelineStatus, ServerState
from infra.local.telemetry.alarms import SIGNAL_METRICS, AlarmBoard, State, Transition
from infra.local.telemetry.log_tail import LogTail
from infra.local.telemetry.metric_store import MetricStore
from shared import metric_names
from shared.alarms import Signal
from shared.clients import aws_client
from shared.spec import ConsumerSpec

# The longest window of any burn rate: six hours.
_KEEP_SECONDS = 21_600.0
_QUEUES_EVERY_SECONDS = 1.0
_RATE_SECONDS = 5.0
_LOG = logging.getLogger("fanout")


class Watcher:
    """Looks at everything and sums it up. Used by one thread."""

    def __init__(
        self,
        specs: Sequence[ConsumerSpec],
        folder: Path,
        *,
        log_paths: Mapping[str, Path],
        mappings: Callable[[], Sequence[MappingStatus]],
        servers: Callable[[], Sequence[ServerStatus]],
        queue_urls: Mapping[str, str],
        topic_arn: str,
        alarm_scale: float,
    ) -> None:
        """`folder` gets the status; `log_paths` are the workers' logs by consumer."""
        self._specs = specs
        self._folder = folder
        self._tails = {name: LogTail(path) for name, path in log_paths.items()}
        self._mappings, self._servers = mappings, servers
        self._queue_urls, self._topic_arn = queue_urls, topic_arn
        self._store = MetricStore(_KEEP_SECONDS)
        self._board = AlarmBoard(specs, self._store, alarm_scale)
        self._depths: dict[str, int] = {}
        self._depths_at = 0.0
        self._delivered: dict[str, deque[tuple[float, int]]] = {
            spec.name: deque() for spec in specs
        }
        self._errors: dict[str, int] = {}
        self._throttles: dict[str, int] = {}
        self._dropped: dict[str, int] = {}

    def look(self) -> PipelineStatus:
        """Look once: read new metrics, page for alarms that changed, write the status."""
        now = time.time()
        for tail in self._tails.values():
            for document in tail.documents():
                self._store.put_document(document)
        found = {status.consumer: status for status in self._mappings()}
        self._count_queues(now)
        for each in found.values():
            self._put_signals(each, now)
        for transition in self._board.evaluate(now):
            self._publish(transition)
        status = PipelineStatus(
            at_ms=int(now * 1000),
            consumers=tuple(self._sum_up(spec, found[spec.name], now) for spec in self._specs),
            servers=tuple(
                ServerState(server.name, server.url, server.pid, server.restarts)
                for server in self._servers()
            ),
        )
        status.save(self._folder)
        return status

    def _count_queues(self, now: float) -> None:
        if now - self._depths_at < _QUEUES_EVERY_SECONDS:
            return
        self._depths_at = now
        for name, url in self._queue_urls.items():
            try:
                self._depths[name] = queue_depth(url)
            except Exception:  # noqa: BLE001 - the server is down: the depth stays as it was
                return
            self._put(Signal.QUEUE_DEPTH, name, now, self._depths[name])

    def _put_signals(self, status: MappingStatus, now: float) -> None:
        name, numbers = status.consumer, status.numbers
        self._put(Signal.ITERATOR_AGE, name, now, status.lag_ms)
        for signal, count, before in (
            (Signal.FUNCTION_ERRORS, numbers.errors, self._errors),
            (Signal.FUNCTION_THROTTLES, numbers.throttles, self._throttles),
            (Signal.RECORDS_DROPPED, numbers.discarded, self._dropped),
        ):
            if count > before.get(name, 0):
                self._put(signal, name, now, count - before.get(name, 0))
            before[name] = count

    def _put(self, signal: Signal, consumer: str, now: float, value: float) -> None:
        self._store.put(SIGNAL_METRICS[signal], consumer, now, value)

    def _publish(self, transition: Transition) -> None:
        if transition.state is State.INSUFFICIENT_DATA:
            return
        subject = f"{transition.state}: fanout-{transition.consumer}-{transition.alarm}"
        message = f"{transition.meaning}\nRunbook: docs/runbook.md#{transition.alarm}"
        try:
            aws_client("sns").publish(TopicArn=self._topic_arn, Subject=subject, Message=message)
        except Exception as error:  # noqa: BLE001 - told again by `status`, which shows the state
            _LOG.warning("could not page: %s: %s", subject, type(error).__name__)

    def _sum_up(self, spec: ConsumerSpec, found: MappingStatus, now: float) -> ConsumerStatus:
        minute = self._store.window(metric_names.FRESHNESS.name, spec.name, now - 60, now + 1)
        firing = (
            alarm
            for (consumer, alarm), state in self._board.states.items()
            if consumer == spec.name and state is State.ALARM
        )
        return ConsumerStatus(
            name=spec.name,
            lag_records=found.lag_records,
            lag_ms=found.lag_ms,
            delivered=found.numbers.delivered,
            per_second=self._rate(spec.name, found.numbers.delivered, now),
            batches=found.numbers.batches,
            retries=found.numbers.failures,
            errors=found.numbers.errors,
            given_up=found.numbers.discarded,
            parked=self._depths.get(spec.name, 0),
            freshness_ms=_median_and_high(minute),
            alarms=tuple(firing),
            last_error=found.stopped or (found.last_error if found.retrying else ""),
        )

    def _rate(self, name: str, delivered: int, now: float) -> float:
        seen = self._delivered[name]
        seen.append((now, delivered))
        while seen[0][0] < now - _RATE_SECONDS:
            seen.popleft()
        then, before = seen[0]
        return (delivered - before) / (now - then) if now > then else 0.0


def queue_depth(queue_url: str) -> int:
    """How many messages wait in a queue."""
    name = "ApproximateNumberOfMessages"
    answer = aws_client("sqs").get_queue_attributes(QueueUrl=queue_url, AttributeNames=[name])
    return int(answer["Attributes"][name])


def _median_and_high(values: Sequence[Any]) -> tuple[float, float] | None:
    if not values:
        return None
    ordered = sorted(values)
    return statistics.median(ordered), ordered[int(len(ordered) * 0.99)]
