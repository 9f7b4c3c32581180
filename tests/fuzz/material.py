"""Batches of records for fuzzing: most are damaged, and two in each are known to be good."""

import base64
import json
from dataclasses import dataclass, field
from functools import cached_property
from random import Random
from typing import Any

from shared.json_text import json_text
from shared.spec import Source
from tests.fuzz import hostile
from tests.support import records

Raw = dict[str, Any]

STATUSES = ("PENDING_VALIDATION", "VALIDATED", "PAYMENT_FAILED", "SHIPPED", "COMPLETED", "ODD")


@dataclass
class Batch:
    """The entries of one event.

    Attributes:
        entries: as Lambda delivers them.
        good: what each consumer must have written, whatever else is in the batch: the name by
            which its destination knows it.
    """

    entries: list[Any] = field(default_factory=list)
    good: dict[str, str] = field(default_factory=dict)

    @cached_property
    def texts(self) -> list[str]:
        """The entries as JSON text, as they were before anyone could change them."""
        return list(map(json_text, self.entries))


def sound(rng: Random, serial: int) -> tuple[Raw | None, Raw | None]:
    """(old, new) of a change that the application could have made."""
    version = rng.randrange(1, 50)
    match rng.randrange(8):
        case 0 | 1 | 2 | 3:
            name = f"o-{rng.randrange(200)}"
            before, after = rng.choice(STATUSES), rng.choice(STATUSES)
            customer = f"c-{rng.randrange(9)}"
            old = records.order(name, version, status=before)
            new = records.order(name, version + 1, status=after, customerId=customer)
        case 4 | 5:
            name, user = f"s-{rng.randrange(200)}", f"u-{rng.randrange(9)}"
            old = records.score(name, user, rng.randrange(100), version)
            new = records.score(name, user, rng.randrange(100), version + 1)
        case 6:
            old = records.heartbeat("main", records.CREATED * 1000, version)
            new = records.heartbeat("main", records.CREATED * 1000 + serial, version + 1)
        case _:
            kind = rng.choice(("TOTAL", "OTHER"))
            old = {"PK": f"{kind}#u-{serial % 9}", "SK": kind, "total": 5, "version": version}
            new = {**old, "total": 6, "blob": b"\x00\xff", "set": {"a", "b"}}
    return rng.choice(((None, new), (old, new), (old, new), (old, None)))


def entry(rng: Random, source: Source, serial: int, harm: float) -> Any:
    """One entry; `harm` is the share of damaged ones, from 0 to 1."""
    old, new = sound(rng, serial)
    name = f"e-{serial}"
    if rng.random() >= harm:
        make = records.stream_record if source is Source.STREAM else records.kinesis_record
        return make(old, new, sequence=serial, event_id=name)
    if source is Source.STREAM:
        return _damaged_stream(rng, records.stream_record(old, new, sequence=serial, event_id=name))
    return _damaged_kinesis(rng, records.kinesis_record(old, new, sequence=serial, event_id=name))


def _damaged_stream(rng: Random, record: Raw) -> Any:
    match rng.randrange(20):
        case 0:
            return hostile.value(rng)
        case 1 | 2:
            # As the runtime client would parse it; what is no JSON never becomes an event.
            try:
                return json.loads(hostile.damaged_text(rng, json.dumps(record)))
            except (ValueError, RecursionError):
                return record
        case _:
            hostile.damage(rng, record)
            return record


def _damaged_kinesis(rng: Random, record: Raw) -> Any:
    kinesis = record["kinesis"]
    match rng.randrange(20):
        case 0:
            return hostile.value(rng)
        case 1 | 2 | 3:
            hostile.damage(rng, record)
        case 4:
            data = kinesis["data"]
            cut = rng.randrange(len(data))
            kinesis["data"] = data[:cut] + rng.choice(("", "*", "=", "\n", "é")) + data[cut + 1 :]
        case 5 | 6 | 7:
            text = base64.b64decode(kinesis["data"]).decode()
            kinesis["data"] = _base64(hostile.damaged_text(rng, text))
        case _:
            payload = json.loads(base64.b64decode(kinesis["data"]))
            hostile.damage(rng, payload)
            try:
                kinesis["data"] = _base64(json.dumps(payload).encode())
            except RecursionError:
                kinesis["data"] = _base64(b'{"dynamodb":' * 5_000 + b"1" + b"}" * 5_000)
    return record


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def batch(rng: Random, source: Source, size: int, serial: int, harm: float = 0.75) -> Batch:
    """A batch of `size` entries and two good ones among them. Serials must differ by size + 2."""
    entries = [entry(rng, source, serial + 2 + at, harm) for at in range(size)]
    return with_good(rng, source, entries, serial)


def with_good(rng: Random, source: Source, entries: list[Any], serial: int) -> Batch:
    """These entries and two good ones among them, an order and a score named by `serial`."""
    made = Batch(entries)
    make = records.stream_record if source is Source.STREAM else records.kinesis_record
    order, score = records.order(f"good-{serial}"), records.score(f"good-{serial}", "good")
    for place, item in enumerate((order, score)):
        good = make(None, item, sequence=serial + place, event_id=f"good-{serial + place}")
        made.entries.insert(rng.randrange(len(made.entries) + 1), good)
    made.good = {
        "audit": f"good-{serial}",
        "metrics": f"good-{serial}",
        "cache": f"order:good-{serial}",
        "search": f"good-{serial}",
        "totals": f"APPLIED#SCORE#good-{serial}|USER#good",
    }
    return made
