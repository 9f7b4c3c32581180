"""One consumer of the simulation: a real mapping, a function by chance, and who watches it."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from infra.local.lambda_runtime.invocation import Invocation
from infra.local.mapping.checkpoint import CheckpointFolder
from infra.local.mapping.config import MappingConfig
from infra.local.mapping.consumer import ConsumerReader
from infra.local.mapping.delivery import MAX_PAYLOAD_BYTES
from infra.local.mapping.failure import Condition, Place
from infra.local.mapping.kinesis import Disorder
from infra.local.mapping.reader import ShardReader
from infra.local.mapping.source import TRIM_HORIZON, Stream
from infra.local.mapping.wiring import Wiring
from shared.filters import compile_filters, wrap_for_kinesis
from tests.support.records import STREAM_ARN
from tests.support.simulation_disk import Disk
from tests.support.simulation_faults import Faults, failed, not_run
from tests.support.simulation_shards import Clock, Table
from tests.support.simulation_watch import Broken, Change, Watch, change_in, identifier


@dataclass(frozen=True, slots=True)
class Plan:
    """A consumer to be simulated.

    Attributes:
        name: its name.
        source: `alone` reads the stream by itself; `shared` shares its reads; `kinesis` gets
            Kinesis records of the shared reads.
        prefix: of the keys of items that its filter lets through.
        disorder, parts: of the Kinesis stream.
        poison: every so many versions of an item there is one that it never can take; 0 for none.
        raises: on poison it raises; else it reports the record.
        begins_hours: after the start.
        away_hours: from when to when it does not run at all.
        settings: of its mapping.
    """

    name: str
    source: str = "shared"
    prefix: str = "ORDER#"
    disorder: Disorder | None = None
    parts: int = 1
    poison: int = 0
    raises: bool = False
    begins_hours: float = 0.0
    away_hours: tuple[float, float] | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)


class Subject:
    """A consumer at work.

    Attributes:
        consumer: its reading of the stream in this run; None while it does not run.
        epoch: counts its runs.
        busy: seconds that its last invocation took.
        begun: it has run before.
        settles_after: it began at LATEST at this moment, and has not read all shards since; or 0.
    """

    def __init__(
        self, plan: Plan, table: Table, clock: Clock, chance: random.Random, faults: Faults
    ) -> None:
        self.plan = plan
        self.watch = Watch(
            plan.name, table, plan.prefix, ordered=not (plan.disorder and plan.disorder.reorders)
        )
        self.consumer: ConsumerReader | None = None
        self.readers: list[ShardReader] = []
        self.epoch = 0
        self.busy = 0.0
        self.begun = False
        self.settles_after = 0.0
        self._clock, self._chance, self._faults = clock, chance, faults
        pattern = {"dynamodb": {"Keys": {"PK": {"S": [{"prefix": plan.prefix}]}}}}
        self._config = MappingConfig(
            plan.name,
            f"arn:aws:lambda:eu-west-1:000000000000:function:{plan.name}",
            compile_filters([wrap_for_kinesis(pattern) if plan.source == "kinesis" else pattern]),
            **{"start": TRIM_HORIZON, **plan.settings},
        )

    def start(self, stream: Stream, disk: Disk) -> None:
        """Run, or run again: only what is on the disk is left of the last run."""
        self.stop()
        wiring = Wiring(
            self._config,
            stream,
            self._invoke,
            self,
            CheckpointFolder(disk.root, self.plan.name, STREAM_ARN),
            self._clock,
            self._chance,
            self._beside,
        )
        self.consumer = ConsumerReader(wiring)

    def stop(self) -> None:
        """As by a kill."""
        self.epoch += 1
        self.consumer, self.readers = None, []

    def _beside(self, call: Callable[[], None]) -> Callable[[], None]:
        """The next page is read before an invocation or behind it."""
        if self._chance.random() < 0.5:
            return call
        call()
        return lambda: None

    # -- the function ------------------------------------------------------------------------

    def _invoke(self, payload: bytes) -> Invocation:
        faults = self._faults
        faults.step("before an invocation")
        kind = faults.invocation()
        if kind == "function throttled":
            raise not_run()
        entries = orjson.loads(payload)["Records"]
        if len(entries) > self._config.batch_size or not entries:
            raise Broken(f"{self.plan.name} was given a batch of {len(entries)}")
        if len(payload) > MAX_PAYLOAD_BYTES and len(entries) > 1:
            raise Broken(f"{self.plan.name} was given a payload of {len(payload)} bytes")
        changes = [change_in(entry) for entry in entries]
        self.watch.given(changes)
        self.busy = 30.0 if kind == "handler times out" else self._chance.uniform(0.01, 0.5)
        outcome = self._outcome(kind, entries, changes)
        faults.step("after an invocation")
        return outcome

    def _outcome(
        self, kind: str, entries: Sequence[Mapping[str, Any]], changes: Sequence[Change]
    ) -> Invocation:
        if kind and kind != "partial failure":
            return failed(kind)
        fatal = self._first_poison(changes)
        if fatal < len(changes) and self.plan.raises:
            return failed("handler raises")
        first = fatal
        if kind:
            first = min(first, self._chance.randrange(len(changes)))
        self.watch.did(changes[:first])
        # Those behind the first may have failed too; their order says nothing.
        named = [entries[first]] if first < len(entries) else []
        named += [entry for entry in entries[first + 1 :] if named and self._chance.random() < 0.2]
        self._chance.shuffle(named)
        failures = [{"itemIdentifier": identifier(entry)} for entry in named]
        return Invocation("r", orjson.dumps({"batchItemFailures": failures}))

    def _first_poison(self, changes: Sequence[Change]) -> int:
        every = self.plan.poison
        if every:
            for place, (_, version) in enumerate(changes):
                if version % every == 0:
                    return place
        return len(changes)

    # -- the on-failure destination ----------------------------------------------------------

    def send(self, place: Place, document: dict[str, Any], event: bytes | None, now: float) -> None:
        """Take what is given up. Raises Unavailable, and Broken if there was no reason to."""
        self._faults.send()
        if event is None:
            self.watch.gaps += 1
            self.watch.unclaim()
        else:
            entries = orjson.loads(event)["Records"]
            self._require_reason(document, entries)
            self.watch.gave_up([change_in(entry) for entry in entries])
        self._faults.step("after a message")

    def _require_reason(
        self, document: Mapping[str, Any], entries: Sequence[Mapping[str, Any]]
    ) -> None:
        config, told = self._config, document["requestContext"]
        if told["condition"] == Condition.RETRIES:
            if not 0 <= config.retries < told["approximateInvokeCount"]:
                raise Broken(f"{self.plan.name} was given up before its retries were used")
            return
        newest = entries[-1]
        created = newest.get("kinesis", {}).get("approximateArrivalTimestamp")
        if created is None:
            created = newest["dynamodb"]["ApproximateCreationDateTime"]
        if not 0 <= config.record_age_seconds < self._clock.now - created:
            raise Broken(f"{self.plan.name} was given up before it was too old")
